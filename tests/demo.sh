#!/usr/bin/env bash
# The main job, to look at: the host, one command of every type, and what came of each. Stays up
# until Ctrl-C, which ends all of it.
#   tests/demo.sh            embedded: everything in var/iq.db
#   tests/demo.sh servers    on private RabbitMQ, PostgreSQL and Redis under var/demo
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-embedded}
iq=$PWD/build/release/iq
servers=tests/servers/private_servers.sh
home=$PWD/var/demo
log=var/iq.log
host_pid=
mkdir -p var

stop_all() {
  trap - EXIT HUP INT TERM
  if [ -n "$host_pid" ]; then
    echo "stopping"
    kill -TERM "$host_pid" 2>/dev/null || true
    wait "$host_pid" || true
  fi
  [ "$profile" = embedded ] || "$servers" stop "$home" || true
}
trap stop_all EXIT
trap 'exit 0' HUP INT TERM

unset IQ_BROKER_URL IQ_STORE_URL IQ_LOCKS_URL
if [ "$profile" = servers ]; then
  echo "starting RabbitMQ, PostgreSQL and Redis under var/demo (about ten seconds)"
  mkdir -p "$home"
  "$servers" start "$home"
  set -a
  # shellcheck disable=SC1091
  . "$home/env"
  set +a
fi

balances() {
  local sql="SELECT 'user ' || user_id || ' has ' || (sum / 1000.0) FROM balance
    WHERE user_id IN (2, 3) ORDER BY user_id"
  if [ "$profile" = servers ]; then
    "$servers" psql "$home" -At -c "${sql/(sum/trim_scale(sum}"
  else
    sqlite3 -readonly var/iq.db "$sql"
  fi
}

# Shows the command, sends it and shows its outcome and events. A refusal is a result, too.
show() {
  echo
  echo "\$ iq send --wait $*"
  "$iq" send --wait "$@" || [ $? -eq 1 ]
}

# Who has the link at the end may act on the page, for as long as this runs.
made=$("$iq" token demo --may write --json)
[[ $made =~ \"token\":\"([^\"]+)\" ]] && token=${BASH_REMATCH[1]}
[[ $made =~ \"sha256\":\"([^\"]+)\" ]] && export IQ_ADMIN_TOKEN_SHA256=${BASH_REMATCH[1]}

"$iq" migrate
"$iq" seed
# In a session of its own: Ctrl-C reaches this script alone, which then stops the host in order.
setsid setpriv --pdeathsig TERM "$iq" run 2>"$log" &
host_pid=$!
until grep -q 'is ready' "$log"; do
  kill -0 "$host_pid" 2>/dev/null || { cat "$log"; exit 1; }
  sleep 0.1
done

hold=$(cat /proc/sys/kernel/random/uuid)
echo; echo "before:"; balances
show income userId=3 sum=100
show transfer userId=2 sum=60.5 details.userFromId=3
show withdraw userId=2 sum=20
show lock userId=2 sum=12.345 details.event=lock details.uuid="$hold"
show lock userId=2 sum=12.345 details.event=unlock details.uuid="$hold"
show withdraw userId=1000 sum=1
echo; echo "after:"; balances
echo; echo "what was refused is kept (iq dead list):"; "$iq" dead list
echo
if page=$(grep -o 'http://[^ "]*/' "$log"); then
  echo "The page, on which you may look at all of it and send more: $page#token=$token"
fi
echo "The host is running; its log is $log. In a second terminal, in this folder:"
[ "$profile" = embedded ] || echo "  set -a; . var/demo/env; set +a"
cat <<'TEXT'
  build/release/iq send --wait income userId=2 sum=1
  build/release/iq events
  build/release/iq dead list
Ctrl-C here ends everything.
TEXT
wait "$host_pid"
