#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Queue limits: those of the devices below are stacked, changed by the target, and validated by the kernel
# when a table is loaded. And what devices can do that loop devices cannot: FUA, zones, reservations.
# Seconds: 60
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# scsi_disk PARAMETER... : sets DISK to a disk of scsi_debug's, or skips the case
scsi_disk() {
	local disks

	[ -z "$SCSI_DEBUG_IS_THERE" ] || skip "scsi_debug is loaded already, and not by this test"
	[ ! -d /sys/module/scsi_debug ] || modprobe -r scsi_debug	# of a case that failed
	modprobe -q sd_mod || true	# may be built in
	modprobe -q scsi_debug "$@" || skip "needs the module scsi_debug"
	wait_for 30 has_scsi_disk
	disks=(/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*:*/block/*)
	DISK=/dev/${disks[0]##*/}
}

has_scsi_disk() {
	[ -e /sys/bus/pseudo/drivers/scsi_debug/adapter0 ] &&
		compgen -G '/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*:*/block/*' >/dev/null
}

# null_disk NAME ATTRIBUTE=VALUE... : sets DISK to a null_blk device with memory behind it, or skips the case
null_disk() {
	local dir=/sys/kernel/config/nullb/$1 word

	if [ ! -d /sys/module/null_blk ]; then
		modprobe -q null_blk nr_devices=0 || skip "needs the module null_blk"
	fi
	modprobe -q configfs || true	# may be built in
	[ -d /sys/kernel/config/nullb ] || mount -t configfs none /sys/kernel/config
	mkdir "$dir"
	for word in memory_backed=1 "${@:2}"; do
		echo "${word#*=}" >"$dir/${word%%=*}"
	done
	echo 1 >"$dir/power"
	DISK=/dev/$1
	[ -b "$DISK" ] || DISK=/dev/nullb$(<"$dir/index")
}

# Removes what null_disk has made, and what uses it.
drop_disks() {
	local dir

	remove_devices
	[ ! -d $FUA_TRACE ] || rmdir $FUA_TRACE
	for dir in /sys/kernel/config/nullb/cct*; do
		[ ! -d "$dir" ] || { echo 0 >"$dir/power"; rmdir "$dir"; }
	done
	[ -n "$SCSI_DEBUG_IS_THERE" ] || [ ! -d /sys/module/scsi_debug ] || modprobe -r scsi_debug
}

# slice FILE START: puts FILE of $T on the disk, from sector START on; the slice stands for it in tables
slice() {
	local name=cct-slice-${1//[^a-z0-9]/-} size

	size=$((($(stat -c %s "$T/$1") + 4095) >> 12 << 3))	# in whole blocks of 4 KiB
	dmsetup create "$name" --table "0 $size linear $DISK $2"
	dd if="$T/$1" of="/dev/mapper/$name" bs=1M conv=fsync status=none
	LOOP[$1]=/dev/mapper/$name
}

# back FILE: copies it from the slice into the file
back() { dd if="${LOOP[$1]}" of="$T/$1" bs=1M conv=notrunc status=none; }

# limit DEVICE NAME: prints a queue limit
limit() {
	local major minor

	read -r major minor < <(stat -L -c '%t %T' "$1")
	cat "/sys/dev/block/$((16#$major)):$((16#$minor))/queue/$2"
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
	back d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
	drop_disks
}

# The base has large blocks and an odd optimal size; neither concerns writes.
it "the limits are those of the device that is written" of_the_top
of_the_top() {
	use abcd
	scsi_disk dev_size_mb=64 opt_blks=768 physblk_exp=5
	slice a.raw 0
	attach ro:b.qcow2 ro:c.qcow2 d.qcow2
	eq "$(limit "${LOOP[a.raw]}" optimal_io_size)" 393216 "optimal size of the base"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	eq "$(limit "$DEV" logical_block_size)" 512 "logical block"
	eq "$(limit "$DEV" physical_block_size)" 4096 "physical block"
	eq "$(limit "$DEV" minimum_io_size)" 4096 "minimum size"
	eq "$(limit "$DEV" optimal_io_size)" 131072 "optimal size"
	io random:30:1 zero:64k:100k discard:2M:1M verify
	retire cct d.qcow2
	drop_disks
}

it "discards are as large as the top's device wants them, up to a cluster" discards
discards() {
	local blocks

	use abcd
	for blocks in 128 512; do
		scsi_disk dev_size_mb=64 lbpu=1 "unmap_granularity=$blocks" unmap_alignment=0
		slice d.qcow2 0
		mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
		eq "$(limit "$DEV" discard_granularity)" $((blocks < 256 ? blocks * 512 : 131072)) "granularity"
		remove cct
		layers a.raw b.qcow2 c.qcow2 d.qcow2
		TABLE="0 $SECTORS cowchain 1 no_discard_passdown ${TABLE#* cowchain 0 }"
		create cct
		eq "$(limit "$DEV" discard_granularity)" 4096 "granularity without passdown"
		drop_disks
		unset "LOOP[d.qcow2]"
	done
}

# An image whose file is not a multiple of 4 KiB, as QEMU leaves them, cannot be read to its last sector.
it "a base with blocks of 4 KiB, and a top whose device ends inside of one" big_blocks
big_blocks() {
	use abcd
	null_disk cct0 blocksize=4096 size=32
	dd if=a.raw of="$DISK" bs=1M conv=fsync status=none
	LOOP[a.raw]=$DISK
	truncate -s +512 d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	eq "$(limit "$DEV" logical_block_size)" 4096 "logical block"
	eq "$(limit "$DISK" write_zeroes_max_bytes)" 0 "write zeroes of the base"
	[ "$(limit "$DEV" write_zeroes_max_bytes)" -gt 0 ] || fail "no write zeroes, as the base"
	cowio -u 4k -m model.raw "$DEV" write:64k:12k:1 discard:2M:1M zero:5M:64k verify
	msg cct stream
	job_done cct
	cowio -u 4k -m model.raw "$DEV" verify
	remove cct
	drop_disks
	truncate -s -512 d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "a zoned device as the base; as the top it is refused" zoned
zoned() {
	use abcd
	null_disk cct0 zoned=1 zone_size=4 size=16
	dd if=a.raw of="$DISK" bs=1M oflag=direct status=none
	LOOP[a.raw]=$DISK
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:30:1 verify
	msg cct stream
	job_done cct
	io verify
	retire cct d.qcow2
	null_disk cct1 zoned=1 zone_size=4 size=64
	dd if=d.qcow2 of="$DISK" bs=1M oflag=direct conv=sync status=none
	attach ro:b.qcow2
	LOOP[d.qcow2]=$DISK
	layers b.qcow2 d.qcow2
	refuse_create EINVAL '|device-mapper: table: .*'
	drop_disks
}

it "a top on a disk with a cache, discards, and nothing for zeroes" cached
cached() {
	use abcd
	null_disk cct0 size=64 cache_size=8 discard=1
	slice d.qcow2 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:40:1 zero:64k:100k discard:2M:1M zeros:2M:1M flush verify
	remove cct
	back d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
	drop_disks
}

# ---- FUA ----

FUA_TRACE=/sys/kernel/tracing/instances/cct-fua

# From here on, what the disk gets with FUA is recorded.
trace_fua() {
	grep -q tracefs /proc/mounts || mount -t tracefs none "${FUA_TRACE%/instances/*}"
	[ -d "${FUA_TRACE%/instances/*}/events/block/block_rq_issue" ] || skip "needs a kernel with tracepoints"
	mkdir $FUA_TRACE
	echo 'rwbs ~ "W*F*"' >$FUA_TRACE/events/block/block_rq_issue/filter
	echo 1 >$FUA_TRACE/events/block/block_rq_issue/enable
}

# fua_writes: sets FUA_WRITES to how many that were since the last call
fua_writes() {
	FUA_WRITES=$(grep -c ": $(<"/sys/block/${DISK#/dev/}/dev" tr : ,) W" $FUA_TRACE/trace) || true
	echo >$FUA_TRACE/trace
}

# fua_alone OP...: writes, with FUA but without the flush that Linux sends behind it. That flush comes to a device
# above the chain, where it does not end before let_flush. Waits for the writes.
fua_alone() {
	local written

	written=$(dm_stat cct 4)
	dmsetup create cct-held --table "0 $SECTORS delay $DEV 0 0 $DEV 0 0 $DEV 0 100000"
	cowio -m "$T/model.raw" /dev/mapper/cct-held "$@" &
	FUA=$!
	wait_for 60 begun cct $((written + $#))
	wait_for 60 in_flight cct 0
}

let_flush() {
	dmsetup load cct-held --table "0 $SECTORS linear $DEV 0"
	dmsetup suspend --noflush --nolockfs cct-held
	dmsetup resume cct-held
	wait "$FUA" || fail "the FUA write failed"
	remove cct-held
}

# begun NAME NUMBER: so many writes to it have begun
begun() { [ "$(dm_stat "$1" 4)" -ge "$2" ] || [ "$(dm_stat "$1" 8)" -gt 0 ]; }

in_flight() { [ "$(dm_stat "$1" 8)" -eq "$2" ]; }

# A bit of the data that FUA acknowledges waits for a sync. If the device got the FUA, the data would be
# durable, and the bit that makes it visible would not. Only a disk gets it.
it "FUA is left to a disk that can do it only if no bit waits" fua
fua() {
	local i size

	need_target delay
	use abcd
	scsi_disk dev_size_mb=64
	size=$(stat -c %s d.qcow2)
	dd if=d.qcow2 of="$DISK" bs=1M conv=fsync status=none
	LOOP[d.qcow2]=$DISK
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	eq "$(limit "$DISK" fua)" 1 "FUA of the disk"
	trace_fua
	# If the machine stands still for a second, the bit does not wait any more: then once more.
	for i in {1..10}; do
		fua_alone "write:$((i * 4))k:4k:1" "fua:$((i * 4))k:4k:2"
		let_flush
		fua_writes
		[ "$FUA_WRITES" -gt 0 ] || break
	done
	eq "$FUA_WRITES" 0 "FUA writes while a bit waits"
	io flush
	fua_alone fua:4k:4k:3
	let_flush
	fua_writes
	eq "$FUA_WRITES" 1 "FUA writes while none does"
	io verify
	remove cct
	back d.qcow2
	truncate -s "$size" d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
	drop_disks
}

# ---- reservations ----

# register DEVICE: IOC_PR_REGISTER of linux/pr.h, with a key
register() {
	perl -e 'my $keys = pack("Q2L2", 0, 1, 0, 0);
		open(my $f, "+<", $ARGV[0]) or die "$ARGV[0]: $!\n";
		ioctl($f, 0x401870c8, $keys) or die "register: $!\n";' "$1"
}

commands() { echo $(($(<"/sys/block/${DISK#/dev/}/device/iorequest_cnt"))); }

it "a persistent reservation does not reach the base" reservation
reservation() {
	local n

	need perl
	use abcd
	scsi_disk dev_size_mb=64
	dd if=a.raw of="$DISK" bs=1M conv=fsync status=none
	LOOP[a.raw]=$DISK
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	n=$(commands)
	! register "$DISK" || note "scsi_debug has learnt reservations"
	[ "$(commands)" -gt "$n" ] || fail "the disk's commands are not counted"
	n=$(commands)
	! register "$DEV" || fail "a loop device has taken a reservation"
	eq "$(commands)" "$n" "commands to the base"
	remove cct
	drop_disks
}

# ---- NVMe ----

it "a top on an NVMe namespace" nvme
nvme() {
	local dir=/sys/kernel/config/nvmet dev

	# Debian's 6.1 has none
	if ! modprobe -q nvme-loop; then
		note "no nvme-loop in $(uname -r)"
		return 0
	fi
	use abcd
	[ -d $dir ] || mount -t configfs none /sys/kernel/config
	attach d.qcow2
	mkdir -p $dir/subsystems/cct/namespaces/1 $dir/ports/1
	echo 1 >$dir/subsystems/cct/attr_allow_any_host
	echo "${LOOP[d.qcow2]}" >$dir/subsystems/cct/namespaces/1/device_path
	echo 1 >$dir/subsystems/cct/namespaces/1/enable
	echo loop >$dir/ports/1/addr_trtype
	ln -s $dir/subsystems/cct $dir/ports/1/subsystems/cct
	echo "transport=loop,nqn=cct" >/dev/nvme-fabrics
	wait_for 30 compgen -G '/dev/nvme*n1' >/dev/null
	dev=$(compgen -G '/dev/nvme*n1')
	LOOP[d.qcow2]=$dev
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:30:1 zero:64k:100k discard:2M:1M zeros:2M:1M fua:9M:4k:2 verify
	msg cct stream
	job_done cct
	io verify
	remove cct
	echo 1 >"/sys/class/nvme/${dev:5:-2}/delete_controller"
	rm $dir/ports/1/subsystems/cct
	rmdir $dir/subsystems/cct/namespaces/1 $dir/subsystems/cct $dir/ports/1
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

SCSI_DEBUG_IS_THERE=
[ ! -d /sys/bus/pseudo/drivers/scsi_debug ] || SCSI_DEBUG_IS_THERE=yes
rc=0
run_cases || rc=$?
# also after a case that failed
drop_disks 2>/dev/null || true
[ "$rc" -eq 0 ]
