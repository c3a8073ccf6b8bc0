#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The device of the top is slow (dm-delay): which I/O to it waits for which.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"

PIDS=()

# external: a chain whose data file can be changed
external() {
	use ext
	external_loops
}

external_loops() {
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2 d.data
	watched d.data
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
}

# watched FILE: puts two devices over it, one that can be changed, and one that counts what is in flight, since
# dm-delay does not count what it delays
watched() {
	need_target delay
	over "$1" "0 $(sectors "$1") linear @ 0"
	dmsetup create "cct-seen-${1//./-}" --table "0 $(sectors "$1") linear ${LOOP[$1]} 0"
	LOOP[$1]=/dev/mapper/cct-seen-${1//./-}
}

# reached FILE N: have at least so many I/Os reached its device, and not ended?
reached() { [ "$(dm_stat "cct-seen-${1//./-}" 8)" -ge "$2" ]; }

# start OP...: does I/O in the background
start() {
	cowio -m "$T/model.raw" "$DEV" "$@" &
	PIDS+=($!)
}

# all_end: waits for what start has started
all_end() {
	local pid

	for pid in "${PIDS[@]}"; do
		wait "$pid" || fail "I/O went wrong"
	done
	PIDS=()
}

it "writes that waited for a fill do not wait for each other" convoy
# A part of a subcluster is filled, and eight rewrites in the same cluster wait for that. When the first
# write of the fill is done, all of them reach the device. (In an external data file rewrites take cells.)
convoy() {
	local i

	external
	io write:1M:64k:1 flush
	slow d.data
	start write:1091k:512:2
	wait_for 60 reached d.data 1
	for i in 0 1 2 3 4 5 6 7; do
		start "write:$((1024 + i * 4))k:4k:3"
	done
	wait_for 60 waiting 9
	reached d.data 2 && fail "the rewrites do not wait for the fill"
	slow d.data
	wait_for 60 reached d.data 8
	repair d.data
	all_end
	io verify
	retire cct d.qcow2
}

run_cases
