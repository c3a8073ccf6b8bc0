#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is reserved for when there is no memory, and what the maps may take.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/injector.sh
. "$HERE/lib/injector.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"

TOP_BLOCKS=/sys/module/dm_cowchain/parameters/top_blocks

# Only on kernels with checkers.
! has_failslab || it "writes of parts of subclusters end without a page to allocate" fills

# Each page of the reserve is in a fill that waits for the cell, and what holds the cell must need none.
fills() {
	local rc=0

	need fio
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	# every second subcluster of a cluster reads as zeros, the others are unallocated; all of it is looked up
	io zero:5248k:4k zero:5256k:4k zero:5264k:4k zero:5272k:4k zero:5280k:4k zero:5288k:4k zero:5296k:4k \
		zero:5304k:4k zero:5312k:4k zero:5320k:4k zero:5328k:4k zero:5336k:4k zero:5344k:4k verify
	no_pages
	timeout 60 fio --name=parts --filename="$DEV" --offset=5248k --size=128k --bs=512 --rw=randwrite \
		--direct=1 --ioengine=libaio --iodepth=128 >out 2>&1 || rc=$?
	some_pages
	eq $rc 0 "status of fio, with 124 after a minute; it says $(<out)"
	remove cct
	keep check d.qcow2
}

# Writes to the device below the top that have ended.
written() {
	local stat

	read -r -a stat <"/sys/block/${UNDER[large-top.qcow2]#/dev/}/stat"
	echo "${stat[4]}"
}

# Has the map as many blocks as it may, or has everything been written?
map_full() { [ "$(written)" -ge $((before + 32)) ] || [ ! -e "/proc/$pid" ]; }

# Without a commit no block can be evicted. The first write to each block loads it; 16 blocks may be loaded,
# and twice as many if they are dirty.
it "writes wait for a commit before the map of the top grows too large" dirty_blocks
dirty_blocks() {
	local i pid before ops=() was

	need_target delay
	was=$(<$TOP_BLOCKS)
	echo 16 >$TOP_BLOCKS
	SECTORS=$((2500 << 11))
	use tops large.raw large.qcow2 large-top.qcow2
	truncate -s 2500M model.raw
	attach ro:large.raw ro:large.qcow2 large-top.qcow2
	over large-top.qcow2 "0 $(sectors large-top.qcow2) linear @ 0"
	mkchain cct large.raw large.qcow2 large-top.qcow2
	wait_counted cct
	# flushes wait, and so does each commit
	change large-top.qcow2 "0 $(sectors large-top.qcow2) delay @ 0 0 @ 0 0 @ 0 100000"
	for ((i = 0; i < 78; i++)); do
		ops+=("write:$((i * 32 + 5))M:4k:$i")
	done
	before=$(written)
	io "${ops[@]}" &
	pid=$!
	wait_for 60 map_full
	# The blocks that are loaded can be used. This takes longer than the write of another block would.
	timeout 80 cowio -m model.raw "$DEV" "${ops[@]:0:20}" || fail "rewrites wait for a commit"
	echo "$was" >$TOP_BLOCKS
	eq "$(written)" $((before + 52)) "writes that have ended"
	repair large-top.qcow2
	wait "$pid" || fail "a write has failed"
	io "${ops[@]/write/read}"
	remove cct
	keep check large-top.qcow2
}

run_cases
