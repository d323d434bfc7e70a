#!/bin/sh
# The machine's first process. Each line that begins with `==` is for tests/lambda_vm/run.
export PATH=/bin
mount -t proc proc /proc
for module in /modules/*.ko; do insmod "$module"; done
mknod /dev/vda b "$(sed -n 's/^ *\([0-9]*\) virtblk$/\1/p' /proc/devices)" 0
mount -t ext4 /dev/vda /tmp
chown 993:990 /tmp
mount -o remount,ro /
echo "== kernel $(uname -rm), random addresses $(cat /proc/sys/kernel/randomize_va_space)"
inside limited /bin/sh /work.sh
poweroff -f
