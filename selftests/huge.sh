#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Huge: a disk of 130 GiB, beyond what is validated on activation and what the top map keeps loaded.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

MIB_PER_BLOCK=32	# of the guest, in one block of the top map
BLOCKS=4160
SECTORS=$((BLOCKS * MIB_PER_BLOCK * 2048))

huge() {
	use tops base.raw huge.qcow2
	cp base.raw model.raw
	truncate -s $((SECTORS * 512)) model.raw
	mkchain cct base.raw huge.qcow2
}

# each_block OP WORDS : one OP of 4 KiB in each block of the map, each at another place in it
each_block() {
	local i ops=()

	for ((i = 0; i < BLOCKS; i++)); do
		ops+=("$1:$((i * MIB_PER_BLOCK * 1024 + i % 97 * 132))k:4k${2:+:$2}")
	done
	io "${ops[@]}"
}

it "what activation leaves out is counted in the background" count
count() {
	huge
	wait_counted cct
	eq "$S_ALLOC" 0 "subclusters allocated"
	each_block write 1
	status cct
	eq "$S_ALLOC" $BLOCKS "subclusters allocated"
	remove cct
	create cct
	wait_counted cct
	eq "$S_ALLOC" $BLOCKS "subclusters allocated, attached again"
	eq "$S_MODE" rw mode
}

it "blocks of the top map are dropped, and loaded again" evict
evict() {
	huge
	each_block write 1
	each_block read
	each_block write 2
	io flush
	each_block read
	remove cct
	create cct
	each_block read
	eq "$(qcow2poke huge.qcow2 l2 $((MIB_PER_BLOCK * 8 * (BLOCKS - 1))) | wc -w)" 2 "an entry"
	remove cct
}

it "a snapshot of it, and a stream" snapshot
snapshot() {
	huge
	each_block write 1
	cp "$FIXTURES/tops/huge.qcow2" top.qcow2
	qcow2poke top.qcow2 backing huge.qcow2 qcow2
	attach top.qcow2
	msg cct snapshot qcow2 "${LOOP[top.qcow2]}" -
	io write:1G:4k:2
	msg cct base 0
	msg cct stream
	job_done cct
	eq "$S_LAYERS" 2 layers
	each_block read
	status cct
	remove cct
}

it "an unprepared cluster that is found late makes it read-only" unprepared
unprepared() {
	use tops base.raw huge.qcow2
	qcow2poke huge.qcow2 l2 $((MIB_PER_BLOCK * 8 * (BLOCKS - 1))) 0 0
	mark late
	mkchain cct base.raw huge.qcow2
	wait_for 60 in_mode ro
	logged "cowchain: .*not prepared"
	cowio "$DEV" EIO!write:0:4k:1 read:0:1M
	remove cct
}

in_mode() {
	status cct
	[ "$S_MODE" = "$1" ]
}

run_cases
