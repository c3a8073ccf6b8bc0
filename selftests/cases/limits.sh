#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Queue limits: those of the devices below are stacked, changed by the target, and validated by the kernel
# when a table is loaded.
# Seconds: 15
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# scsi_disk PARAMETER... : sets DISK to a disk of scsi_debug's, or skips the case
scsi_disk() {
	local dir

	[ -z "$SCSI_DEBUG_IS_THERE" ] || skip "scsi_debug is loaded already, and not by this test"
	modprobe -q sd_mod || true	# may be built in
	modprobe -q scsi_debug "$@" || skip "needs the module scsi_debug"
	wait_for 30 has_scsi_disk
	dir=(/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*:*/block/*)
	DISK=/dev/${dir##*/}
}

has_scsi_disk() {
	[ -e /sys/bus/pseudo/drivers/scsi_debug/adapter0 ] &&
		compgen -G '/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*:*/block/*' >/dev/null
}

# slice FILE START: puts FILE of $T on the disk, from sector START on; the slice stands for it in tables
slice() {
	local name=cct-slice-${1//[^a-z0-9]/-} size

	size=$((($(stat -c %s "$T/$1") + 4095) >> 12 << 3))	# in whole blocks of 4 KiB
	dmsetup create "$name" --table "0 $size linear $DISK $2"
	dd if="$T/$1" of="/dev/mapper/$name" bs=1M conv=fsync status=none
	LOOP[$1]=/dev/mapper/$name
}

# From 6.17 on such a device has one more limit. If it does not suit another one of the target's, no table
# can be loaded.
it "a chain on a disk that frees space when it writes zeroes" unmap_zeroes
unmap_zeroes() {
	use abcd
	scsi_disk dev_size_mb=64 lbpu=1 lbpws=1 lbprz=1
	slice a.raw 0
	slice b.qcow2 32768
	slice c.qcow2 40960
	slice d.qcow2 81920
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:0:1M:1 zero:64k:100k zero:512:512 discard:2M:1M zeros:2M:1M verify
	remove cct
	dd if="${LOOP[d.qcow2]}" of="$T/d.qcow2" bs=1M conv=notrunc status=none
	keep check d.qcow2
	keep compare d.qcow2 model.raw
	remove cct-slice-a-raw cct-slice-b-qcow2 cct-slice-c-qcow2 cct-slice-d-qcow2
	modprobe -r scsi_debug		# nothing uses it any more
}

SCSI_DEBUG_IS_THERE=
[ ! -d /sys/bus/pseudo/drivers/scsi_debug ] || SCSI_DEBUG_IS_THERE=yes
rc=0
run_cases || rc=$?
# also after a case that failed
[ -n "$SCSI_DEBUG_IS_THERE" ] || modprobe -q -r scsi_debug || true
[ "$rc" -eq 0 ]
