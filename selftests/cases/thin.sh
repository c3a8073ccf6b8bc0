#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# External data files on devices without WRITE ZEROES, thin volumes above all: where zeros are written, what space
# that takes, and when the data file is the raw disk.
# Seconds: 30
# Quick: stream_empty|behind|trash_below
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/no-space.sh
. "$HERE/lib/no-space.sh"

# image BACKING FORMAT: an empty prepared image, and an empty data file for it
image() {
	use spare ext.qcow2
	qcow2poke ext.qcow2 backing "$@" -- ext 0x44415441 d.data
	truncate -s $((SECTORS * 512)) d.data
}

# alone_thin: a disk of 16 MiB without layers below, its data file on a thin volume of a pool of 4 MiB
alone_thin() {
	image -
	zeroing_pool 4 error_if_no_space
	thin d.data 0
	mkchain cct ext.qcow2,d.data
}

# mapped [ID]: prints how many sectors the thin volume takes
mapped() {
	local words

	read -r -a words < <(dmsetup status "cct-thin${1:-0}")
	echo "${words[3]}"
}

# emptier SECTORS
emptier() { [ "$(mapped)" -lt "$1" ]; }

# is_raw_disk: the data file is what the device reads like. Reading takes no space.
is_raw_disk() {
	dd if="${LOOP[d.data]}" of=copy.raw bs=1M iflag=direct conv=sparse status=none
	truncate -s $((SECTORS * 512)) copy.raw
	cowio -m copy.raw "$DEV" verify || fail "the data file is not the disk"
	rm copy.raw
}

# retire_thin TOP: removes the device; qemu-img will read the data file
retire_thin() {
	remove cct
	from_thin d.data
	keep check "$1"
	keep compare "$1" model.raw
}

it "discards and zeros take no space of a thin volume, a file system less when it is trimmed" file_system
file_system() {
	local before

	need mkfs.ext4 fstrim
	modprobe -q ext4 || true
	alone_thin
	cowio "$DEV" discard:0:16M flush zeros:0:16M
	blkdiscard "$DEV"
	eq "$(mapped)" 0 "sectors of an empty disk"
	mkfs.ext4 -q -F -b 4096 -m 0 -O ^has_journal "$DEV"
	mkdir mnt
	mount -o noinit_itable "$DEV" mnt
	head -c 2M /dev/zero | tr '\0' F >mnt/file
	sync -f mnt
	before=$(mapped)
	[ "$before" -ge 4096 ] || fail "the file takes $before sectors"
	rm mnt/file
	sync -f mnt
	fstrim mnt
	umount mnt
	emptier $((before - 3072)) || fail "$before sectors before fstrim, $(mapped) after"
	is_raw_disk
	remove cct
	keep check ext.qcow2
}

it "a discard frees what was written, zeros as well" zeroed_data
zeroed_data() {
	alone_thin
	truncate -s 16M model.raw
	# zeros are data here: a top without WRITE ZEROES makes a device without
	io write:1M:2M:1 zero:1M:1M flush verify
	eq "$(mapped)" 4096 "sectors of what was written"
	is_raw_disk
	# a part of a block stays
	io discard:1M:20k discard:2M:1M verify
	eq "$(mapped)" 2048 "sectors of what is left"
	is_raw_disk
	io write:5M:512:2 discard:0:16M discard:0:16M verify
	eq "$(mapped)" 0 "sectors of a disk that was discarded"
	is_raw_disk
	retire_thin ext.qcow2
}

it "a stream of an empty disk takes no space" stream_empty
stream_empty() {
	image hole.raw raw
	truncate -s 16M hole.raw model.raw
	zeroing_pool 4 error_if_no_space
	thin d.data 0
	mkchain cct hole.raw ext.qcow2,d.data
	# also where there was something before
	io write:3M:1M:1 write:8M:70k:2 flush discard:3M:1M flush
	msg cct stream
	job_done cct
	io verify
	emptier 2560 || fail "$(mapped) sectors of a disk with 70 KiB"
	is_raw_disk
	# and once more
	msg cct stream
	job_done cct
	emptier 2560 || fail "$(mapped) sectors after another stream"
	is_raw_disk
	retire_thin ext.qcow2
}

it "with layers below, zero bits are enough, until a stream makes the data file the raw disk" trash_below
# The thin volume is full of what was there before, and the pool has a MiB more.
trash_below() {
	local before

	use ext
	zeroing_pool 17 error_if_no_space
	thin d.data 0
	eq "$(mapped)" $SECTORS "sectors in the beginning"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	io write:8M:4M:1 flush discard:8M:4M write:14M:512:4 flush verify
	# given back when the bits are durable
	wait_for 60 emptier $((SECTORS - 8192 + 256))
	before=$(mapped)
	io write:9M:64k:2 discard:0:16M flush verify write:2M:1M:3 flush
	msg cct stream
	job_done cct
	io verify
	emptier 4096 || fail "$(mapped) sectors for 1 MiB"
	is_raw_disk
	retire_thin d.qcow2
}

it "a stream zeroes what zero bits hide, also what was zeroed behind its cursor" behind
behind() {
	use ext
	need_target delay
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2 d.data
	over d.data "0 $(sectors d.data) linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	# the guest has WRITE ZEROES, dm-delay has not
	change d.data "0 $(sectors d.data) delay @ 0 0"
	# without unmap, so that nothing is given back
	io write:0:4M:1 zero:0:1M flush
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	msg cct base none
	msg cct stream speed 400000
	wait_for 60 past 4194304
	io zero:1M:1M zero:3M:100k discard:2M:512k write:2M:4k:2
	msg cct job-set-speed 0
	job_done cct
	io zero:3M:200k discard:2560k:256k verify
	is_raw_disk
	retire cct d.qcow2
}

# past BYTES: has the cursor of the stream come so far?
past() {
	status cct
	[ "$S_OFF" -ge "$1" ]
}

# writes: prints the writes, discards and sectors written of a device, as one word
writes() { echo "$(dm_stat "$1" 4)/$(dm_stat "$1" 6)/$(dm_stat "$1" 11)"; }

it "what is zero is not written again, also where a discard leaves no zeros" garbage
# A thin volume with an origin outside of the pool: what is discarded reads as that.
garbage() {
	local before

	image -
	zeroing_pool 24
	trash origin.raw $((16 << 20))
	attach origin.raw
	dmsetup message cct-pool 0 "create_thin 0"
	dmsetup create cct-thin0 --table "0 $SECTORS thin /dev/mapper/cct-pool 0 ${LOOP[origin.raw]}"
	LOOP[d.data]=/dev/mapper/cct-thin0
	truncate -s 16M model.raw
	mkchain cct ext.qcow2,d.data
	io write:0:2M:1 discard:1M:8M flush verify
	io discard:9M:1M flush verify
	before=$(writes cct-thin0)
	io discard:1M:8M discard:9M:512k
	eq "$(writes cct-thin0)" "$before" "writes, their sectors and discards of what is zero"
	# what was not written yet is not zero: a stream changes that
	msg cct stream
	job_done cct
	is_raw_disk
	io discard:0:512k write:0:16k:3 verify
	is_raw_disk
	retire_thin ext.qcow2
}

it "the tool: a disk of 256 MiB on a thin volume of a pool of 64 MiB" tool_thin_disk
tool_thin_disk() {
	local before id

	need cowchain qemu-img mkfs.ext4 fstrim
	modprobe -q ext4 || true
	zeroing_pool 64 error_if_no_space
	truncate -s 256M base.raw
	mkdir mnt
	for id in 0 1; do
		dmsetup message cct-pool 0 "create_thin $id"
		dmsetup create "cct-thin$id" --table "0 524288 thin /dev/mapper/cct-pool $id"
	done
	cowchain create alone.qcow2 --size 256M --data-file /dev/mapper/cct-thin0
	cowchain attach cct alone.qcow2 --allow-dir /dev/mapper
	DEV=/dev/mapper/cct
	blkdiscard "$DEV"
	eq "$(mapped)" 0 "sectors of an empty disk"
	mkfs.ext4 -q -F "$DEV"
	mount -o noinit_itable "$DEV" mnt
	head -c 24M /dev/zero | tr '\0' F >mnt/file
	sync -f mnt
	before=$(mapped)
	rm mnt/file
	# so that all of it is free
	umount mnt
	mount -o noinit_itable "$DEV" mnt
	fstrim mnt
	umount mnt
	emptier $((before - 47000)) || fail "$before sectors before fstrim, $(mapped) after"
	cowchain detach cct
	cowchain create above.qcow2 --backing base.raw -F raw --data-file /dev/mapper/cct-thin1
	# QEMU has written to it
	before=$(mapped 1)
	cowchain attach cct above.qcow2 --allow-dir /dev/mapper
	blkdiscard "$DEV"
	cowchain stream cct --wait --quiet
	eq "$(mapped 1)" "$before" "sectors of an empty disk that was streamed"
	cowchain detach cct
}

run_cases
