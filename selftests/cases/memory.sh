#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is reserved for when there is no memory, what the maps may take, and what a suspended device allocates.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/injector.sh
. "$HERE/lib/injector.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"

TOP_BLOCKS=/sys/module/dm_cowchain/parameters/top_blocks
TRACING=/sys/kernel/tracing

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

# What allocates by itself, under locks that somebody may hold who waits for I/O of a suspended device.
MAKERS=(dm_bufio_client_create dm_bufio_client_destroy kthread_create_on_node)

need_tracing() {
	grep -q tracefs /proc/mounts || mount -t tracefs none $TRACING
}

# trace_makers: from here on what this shell calls of these is recorded
trace_makers() {
	local f

	need_tracing
	[ -e $TRACING/kprobe_events ] || skip "needs kprobes"
	for f in "${MAKERS[@]}"; do
		echo "p:cct/$f $f" >>$TRACING/kprobe_events
	done
	echo "$BASHPID" >$TRACING/set_event_pid
	echo 1 >$TRACING/options/event-fork
	echo >$TRACING/trace
	echo 1 >$TRACING/events/cct/enable
}

# made: sets MADE to the functions that were called since then
made() {
	local line f

	MADE=
	while IFS= read -r line; do
		for f in "${MAKERS[@]}"; do
			[[ $line != *" $f: "* ]] || MADE+=${MADE:+ }$f
		done
	done <$TRACING/trace
	echo >$TRACING/trace
}

untrace() {
	echo 0 >$TRACING/events/cct/enable
	echo >$TRACING/kprobe_events
	echo >$TRACING/set_event_pid
}

it "a resume makes nothing for which it may have to wait for others' I/O" resume
resume() {
	local rc=0 first again l1

	use abcd
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	trace_makers
	create cct
	made
	[[ $MADE == *client_create* ]] || { untrace; fail "creating the device was not recorded: $MADE"; }
	dmsetup load cct --table "$TABLE"
	dmsetup suspend cct
	made
	dmsetup resume cct
	made
	first=$MADE
	dmsetup remove cct

	# one that fails, and can be repeated
	dmsetup create cct --notable
	dmsetup load cct --table "$TABLE"
	l1=$(qcow2poke d.qcow2 l1 0)
	qcow2poke d.qcow2 l1 0 0
	made
	dmsetup resume cct || rc=$?
	qcow2poke d.qcow2 l1 0 "$l1"
	dmsetup resume cct
	made
	again=$MADE
	untrace
	[ $rc -ne 0 ] || fail "the damaged image was accepted"
	# those of the old table are destroyed when the new one has been resumed
	[[ $first != *create* ]] || fail "called by the resume of another table: $first"
	eq "$again" "" "called by a resume that failed, and by the next"
	DEV=/dev/mapper/cct
	io verify random:20:1 verify
	retire cct d.qcow2
}

it "nobody waits for the memory in which the layers below are remembered" below_map
# It may be memory that only the end of the write gives back that has looked something up. Without NORETRY small
# allocations do not fail.
below_map() {
	local event=$TRACING/events/kmem/kmalloc line n=0 bad=

	need_tracing
	[ -e $event/filter ] || skip "needs the event kmem:kmalloc"
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	module_text
	echo "call_site >= 0x$TEXT_FIRST && call_site <= 0x$TEXT_LAST" >$event/filter
	echo >$TRACING/trace
	echo 1 >$event/enable
	io write:64k:512:1 verify
	echo 0 >$event/enable
	echo 0 >$event/filter
	while IFS= read -r line; do
		[[ $line == *" call_site=cc_below_add+"* ]] || continue
		n=$((n + 1))
		[[ $line == *__GFP_NORETRY* ]] || bad=$line
	done <$TRACING/trace
	echo >$TRACING/trace
	[ $n -gt 0 ] || fail "nothing was remembered"
	[ -z "$bad" ] || fail "this waits for memory: $bad"
	retire cct d.qcow2
}

it "a suspended device takes no messages that make something" messages
messages() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stream speed 65536
	dmsetup load cct --table "${TABLE/ 0 4 / 1 no_auto_resume 4 }"
	dmsetup suspend cct
	dmsetup resume cct
	in_state cct created || fail "the stream is $S_STATE"
	dmsetup suspend cct
	refuse_msg EAGAIN cct stream
	refuse_msg EAGAIN cct job-resume
	refuse_msg EAGAIN cct base "${LOOP[b.qcow2]}"
	msg cct base 1
	eq "$(dmsetup message cct 0 base)" 1 base
	msg cct base none
	dmsetup resume cct
	msg cct job-resume
	msg cct job-set-speed 0
	job_done cct
	chain_is cct d.qcow2
	io verify
	retire cct d.qcow2
}

run_cases
