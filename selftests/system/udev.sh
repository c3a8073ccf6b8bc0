#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Chains on a machine with udev, systemd, LVM and mdadm: units of the host see the device, and nothing of the host looks
# into it or into its layers.

# shellcheck source=selftests/system/lib.sh
. "$(dirname "$0")/lib.sh"

prop() { udevadm info --query=property --property="$2" --value "$1"; }

# A chain of a qcow2 top and DATA, as its raw base or as its data file: attached FILE|-d FILE
attached() {
	if [ "$1" = -d ]; then
		cowchain create top.qcow2 --size "$(stat -c %s "$2")" --data-file data.raw
		cowchain attach cct top.qcow2
		dd if="$2" of=/dev/mapper/cct bs=1M conv=fsync status=none
		cowchain detach cct
	else
		cowchain create top.qcow2 --backing "$1" --format raw
	fi
	# as after a boot
	rm -rf /run/lvm/pvs_online/* /run/lvm/vgs_online/*
	cowchain attach cct top.qcow2
	udevadm settle
}

it "a unit mounts the device, and an event does not unmount it" mount_unit
mount_unit() {
	truncate -s 64M base.raw
	mkfs.ext4 -q base.raw
	attached base.raw
	mkdir -p mnt /run/systemd/system
	trap 'systemctl stop "$unit"; rm -f "/run/systemd/system/$unit"; systemctl daemon-reload; exit 1' ERR
	unit=$(systemd-escape --path --suffix=mount "$T/mnt")
	printf '%s\n' '[Mount]' What=/dev/mapper/cct "Where=$T/mnt" >"/run/systemd/system/$unit"
	systemctl daemon-reload
	timeout 60 systemctl start "$unit"
	mountpoint mnt
	udevadm trigger --action=add --settle
	mountpoint mnt
	udevadm trigger --action=change --settle
	mountpoint mnt
	cowchain reload cct
	cowchain snapshot cct new.qcow2
	udevadm settle
	mountpoint mnt
	eq "$(prop /dev/mapper/cct SYSTEMD_READY)" 1 "SYSTEMD_READY"
	systemctl stop "$unit"
	rm "/run/systemd/system/$unit"
	systemctl daemon-reload
	cowchain detach cct
	nothing_left
}

it "nobody looks into the device, whoever resumes it" not_probed
not_probed() {
	truncate -s 64M base.raw
	mkfs.ext4 -q base.raw
	attached base.raw
	dmsetup suspend cct
	dmsetup resume cct
	udevadm settle
	eq "$(prop /dev/mapper/cct ID_FS_TYPE)" '' "ID_FS_TYPE after a resume by dmsetup"
	udevadm trigger --settle "$(readlink -f /dev/mapper/cct)"
	eq "$(prop /dev/mapper/cct ID_FS_TYPE)" '' "ID_FS_TYPE after an event"
	cowchain detach cct
	nothing_left
}

it "a file system of the host has links, also after other events" host
host() {
	local uuid

	truncate -s 64M base.raw
	mkfs.ext4 -q base.raw
	uuid=$(blkid -p -s UUID -o value base.raw)
	cowchain create top.qcow2 --backing base.raw --format raw
	cowchain attach cct top.qcow2 --host --owner 1234:4321 --mode 640
	udevadm settle
	for event in none reload resume add change; do
		case $event in
		reload) cowchain reload cct ;;
		resume) dmsetup suspend cct; dmsetup resume cct ;;
		add | change) udevadm trigger --action="$event" --settle ;;
		esac
		udevadm settle
		eq "$(readlink -f "/dev/disk/by-uuid/$uuid")" "$(readlink -f /dev/mapper/cct)" "by-uuid after $event"
		eq "$(prop /dev/mapper/cct ID_FS_TYPE)" ext4 "ID_FS_TYPE after $event"
		eq "$(stat -L -c '%u %g %a' /dev/mapper/cct)" '1234 4321 640' "owner, group and mode after $event"
	done
	cowchain detach cct
	nothing_left
}

# no_links: no link of the file system in $T/fs.raw leads to anything
no_links() {
	local uuid

	uuid=$(blkid -p -s UUID -o value fs.raw)
	[ ! -e "/dev/disk/by-uuid/$uuid" ] || fail "by-uuid leads to $(readlink "/dev/disk/by-uuid/$uuid")"
	[ ! -e /dev/disk/by-label/cct ] || fail "by-label leads to $(readlink /dev/disk/by-label/cct)"
}

it "a file system in a layer has no links" no_links_to_layers
no_links_to_layers() {
	truncate -s 64M fs.raw
	mkfs.ext4 -q -L cct fs.raw
	cp fs.raw base.raw
	attached base.raw
	no_links
	udevadm trigger --action=add --settle
	no_links
	cowchain detach cct
	rm top.qcow2
	attached -d fs.raw
	no_links
	cowchain snapshot cct new.qcow2
	udevadm settle
	no_links
	cowchain detach cct
	nothing_left
}

it "a layer with the UUID of the host's root does not take its place" uuid_of_root
uuid_of_root() {
	local root uuid

	root=$(findmnt -n -o SOURCE /)
	uuid=$(blkid -s UUID -o value "$root")
	truncate -s 64M base.raw
	mkfs.ext4 -q -U "$uuid" base.raw
	attached base.raw
	eq "$(readlink -f "/dev/disk/by-uuid/$uuid")" "$root" "by-uuid of the root"
	udevadm trigger --action=add --settle
	eq "$(readlink -f "/dev/disk/by-uuid/$uuid")" "$root" "by-uuid of the root after events"
	cowchain detach cct
	nothing_left
}

# A disk with a volume group, as a guest makes it. udev has no business with this loop device, either.
guest_group() {
	local loop

	export LVM_SUPPRESS_FD_WARNINGS=1
	truncate -s 64M "$1"
	loop=$(losetup --find --show "$1")
	# shellcheck disable=SC2016	# the inner shell expands
	flock "$loop" sh -euc 'pvcreate -qq "$1" && vgcreate -qq cctvg "$1"
		lvcreate -qq -an -Zn -Wn -L 16M -n lv cctvg && losetup -d "$1"' sh "$loop"
	udevadm settle
	[ ! -e /dev/cctvg ] || fail "the group is active already"
	rm -f /etc/lvm/devices/system.devices
}

# no_group: also not by the service that udev starts for a group whose volumes are all there
no_group() {
	local loop

	udevadm settle
	! systemctl is-active --quiet 'lvm-activate-*' || fail "LVM activates: $(systemctl list-units 'lvm-activate-*')"
	[ ! -e /dev/cctvg ] || fail "the group is active"
	for loop in $(losetup --list --noheadings --output NAME); do
		[ ! -e "/run/udev/data/b$(<"/sys/block/${loop##*/}/dev")" ] ||
			eq "$(prop "$loop" ID_FS_TYPE)" '' "ID_FS_TYPE of $loop"
	done
}

it "a volume group in a base is not activated" group_in_base
group_in_base() {
	guest_group base.raw
	attached base.raw
	no_group
	udevadm trigger --action=add --settle
	no_group
	cowchain detach cct
	no_group
	nothing_left
}

it "a volume group in a data file is not activated" group_in_data_file
group_in_data_file() {
	guest_group disk.raw
	attached -d disk.raw
	no_group
	udevadm trigger --action=change --settle
	no_group
	cowchain detach cct
	no_group
	nothing_left
	cowchain attach cct top.qcow2
	cowchain detach cct
	nothing_left
}

it "a RAID member in a base is not assembled while the table is loaded" raid_in_base
raid_in_base() {
	local loop

	truncate -s 64M base.raw
	loop=$(losetup --find --show base.raw)
	mdadm --create /dev/md/cct --quiet --run --level=1 --raid-devices=2 --metadata=1.2 "$loop" missing
	mdadm --stop --quiet /dev/md/cct
	losetup -d "$loop"
	udevadm settle
	cowchain create top.qcow2 --backing base.raw --format raw
	# between the loop device and the table, and the device in the same way
	strace -f -o /dev/null -e trace=ioctl -e inject=ioctl:delay_enter=150000 cowchain attach cct top.qcow2
	udevadm settle
	matches "$(</proc/mdstat)" 'unused devices' "mdstat"
	[[ $(</proc/mdstat) != *active* ]] || fail "assembled: $(</proc/mdstat)"
	cowchain detach cct
	nothing_left
}

it "a removal that waits keeps the node until the end" deferred
deferred() {
	truncate -s 16M base.raw
	attached base.raw
	exec 7</dev/mapper/cct
	cowchain detach --deferred cct 2>said
	matches "$(<said)" 'will be removed when its last user closes it' "note"
	udevadm settle
	[ -b /dev/mapper/cct ] || fail "the node is gone"
	exec 7<&-
	udevadm settle
	nothing_left
}

it "in another IPC namespace nothing waits for udev" ipc_namespace
ipc_namespace() {
	truncate -s 16M base.raw
	cowchain create top.qcow2 --backing base.raw --format raw
	timeout -k 10 60 unshare --ipc cowchain attach cct top.qcow2
	dd if=/dev/mapper/cct of=/dev/null bs=1M count=1 status=none
	timeout -k 10 60 unshare --ipc cowchain reload cct
	timeout -k 10 60 unshare --ipc cowchain detach cct
	nothing_left
	timeout -k 10 60 unshare --ipc cowchain attach cct top.qcow2
	udevadm settle
	cowchain detach cct
	nothing_left
	cowchain attach cct top.qcow2
	timeout -k 10 60 unshare --ipc cowchain detach cct
	nothing_left
}

# As in a container that has udev's socket, but not its namespace: it gets no answer.
it "without an answer from udev, a signal ends the tool, and time ends the wait" no_answer
no_answer() {
	local rc=0

	truncate -s 16M base.raw
	cowchain create top.qcow2 --backing base.raw --format raw
	trap 'udevadm control --start-exec-queue; exit 1' ERR
	udevadm control --stop-exec-queue
	timeout -s INT -k 60 2 cowchain attach cct top.qcow2 2>said || rc=$?
	eq $rc 124 "status of timeout"
	matches "$(<said)" 'interrupted' "message"
	! dmsetup info cct 2>/dev/null || fail "the device is there"
	timeout -k 10 150 cowchain attach cct top.qcow2 2>said
	matches "$(<said)" 'waiting for udev' "note"
	matches "$(<said)" 'no answer from udev' "note"
	dd if=/dev/mapper/cct of=/dev/null bs=1M count=1 status=none
	udevadm control --start-exec-queue
	udevadm settle
	cowchain detach cct
	nothing_left
}

# refused REGEX: a removal says who uses the device
refused() {
	local rc=0

	cowchain detach cct 2>said || rc=$?
	eq $rc 1 "status"
	matches "$(<said)" "$1" "message"
}

it "a removal that is refused names swap, and partitions" users_named
users_named() {
	truncate -s 64M base.raw
	printf '%s\n' 'label: dos' 'start=2048, size=20000' | sfdisk -q base.raw
	attached base.raw
	kpartx -a -s /dev/mapper/cct
	refused 'in use: part of /dev/mapper/cct1'
	kpartx -d -s /dev/mapper/cct
	mkswap -q /dev/mapper/cct
	swapon /dev/mapper/cct
	refused 'in use: swap as /dev/'
	swapoff /dev/mapper/cct
	cowchain detach cct
	nothing_left
}

it "devices come and go at once" parallel
parallel() {
	local i pids=()

	truncate -s 16M base.raw
	for i in 1 2 3 4 5 6 7 8; do
		cowchain create "top$i.qcow2" --backing base.raw --format raw
	done
	for i in 1 2 3 4 5 6 7 8; do
		{
			cowchain attach "cct$i" "top$i.qcow2"
			dd if="/dev/mapper/cct$i" of=/dev/null bs=1M status=none
			cowchain detach "cct$i"
		} &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	nothing_left
}

run_cases
