#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# shellcheck shell=dash disable=SC1091 # (these files are the guest's)
# The guest's first process: mounts what programs expect, then runs scripts that come over a virtio port (tools/lib/vm_guest.py).
#
# From the host: "run ID SCRIPT_BYTES INPUT_BYTES\n", the script, its standard input.  To the host: "\0hello BOOT_ID\n" once,
# and for each script that has ended "done ID STATUS OUTPUT_BYTES\n" and its output.  Scripts run side by side.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
export LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t debugfs debug /sys/kernel/debug 2>/dev/null
mkdir -p /run/vm
ln -sf /proc/self/fd /dev/fd
# what is written to the console arrives unchanged
stty -F /dev/console -opost 2>/dev/null
ip link set lo up
hostname guest

# A disk's /usr, below what the initramfs has there (vm_root.py).
if grep -qw vm.usr /proc/cmdline; then
	for name in virtio_blk squashfs overlay; do modprobe -q "$name"; done
	mkdir -p /mnt/disk /mnt/change
	until [ -b /dev/vda ]; do usleep 10000; done
	mount -t squashfs -o ro /dev/vda /mnt/disk
	mount -t tmpfs change /mnt/change
	mkdir /mnt/change/upper /mnt/change/work
	mount -t overlay -o lowerdir=/usr:/mnt/disk,upperdir=/mnt/change/upper,workdir=/mnt/change/work usr /usr
	[ -e /lib64/ld-linux-x86-64.so.2 ] || ln -s /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 /lib64/
fi

if grep -qw vm.shell /proc/cmdline; then
	stty -F /dev/console opost
	setsid cttyhack sh -c 'ENV=/etc/vm-functions exec sh -i'
	poweroff -f
fi

# Our ports, by their names; others may have been added by the one who runs us.
port_of() {
	while ! port=$(grep -lx "$1" /sys/class/virtio-ports/*/name 2>/dev/null); do usleep 10000; done
	port=${port%/name}
	echo "/dev/${port##*/}"
}
ln -s "$(port_of tranche.output)" /run/vm/output
exec 3<>"$(port_of tranche.vm)"

# One writer: scripts that end side by side hand it their lines through a pipe.
mkfifo /run/vm/ended
exec 4<>/run/vm/ended
while read -r id status <&4; do
	d=/run/vm/$id
	size=$(stat -c %s "$d/output")
	printf 'done %s %s %s\n' "$id" "$status" "$size" >&3
	[ "$size" -eq 0 ] || head -c "$size" "$d/output" >&3
	rm -rf "$d"
done &

printf '\0hello %s\n' "$(cat /proc/sys/kernel/random/boot_id)" >&3
exact() { [ "$1" -eq 0 ] || dd bs="$1" count=1 iflag=fullblock 2>/dev/null; }
while read -r word id script input <&3; do
	[ "$word" = run ] || continue
	d=/run/vm/$id
	mkdir "$d"
	exact "$script" <&3 >"$d/script"
	exact "$input" <&3 >"$d/input"
	(
		(
			. /etc/vm-functions
			. "$d/script"
		) <"$d/input" >"$d/output" 2>&1 3<&- 4<&-
		echo "$id $?" >&4
	) &
done
# The host hung up.
poweroff -f
