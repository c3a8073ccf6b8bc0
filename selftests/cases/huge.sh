#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A disk of 130 GiB, of which activation validates only a part, and a top map that is not kept completely.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

MIB_PER_BLOCK=32	# of the guest's disk, in one block of the top map
BLOCKS=4160
SECTORS=$((BLOCKS * MIB_PER_BLOCK * 2048))

huge() {
	use tops base.raw huge.qcow2
	cp base.raw model.raw
	truncate -s $((SECTORS * 512)) model.raw
	mkchain cct base.raw huge.qcow2
}

# some_blocks FIRST END OP [SEED]: prints one OP of 4 KiB in each of these blocks of the map
some_blocks() {
	local i ops=()

	for ((i = $1; i < $2; i++)); do
		ops+=("$3:$((i * MIB_PER_BLOCK * 1024 + i % 97 * 132))k:4k${4:+:$4}")
	done
	io "${ops[@]}"
}

it "what activation leaves out is counted in the background" count
count() {
	huge
	wait_counted cct
	eq "$S_ALLOC" 0 "subclusters allocated"
	some_blocks $((BLOCKS - 20)) $BLOCKS write 1
	status cct
	eq "$S_ALLOC" 20 "subclusters allocated"
	remove cct
	create cct
	wait_counted cct
	eq "$S_ALLOC" 20 "subclusters allocated, attached again"
	eq "$S_MODE" rw mode
	remove cct
}

it "blocks of the top map are dropped, and loaded again" evict
evict() {
	local limit=/sys/module/dm_cowchain/parameters/top_blocks

	eq "$(<$limit)" 4096 "blocks that are kept"
	echo 64 >$limit
	huge
	some_blocks 0 100 write 1
	some_blocks 100 300 read
	some_blocks 0 100 read
	some_blocks 0 100 write 2
	io flush
	some_blocks 0 100 read
	remove cct
	create cct
	some_blocks 0 100 read
	remove cct
	echo 4096 >$limit
}

it "an unprepared cluster that is found late makes it read-only" unprepared
unprepared() {
	use tops base.raw huge.qcow2
	qcow2poke huge.qcow2 l2 $((MIB_PER_BLOCK * 8 * (BLOCKS - 1))) 0 0
	mark late
	mkchain cct base.raw huge.qcow2
	wait_for 60 in_mode cct ro
	logged "cowchain: .*not prepared"
	cowio "$DEV" EIO!write:0:4k:1 read:0:1M
	remove cct
}

run_cases
