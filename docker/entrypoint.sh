#!/bin/sh
# Without arguments: IQ_PROCESSES hosts under supervisor. With arguments: a verb of iq, for instance
# `docker run iq dead list`.
set -eu

if [ $# -gt 0 ]; then
  exec "$IQ_BIN" "$@" --config "$IQ_CONFIG"
fi

# Puts the plugins that this image brings into the drop-in folder, each as a whole. What a user has
# put there under the same name stays: beside each plugin lies the sum of what an image put there.
install_plugins() {
  for plugin in /usr/lib/iq/plugins/*.so; do
    name=$(basename "$plugin")
    mine=$IQ_PLUGINS/.$name.image
    if [ -e "$IQ_PLUGINS/$name" ] && ! sha256sum --status --check "$mine" 2>/dev/null; then
      continue
    fi
    new=$(mktemp "$IQ_PLUGINS/.new.XXXXXX")
    cp "$plugin" "$new"
    chmod 644 "$new"
    mv "$new" "$IQ_PLUGINS/$name"
    sha256sum "$IQ_PLUGINS/$name" > "$mine"
  done
}

if [ ! -w "$IQ_PLUGINS" ]; then
  echo "$IQ_PLUGINS: user $(id -u) must own it and be able to write to it" >&2
  exit 2
fi
install_plugins

case $IQ_PROCESSES in
  *[!0-9]* | '' | 0*) echo "IQ_PROCESSES: \"$IQ_PROCESSES\"; write a number from 1 to 99" >&2; exit 2 ;;
esac
if [ "$IQ_PROCESSES" -gt 99 ]; then
  echo "IQ_PROCESSES: $IQ_PROCESSES is more than 99; run more containers instead" >&2
  exit 2
fi
# The hosts' output goes through a pipe of this user's: a container's own output may be another's, who
# gave it to this process open, and supervisord opens what it writes to by name.
rm -f "$IQ_VAR/output"
mkfifo "$IQ_VAR/output"
cat "$IQ_VAR/output" &
exec 3> "$IQ_VAR/output"  # Kept open, so that `cat` ends with supervisord and not before.
sed -e "s/^numprocs=.*/numprocs=$IQ_PROCESSES/" -e "s|^\(std.*_logfile\)=/dev/std.*|\1=$IQ_VAR/output|" \
  /usr/share/iq/supervisord.conf > "$IQ_VAR/supervisord.conf"
exec supervisord -c "$IQ_VAR/supervisord.conf"
