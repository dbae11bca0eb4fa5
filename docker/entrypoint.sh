#!/bin/sh
# Without arguments: IQ_PROCESSES hosts under supervisor. With arguments: that verb of iq, for
# instance `docker run iq migrate`.
set -eu

# The plugins that this image brings, each as a whole; those that users have put there stay.
for plugin in /usr/lib/iq/plugins/*.so; do
  name=$(basename "$plugin")
  cmp -s "$plugin" "$IQ_PLUGINS/$name" && continue
  cp "$plugin" "$IQ_PLUGINS/.$name.new"
  mv "$IQ_PLUGINS/.$name.new" "$IQ_PLUGINS/$name"
done

if [ $# -gt 0 ]; then
  verb=$1
  shift
  exec "$IQ_BIN" "$verb" --config "$IQ_CONFIG" "$@"
fi

case $IQ_PROCESSES in
  *[!0-9]* | '' | 0*) echo "IQ_PROCESSES: \"$IQ_PROCESSES\"; write a number from 1 to 99" >&2; exit 2 ;;
esac
if [ "$IQ_PROCESSES" -gt 99 ]; then
  echo "IQ_PROCESSES: $IQ_PROCESSES is more than 99; run more containers instead" >&2
  exit 2
fi
sed "s/^numprocs=.*/numprocs=$IQ_PROCESSES/" /usr/share/iq/supervisord.conf > "$IQ_VAR/supervisord.conf"
exec supervisord -c "$IQ_VAR/supervisord.conf"
