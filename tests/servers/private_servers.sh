#!/usr/bin/env bash
# Runs PostgreSQL, RabbitMQ and Redis of one's own: loopback only, free ports, data in one directory.
#
#   start DIR [name...]          starts (all three when none is named), waits until each answers, and
#                                writes DIR/env; what runs already is left alone
#   stop DIR [name...]           orderly stop; data and ports are kept for the next start
#   kill DIR name...             SIGKILL to every process of the server
#   pause DIR name...            SIGSTOP to every process of the server
#   resume DIR name...           SIGCONT
#   status DIR                   one line per server; exit 1 unless all that were started are running
#   remove DIR                   SIGKILL to all, then deletes DIR and its data
#   rabbitmqctl DIR args...      the broker's own tool, for this broker
#   psql DIR args...             psql, for this database
#
# Where DIR/tls holds server.pem, server.key and clients.pem (who may sign clients' certificates) before
# the first start, PostgreSQL speaks TLS as well, and RabbitMQ on a port of its own, which is then in
# DIR/ports/rabbitmq_tls.
#
# Names: postgres, rabbitmq, redis. Works as root and as a plain user. Only processes whose pid and
# start time are recorded in DIR, and their descendants, are ever signalled.
set -euo pipefail
export LANG=C.UTF-8 LC_ALL=C.UTF-8
# The caller's settings for these servers must not leak into ours.
# shellcheck disable=SC2086
unset ${!RABBITMQ_@} ${!ERL_@} ${!PG@} NOTIFY_SOCKET

readonly ALL=(postgres rabbitmq redis)
readonly DEADLINE_S=60
readonly RABBITMQ_BIN=/usr/lib/rabbitmq/bin
# Below Linux's ephemeral range, so that no outgoing connection sits on a port we come back to.
readonly PORT_MIN=10000 PORT_COUNT=20000
readonly CTL_PORT_MIN=30000 CTL_PORT_MAX=32000

fail() {
  echo "private_servers: $*" >&2
  exit 1
}

# --- Processes ------------------------------------------------------------------------------------

# Prints the start time of process $1 in clock ticks since boot; fails when it is gone or a zombie.
start_time() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  read -ra fields <<<"${stat##*) }"
  [[ ${fields[0]} != [ZX] ]] || return 1
  echo "${fields[19]}"
}

# Prints the pid that pid file $1 names, if that very process still lives.
living() {
  local pid started
  [[ -f $1 ]] && read -r pid started <"$1" || return 1
  [[ $(start_time "$pid") == "$started" ]] || return 1
  echo "$pid"
}

# Prints process $1, its descendants and the members of its session.
members() {
  cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^\([0-9]*\) (.*) /\1 /' | awk -v root="$1" '
    { parent[$1] = $3; session[$1] = $5 }
    END {
      for (pid in parent) {
        up = pid
        for (depth = 0; up > 1 && up != root && depth < 100; ++depth) up = parent[up]
        if (up == root || session[pid] == root) print pid
      }
    }'
}

# Runs "$2..." in a session of its own, output appended to $log_file, and records it in pid file $1.
launch() {
  local pid_file=$1
  shift
  # shellcheck disable=SC2016
  setsid bash -c '
    stat=$(cat /proc/$$/stat)
    set -- $$ "$1" "${stat##*) }" "${@:2}"
    fields=($3)
    echo "$1 ${fields[19]}" >"$2.new"
    mv "$2.new" "$2"
    exec "${@:4}"' launch "$pid_file" "$@" </dev/null >>"$log_file" 2>&1 9>&- &
  until [[ -f $pid_file ]]; do
    kill -0 $! 2>/dev/null || return 1
    sleep 0.01
  done
}

# Sends signal $1 to all processes of pid file $2. The root is stopped first so that it cannot fork
# while the list is made.
signal_all() {
  local root pids
  root=$(living "$2") || return 0
  kill -STOP "$root" 2>/dev/null || return 0
  mapfile -t pids < <(members "$root")
  kill "-$1" "${pids[@]}" 2>/dev/null || true
  [[ $1 != KILL ]] || await_gone "${pids[@]}" || fail "process $root outlived SIGKILL"
}

await_gone() {
  local pid until=$((SECONDS + 30))
  for pid in "$@"; do
    while start_time "$pid" >/dev/null; do
      ((SECONDS < until)) || return 1
      sleep 0.02
    done
  done
}

# Asks pid file $2's root process to end with signal $1; SIGKILL for what is left after 30 s.
end() {
  local root pids
  root=$(living "$2") || return 0
  mapfile -t pids < <(members "$root")
  kill "-$1" "$root" 2>/dev/null || true
  kill -CONT "${pids[@]}" 2>/dev/null || true
  await_gone "${pids[@]}" || kill -KILL "${pids[@]}" 2>/dev/null || true
  rm -f "$2"
}

# --- Ports ----------------------------------------------------------------------------------------

answers_tcp() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints the port kept under the name $1, chosen when there is none yet.
port() {
  local file=$dir/ports/$1 candidate
  if [[ ! -f $file ]]; then
    while :; do
      candidate=$((PORT_MIN + (RANDOM * 32768 + RANDOM) % PORT_COUNT))
      answers_tcp "$candidate" || break
    done
    echo "$candidate" >"$file.new"
    mv "$file.new" "$file"
  fi
  cat "$file"
}

# --- PostgreSQL -----------------------------------------------------------------------------------

postgres_bin() { printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1; }

postgres_require() {
  [[ -x $(postgres_bin)/postgres ]] || fail "PostgreSQL is not installed: Debian package postgresql"
  [[ $(id -u) != 0 ]] || id postgres >/dev/null 2>&1 ||
    fail "user postgres is missing (the server refuses root): Debian package postgresql"
}

# Runs "$@" as a user whom the server accepts.
as_postgres() {
  if [[ $(id -u) == 0 ]]; then
    setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"
  else
    "$@"
  fi
}

# Makes the place for the data: below DIR, or in /tmp where the server's user cannot get at DIR.
postgres_place() {
  local place=$dir/postgres
  if [[ -f $dir/postgres.path ]]; then return; fi
  mkdir -p "$place"
  if [[ $(id -u) == 0 ]]; then
    if ! as_postgres test -x "$dir" 2>/dev/null; then
      rmdir "$place"
      place=$(mktemp -d /tmp/iq-pg-XXXXXX)
    fi
    chown postgres: "$place"
  fi
  echo "$place" >"$dir/postgres.path"
}

postgres_init() {
  local place=$1 data=$1/data
  rm -rf "$data"
  echo iq >"$place/password" && chmod 0644 "$place/password" || return 1
  (cd "$place" && as_postgres "$(postgres_bin)/initdb" --pgdata="$data" --username=iq \
    --pwfile="$place/password" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 \
    --no-sync) >>"$log_file" 2>&1 || return 1
  cat >>"$data/postgresql.conf" <<CONF || return 1
listen_addresses = '127.0.0.1'
port = $(port postgres)
unix_socket_directories = ''
max_connections = 200
shared_buffers = 128MB
fsync = on
synchronous_commit = on
log_line_prefix = '%m [%p] '
CONF
  if [[ -d $dir/tls ]]; then
    cat >>"$data/postgresql.conf" <<CONF || return 1
ssl = on
ssl_cert_file = '$place/server.pem'
ssl_key_file = '$place/server.key'
CONF
  fi
  touch "$place/initialised"
}

# The server takes no key that others than its user may read.
postgres_copy_tls() {
  local place=$1
  [[ -d $dir/tls ]] || return 0
  install -m 0600 "$dir/tls/server.pem" "$dir/tls/server.key" "$place" || return 1
  [[ $(id -u) != 0 ]] || chown postgres: "$place/server.pem" "$place/server.key"
}

postgres_sql() { PGPASSWORD=iq PGCONNECT_TIMEOUT=2 psql -XqAt -d "$(postgres_url "$1")" -c "$2"; }

postgres_url() { echo "postgresql://iq:iq@127.0.0.1:$(port postgres)/$1"; }

postgres_launch() {
  local place
  postgres_place
  place=$(cat "$dir/postgres.path")
  [[ -f $place/initialised ]] || postgres_init "$place" || return 1
  postgres_copy_tls "$place" || return 1
  # The server that wrote it is dead; where init reaps late its zombie would still count as alive.
  rm -f "$place/data/postmaster.pid"
  if [[ $(id -u) == 0 ]]; then
    launch "$dir/postgres.pid" setpriv --reuid=postgres --regid=postgres --init-groups -- \
      "$(postgres_bin)/postgres" -D "$place/data"
  else
    launch "$dir/postgres.pid" "$(postgres_bin)/postgres" -D "$place/data"
  fi
}

postgres_answers() {
  postgres_sql iq 'SELECT 1' >/dev/null 2>&1 && return
  postgres_sql postgres 'SELECT 1' >/dev/null 2>&1 &&
    postgres_sql postgres 'CREATE DATABASE iq' >/dev/null 2>&1 &&
    postgres_sql iq 'SELECT 1' >/dev/null 2>&1
}

postgres_stop() { end INT "$dir/postgres.pid"; }

postgres_pid_files() { echo "$dir/postgres.pid"; }

# --- RabbitMQ -------------------------------------------------------------------------------------

rabbitmq_require() {
  [[ -x $RABBITMQ_BIN/rabbitmq-server ]] ||
    fail "RabbitMQ is not installed: Debian package rabbitmq-server"
  command -v epmd >/dev/null || fail "epmd is not installed: Debian package erlang-base"
}

# The node's environment. Debian's wrapper in /usr/sbin changes user and file places, so the server's
# own scripts are called; nothing of /etc/rabbitmq is read.
rabbitmq_environment() {
  local base=$dir/rabbitmq
  export HOME=$base/home
  export ERL_EPMD_PORT ERL_EPMD_ADDRESS=127.0.0.1 ERL_CRASH_DUMP=$base/erl_crash.dump
  ERL_EPMD_PORT=$(port epmd)
  export RABBITMQ_NODENAME RABBITMQ_DIST_PORT RABBITMQ_NODE_PORT
  RABBITMQ_DIST_PORT=$(port rabbitmq_distribution)
  RABBITMQ_NODE_PORT=$(port rabbitmq)
  RABBITMQ_NODENAME=iq$RABBITMQ_NODE_PORT@localhost
  export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
  export RABBITMQ_MNESIA_BASE=$base/mnesia RABBITMQ_LOG_BASE=$base/log RABBITMQ_LOGS=-
  export RABBITMQ_CONF_ENV_FILE=$base/rabbitmq-env.conf RABBITMQ_CONFIG_FILE=$base/rabbitmq.conf
  export RABBITMQ_ADVANCED_CONFIG_FILE=$base/advanced.config
  export RABBITMQ_ENABLED_PLUGINS_FILE=$base/enabled_plugins
  export RABBITMQ_GENERATED_CONFIG_DIR=$base/config RABBITMQ_PID_FILE=$base/node.pid
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}'
  export RABBITMQ_CTL_DIST_PORT_MIN=$CTL_PORT_MIN RABBITMQ_CTL_DIST_PORT_MAX=$CTL_PORT_MAX
}

# The node reads the files when a client connects, and keeps what it has read for a while.
rabbitmq_tls_conf() {
  cat <<CONF
listeners.ssl.1 = 127.0.0.1:$(port rabbitmq_tls)
ssl_options.certfile = $dir/tls/server.pem
ssl_options.keyfile = $dir/tls/server.key
ssl_options.cacertfile = $dir/tls/clients.pem
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
CONF
}

rabbitmq_launch() {
  local base=$dir/rabbitmq
  mkdir -p "$base/home" "$base/mnesia" "$base/log" "$base/config"
  if [[ ! -f $base/enabled_plugins ]]; then
    (umask 077 && echo "iq$RANDOM$RANDOM$RANDOM" >"$base/home/.erlang.cookie")
    chmod 0400 "$base/home/.erlang.cookie"
    : >"$base/rabbitmq-env.conf"
    echo 'log.console.level = info' >"$base/rabbitmq.conf"
    [[ ! -d $dir/tls ]] || rabbitmq_tls_conf >>"$base/rabbitmq.conf"
    echo '[].' >"$base/enabled_plugins"
  fi
  rabbitmq_environment
  cd "$base"
  if ! living "$dir/epmd.pid" >/dev/null; then
    rm -f "$dir/epmd.pid"
    launch "$dir/epmd.pid" epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1
    until answers_tcp "$ERL_EPMD_PORT"; do
      living "$dir/epmd.pid" >/dev/null || return 1
      sleep 0.02
    done
  fi
  launch "$dir/rabbitmq.pid" "$RABBITMQ_BIN/rabbitmq-server"
}

# The port opens a little before the node has finished, hence the look at the log; the first byte
# that the broker sends is that of a method frame, 1.
rabbitmq_answers() {
  tail -c "+$((log_offset + 1))" "$log_file" | grep -q 'Server startup complete' || return 1
  local first=''
  { exec 3<>"/dev/tcp/127.0.0.1/$(port rabbitmq)"; } 2>/dev/null || return 1
  printf 'AMQP\0\0\11\1' >&3
  IFS= read -r -N 1 -t 2 -u 3 first || true
  exec 3>&-
  [[ $first == $'\1' ]]
}

rabbitmq_stop() {
  end TERM "$dir/rabbitmq.pid"
  end TERM "$dir/epmd.pid"
}

rabbitmq_pid_files() { printf '%s\n' "$dir/rabbitmq.pid" "$dir/epmd.pid"; }

# --- Redis ----------------------------------------------------------------------------------------

redis_require() {
  command -v redis-server >/dev/null || fail "Redis is not installed: Debian package redis-server"
}

redis_launch() {
  mkdir -p "$dir/redis"
  launch "$dir/redis.pid" redis-server --port "$(port redis)" --bind 127.0.0.1 --requirepass iq \
    --dir "$dir/redis" --save '' --appendonly no --daemonize no
}

redis_answers() {
  local reply=''
  { exec 3<>"/dev/tcp/127.0.0.1/$(port redis)"; } 2>/dev/null || return 1
  printf 'AUTH iq\r\nPING\r\n' >&3
  { read -r -t 2 -u 3 && read -r -t 2 -u 3 reply; } || true
  exec 3>&-
  [[ $reply == +PONG* ]]
}

redis_stop() { end TERM "$dir/redis.pid"; }

redis_pid_files() { echo "$dir/redis.pid"; }

# --- Commands -------------------------------------------------------------------------------------

not_answering() {
  echo "private_servers: $1 $2. The end of $log_file:" >&2
  tail -n 30 "$log_file" >&2
  return 1
}

start_one() {
  local name=$1 until=$((SECONDS + DEADLINE_S)) log_offset=0
  log_file=$dir/$name.log
  touch "$log_file"
  if ! living "$dir/$name.pid" >/dev/null; then
    log_offset=$(stat -c %s "$log_file")
    rm -f "$dir/$name.pid"
    "${name}_launch" || { not_answering "$name" "could not be started"; return 1; }
  fi
  until "${name}_answers"; do
    living "$dir/$name.pid" >/dev/null ||
      { not_answering "$name" "ended while starting"; return 1; }
    ((SECONDS < until)) ||
      { not_answering "$name" "does not answer after $DEADLINE_S s"; return 1; }
    sleep 0.05
  done
}

write_env() {
  {
    [[ ! -f $dir/ports/rabbitmq ]] ||
      echo "IQ_BROKER_URL=amqp://guest:guest@127.0.0.1:$(port rabbitmq)/%2F"
    [[ ! -f $dir/ports/postgres ]] || echo "IQ_STORE_URL=$(postgres_url iq)"
    [[ ! -f $dir/ports/redis ]] || echo "IQ_LOCKS_URL=redis://:iq@127.0.0.1:$(port redis)/0"
  } >"$dir/env.new"
  mv "$dir/env.new" "$dir/env"
}

start() {
  local name pids=() failed=0
  for name in "$@"; do "${name}_require"; done
  mkdir -p "$dir/ports"
  for name in "$@"; do
    (start_one "$name") &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  ((failed == 0)) || exit 1
  write_env
}

stop() {
  local name
  for name in "$@"; do "${name}_stop" & done
  wait
}

signal_servers() {
  local signal=$1 name pid_files pid_file
  shift
  for name in "$@"; do
    mapfile -t pid_files < <("${name}_pid_files")
    for pid_file in "${pid_files[@]}"; do signal_all "$signal" "$pid_file"; done
  done
}

status() {
  local name pid missing=0
  for name in "${ALL[@]}"; do
    [[ -f $dir/ports/$name ]] || continue
    if pid=$(living "$dir/$name.pid"); then
      echo "$name running pid $pid port $(port "$name")"
    else
      echo "$name stopped port $(port "$name")"
      missing=1
    fi
  done
  return "$missing"
}

remove() {
  signal_servers KILL "${ALL[@]}"
  [[ ! -f $dir/postgres.path ]] || rm -rf "$(cat "$dir/postgres.path")"
  rm -rf "$dir"
}

# Reads the names into the array `names`; all three when there are none and $1 is "all".
read_names() {
  local default=$1 name
  shift
  names=("$@")
  if (($# == 0)); then
    [[ $default == all ]] || fail "name one or more of: ${ALL[*]}"
    names=("${ALL[@]}")
  fi
  for name in "${names[@]}"; do
    [[ " ${ALL[*]} " == *" $name "* ]] || fail "no such server: $name (${ALL[*]})"
  done
}

main() {
  (($# >= 2)) || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
  local command=$1 names
  dir=$2
  shift 2
  if [[ $command == start ]]; then
    mkdir -p "$dir"
  elif [[ ! -d $dir ]]; then
    # What is gone is stopped.
    [[ $command == stop || $command == remove ]] && exit 0
    fail "no such directory: $dir"
  fi
  dir=$(cd "$dir" && pwd)
  cd /
  case $command in
    rabbitmqctl) rabbitmq_environment && exec "$RABBITMQ_BIN/rabbitmqctl" "$@" ;;
    psql) exec psql -X -d "$(postgres_url iq)" "$@" ;;
    status) status; return ;;
  esac
  exec 9>"$dir/lock"
  flock 9
  case $command in
    start) read_names all "$@" && start "${names[@]}" ;;
    stop) read_names all "$@" && stop "${names[@]}" ;;
    kill) read_names none "$@" && signal_servers KILL "${names[@]}" ;;
    pause) read_names none "$@" && signal_servers STOP "${names[@]}" ;;
    resume) read_names none "$@" && signal_servers CONT "${names[@]}" ;;
    remove) remove ;;
    *) fail "no such command: $command" ;;
  esac
}

main "$@"
