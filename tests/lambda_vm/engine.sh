#!/bin/sh
# What runs as Lambda's user: the engine makes a snapshot; clamscan judges a file; then clamd, the engine with loaded definitions and the restored one are
# asked about every file.
export GCONV_PATH=/opt/lib/clamav/gconv
engine=/opt/bin/airlock-engine
conf=/given/engine.conf
seconds() { cut -d' ' -f1 /proc/uptime; }
used() { # used: MB of memory that are not available
  sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p; s/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo | { read -r all; read -r free; echo $(((all - free) / 1024)); }
}
start() { # start NAME
  case $1 in
    clamd) /opt/bin/clamd --config-file $conf >/dev/null 2>&1 ;;
    loaded) $engine serve --config-file $conf 2>&1 ;;
    restored) $engine serve --config-file $conf --snapshot /tmp/engine.snapshot 2>&1 ;;
  esac
}

cd /tmp && mkdir -p tmp
echo "== user $(id -u), descriptors $(ulimit -n), $(used) MB in use"
echo "== root: $(touch /there 2>/dev/null && echo writable || echo read-only), shm: $(ls /dev/shm 2>/dev/null || echo none)"
echo "== at $(seconds) snapshot begins"
$engine snapshot --config-file $conf --out /tmp/engine.snapshot && echo "== at $(seconds) snapshot made"
echo "== at $(seconds) clamscan begins"
/opt/lib/clamav/ld-linux-*.so.* --library-path /opt/lib/clamav /given/clamscan --no-summary --database /data/definitions /data/files/eicar >/dev/null 2>&1
echo "== clamscan $?"
echo "== at $(seconds) clamscan has judged a file"
for name in clamd loaded restored; do
  rm -f /tmp/engine.sock
  echo "== at $(seconds) $name begins"
  start $name &
  inside scan /tmp/engine.sock /data/files/eicar >/dev/null
  echo "== at $(seconds) $name has judged a file, $(used) MB in use"
  for file in /data/files/*; do echo "== $name ${file##*/} $(inside scan /tmp/engine.sock "$file")"; done
  echo "== at $(seconds) $name has judged all files, $(used) MB in use"
  kill -9 $!
  killall -9 clamd airlock-engine 2>/dev/null
done
echo "== end"
