#!/bin/sh
# The machine's first process. Each line that begins with `==` is for tests/lambda_vm/run.
export PATH=/bin
mount -t proc proc /proc
for module in /modules/*.ko; do insmod "$module"; done
number=$(sed -n 's/^ *\([0-9]*\) virtblk$/\1/p' /proc/devices)
mknod /dev/vda b "$number" 0
mknod /dev/vdb b "$number" 16
mount -t ext4 /dev/vda /tmp
mount -t ext4 -o ro /dev/vdb /data 2>/dev/null # only for engines
chown 993:990 /tmp
mount -o remount,ro /
# A function reaches the host's loopback addresses under the same names.
if [ -e /given/ports ]; then
  ip link set lo up
  ip addr add 10.0.2.15/24 dev eth0
  ip link set eth0 up
  for port in $(cat /given/ports); do inside forward "$port" & done
fi
printf '\n== %s\n' "kernel $(uname -rm), random addresses $(cat /proc/sys/kernel/randomize_va_space)"
# Not every machine has a clock of its own.
date -s "@$(cat /given/now)" >/dev/null
inside limited /bin/sh /given/work.sh
sync
poweroff -f
