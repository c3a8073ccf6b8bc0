#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A disk of 130 GiB, of which activation validates only a part, and a top map that is not kept completely.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"

MIB_PER_BLOCK=32	# of the guest's disk, in one block of the top map
BLOCKS=4160
SECTORS=$((BLOCKS * MIB_PER_BLOCK * 2048))

huge_files() {
	use tops base.raw huge.qcow2
	cp base.raw model.raw
	truncate -s $((SECTORS * 512)) model.raw
}

huge() {
	huge_files
	mkchain cct base.raw huge.qcow2
}

# huge_over [TABLE-LINE...]: the same, with the top on a device that can be changed, and has such a table
huge_over() {
	huge_files
	attach ro:base.raw huge.qcow2
	over huge.qcow2 "0 $(sectors huge.qcow2) linear @ 0"
	[ $# -eq 0 ] || under huge.qcow2 "$@"
	mkchain cct base.raw huge.qcow2
}

# table_lines N TARGET: prints lines of a table where TARGET is below the N-th GiB's table of the top
table_lines() {
	local at end all

	at=$((($(qcow2poke huge.qcow2 l1 "$1") & 0x00fffffffffffe00) / 512))
	end=$((at + 256))
	all=$(sectors huge.qcow2)
	printf '%s\n' "0 $at linear @ 0" "$at 256 ${2//%/$at}" "$end $((all - end)) linear @ $end"
}

# in_flight N: are so many I/Os of the top's device in flight?
in_flight() { [ "$(io_count huge.qcow2 flying)" -eq "$1" ]; }

# at BLOCK [KIB]: prints an offset in the block of the map
at() { echo "$(($1 * MIB_PER_BLOCK * 1024 + ${2:-0}))k"; }

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

it "a block with bits that are not on disk yet is not dropped" evict_dirty
# A commit that does not end keeps one block, and another one waits for the next commit.
evict_dirty() {
	local limit=/sys/module/dm_cowchain/parameters/top_blocks i ops=() lines

	# There dm-bufio waits for the last buffer that it writes with its lock held: no table can be read meanwhile.
	if [[ $(uname -r) == 6.1.* ]]; then
		note "a table that is being written delays all others on $(uname -r)"
		return 0
	fi
	need_target delay
	echo 16 >$limit
	huge_over
	wait_counted cct
	mapfile -t lines < <(table_lines 20 "delay @ % 0 @ % 100000 @ % 0")
	under huge.qcow2 "${lines[@]}"
	io "write:$(at 640):4k:1"
	wait_for 60 in_flight 1
	for ((i = 700; i < 760; i++)); do
		ops+=("read:$(at $i):4k")
	done
	timeout 80 cowio -m "$T/model.raw" "$DEV" "write:$(at 641):4k:2" "write:$(at 640 8):4k:3" "${ops[@]}" "${ops[@]}" \
		"read:$(at 641):4k" "read:$(at 640):12k"
	in_flight 1 || fail "the commit has ended"
	not_under huge.qcow2
	io flush "${ops[@]}" "read:$(at 641):4k" "read:$(at 640):12k"
	remove cct
	create cct
	io "read:$(at 641):4k" "read:$(at 640):12k"
	remove cct
	echo 4096 >$limit
}

it "tables of the top are read at the same time, and each once" cold_tables
cold_tables() {
	local i pid pids=()

	need_target delay
	huge_over
	wait_counted cct
	# this one is in memory
	io read:0:4k
	under huge.qcow2 "0 $(sectors huge.qcow2) delay @ 0 100000"
	for i in 0 1 2 3 4 5 6 7; do
		cowio -m "$T/model.raw" "$DEV" "read:$(at $((600 + i))):4k" &
		pids+=($!)
	done
	# others want the same, or want to write there
	for i in 0 1 2 3; do
		cowio "$DEV" "read:$(at 600 $((i * 4))):4k" &
		pids+=($!)
	done
	cowio "$DEV" "write:$(at 601 64):4k:1" &
	pids+=($!)
	wait_for 60 waiting 13
	in_flight 8 || fail "$(io_count huge.qcow2 flying) tables are being read"
	timeout 80 cowio -m "$T/model.raw" "$DEV" read:0:64k || fail "a block that is loaded waits for others"
	not_under huge.qcow2
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "I/O went wrong"
	done
	cowio -m "$T/model.raw" "$DEV" "write:$(at 601 64):4k:1" "read:$(at 600):64k" "read:$(at 601):128k"
	remove cct
}

it "the background count delays no I/O" slow_count
slow_count() {
	local lines

	need_target delay
	use tops huge.qcow2
	mapfile -t lines < <(table_lines 20 "delay @ % 100000 @ % 0 @ % 0")
	rm huge.qcow2
	huge_over "${lines[@]}"
	# the count comes to the slow table, and waits for it
	wait_for 60 in_flight 32
	# tables that it has read, and some that it has not
	timeout 80 cowio -m "$T/model.raw" "$DEV" read:0:4k "write:$(at 600):4k:1" "read:$(at 600):64k" \
		"write:$(at 700):4k:2" "write:$(at 4000):512:3" "read:$(at 4000):64k" "read:$(at 1000):4k" flush ||
		fail "the count delays what does not need it"
	in_flight 32 || fail "the count does not wait any more"
	not_under huge.qcow2
	wait_counted cct
	eq "$S_ALLOC" 3 "subclusters allocated"
	remove cct
	create cct
	wait_counted cct
	eq "$S_ALLOC" 3 "subclusters allocated, attached again"
	remove cct
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
