#!/usr/bin/env bash
# The image without a Docker engine: built with buildah on a base made by debootstrap, run under
# supervisor beside private servers on loopback, fed with commands and stopped. Needs root; all of it
# stays in the folder DIR (default var/image), which takes about 4 GiB.
#   docker/image_test.sh [DIR]
set -euo pipefail
cd "$(dirname "$0")/.."

readonly DIR=$(realpath -m "${1:-var/image}")
readonly COMMANDS=1000
readonly servers=tests/servers/private_servers.sh
container=
supervisor_pid=

step() { echo "== $*"; }
fail() { echo "image-test: $*" >&2; exit 1; }

store() { buildah --root "$DIR/storage" --runroot "$DIR/run" --storage-driver vfs "$@"; }
inside() { store run --isolation chroot --network host "${environment[@]}" "$container" -- "$@"; }

control() { inside supervisorctl -c /var/lib/iq/supervisord.conf "$@"; }

clean_up() {
  trap - EXIT
  if [ -n "$supervisor_pid" ]; then
    control shutdown >/dev/null 2>&1 || true
    wait "$supervisor_pid" || true
  fi
  [ -z "$container" ] || store rm "$container" >/dev/null || true
  "$servers" remove "$DIR/servers" >/dev/null 2>&1 || true
}
trap clean_up EXIT

# As the Dockerfile names it, with the packages' sources of this machine.
make_base() {
  store images --quiet docker.io/library/debian:bookworm-slim 2>/dev/null | grep -q . && return
  step "base image by debootstrap"
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Codename: bookworm' | head -n 1)
  rm -rf "$DIR/base"
  debootstrap --variant=minbase bookworm "$DIR/base" "${mirror:-http://deb.debian.org/debian}" >"$DIR/debootstrap.log"
  cp -a /etc/apt/apt.conf.d "$DIR/base/etc/apt/"
  rm -rf "$DIR/base"/var/cache/apt/archives/*.deb
  local base
  base=$(store from scratch)
  store add --quiet "$base" "$DIR/base" / >/dev/null
  store commit --quiet "$base" docker.io/library/debian:bookworm-slim >/dev/null
  store rm "$base" >/dev/null
  rm -rf "$DIR/base"
}

build_image() {
  step "image"
  store build --isolation chroot --network host --pull-never --layers \
    --tag iq --file docker/Dockerfile . >"$DIR/build.log" 2>&1 || { tail -n 40 "$DIR/build.log"; fail "the image could not be built"; }
}

start_supervisor() {
  step "supervisor"
  inside entrypoint.sh migrate
  inside entrypoint.sh seed
  inside entrypoint.sh >"$DIR/supervisor.log" 2>&1 &
  supervisor_pid=$!
  local ready=
  for _ in $(seq 60); do
    inside healthcheck.py >"$DIR/health.log" 2>&1 && ready=1 && break
    sleep 1
  done
  [ -n "$ready" ] || { cat "$DIR/health.log"; tail -n 20 "$DIR/supervisor.log"; fail "not healthy within a minute"; }
  local running=0
  for _ in $(seq 30); do  # Which a process is once it has lived for startsecs.
    running=$(control status | grep -c '^iq:.*RUNNING' || true)
    [ "$running" = 10 ] && break
    sleep 1
  done
  [ "$running" = 10 ] || fail "$running of 10 processes are RUNNING"
}

# The sum of a counter over the ten processes.
count() {
  local port
  for port in $(seq 9400 9409); do
    curl -fs "http://127.0.0.1:$port/metrics" || true
  done | awk -v name="$1" 'index($0, name) == 1 { sum += $NF } END { print sum + 0 }'
}

carry_out_commands() {
  step "$COMMANDS commands"
  inside entrypoint.sh send income userId=2 sum=1 --count "$COMMANDS"
  local done=0
  for _ in $(seq 60); do
    done=$(count 'iq_commands_total{outcome="done"')
    [ "$done" = "$COMMANDS" ] && break
    sleep 0.5
  done
  [ "$done" = "$COMMANDS" ] || fail "$done of $COMMANDS commands were carried out"
  local rows
  rows=$("$servers" psql "$DIR/servers" -At -c 'SELECT count(*) FROM iq.journal')
  [ "$rows" = "$COMMANDS" ] || fail "the journal has $rows rows"
  inside entrypoint.sh dead list
}

# From this machine: it may be looked at.
ask_for_the_page() {
  step "the page"
  curl -fs http://127.0.0.1:8080/ | grep -q '<title>' || fail "no page at port 8080"
  curl -fs http://127.0.0.1:8080/api/session | grep -q '"may":"read"' || fail "the page does not tell who may"
}

say_sizes() {
  local image memory=0 pid
  image=$(du -sm "$(store mount "$container")" | cut -f1)
  for pid in $(pgrep -f '^/usr/bin/iq run --config /usr/share/iq/config.yaml'); do
    memory=$((memory + $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")))
  done
  echo "image: $image MiB unpacked; ten processes: $((memory / 1024)) MiB (PSS) after $COMMANDS commands"
}

stop_in_order() {
  step "stop"
  control shutdown >/dev/null
  wait "$supervisor_pid" || true
  supervisor_pid=
  [ "$(grep -c 'stopped: iq_.*exit status 0\|stopped: console.*exit status 0' "$DIR/supervisor.log")" = 11 ] || fail "not all eleven ended in order; see $DIR/supervisor.log"
}

check_compose() {
  step "compose.yaml"
  docker-compose --env-file docker/.env.example -f docker/compose.yaml config --quiet
}

mkdir -p "$DIR"
check_compose
make_base
build_image
step "servers"
"$servers" start "$DIR/servers" >/dev/null
set -a
# shellcheck disable=SC1091
. "$DIR/servers/env"
set +a
! curl -fs http://127.0.0.1:9400/livez >/dev/null || fail "something answers at port 9400 already"
environment=(--env IQ_ADMIN_HOST=127.0.0.1 --env IQ_CONSOLE_LISTEN=127.0.0.1:8080 --env "IQ_BROKER_URL=$IQ_BROKER_URL" --env "IQ_STORE_URL=$IQ_STORE_URL" --env "IQ_LOCKS_URL=$IQ_LOCKS_URL")
container=$(store from --pull-never iq)
start_supervisor
carry_out_commands
ask_for_the_page
say_sizes
stop_in_order
echo "image-test: passed"
