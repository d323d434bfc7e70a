#!/bin/sh
# What runs as Lambda's user: a snapshot of the engine is made, restored and asked, and so is an engine with loaded definitions.
export GCONV_PATH=/opt/lib/clamav/gconv
engine=/opt/bin/airlock-engine
seconds() { cut -d' ' -f1 /proc/uptime; }
ask() { # ask NAME: EICAR, a clean file, and ClamAV's test files
  for file in /files/*; do echo "== $1 ${file##*/} $(inside scan /tmp/engine.sock "$file")"; done
}

cd /tmp && mkdir -p tmp
echo "== user $(id -u), descriptors $(ulimit -n)"
echo "== root: $(touch /there 2>/dev/null && echo writable || echo read-only), shm: $(ls /dev/shm 2>/dev/null || echo none)"
echo "== at $(seconds) snapshot begins"
$engine snapshot --config-file /engine.conf --out /tmp/engine.snapshot && echo "== at $(seconds) snapshot made"
for name in restored loaded; do
  rm -f /tmp/engine.sock
  [ $name = restored ] && from="--snapshot /tmp/engine.snapshot" || from=
  echo "== at $(seconds) $name begins"
  $engine serve --config-file /engine.conf $from 2>&1 &
  inside scan /tmp/engine.sock /files/eicar >/dev/null
  echo "== at $(seconds) $name has judged a file"
  ask $name
  kill -9 $!
done
echo "== end"
