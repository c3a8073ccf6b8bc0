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

# single: the chain of most tests, its top is watched
single() {
	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
	watched d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
}

# start OP...: does I/O in the background
start() {
	cowio -m "$T/model.raw" "$DEV" "$@" &
	PIDS+=($!)
}

# slow_writes FILE: writes and flushes end only when its device is changed again
slow_writes() { change "$1" "0 $(sectors "$1") delay @ 0 0 @ 0 100000"; }

# hold FILE NAME:START:SECTORS...: writes and flushes of each of these ranges, in the order of the disk, end only
# when it is released. Each has a device of its own: were one device changed from slow to slow again, then what
# comes after dm-delay has stopped to delay, and before dm has suspended it, would pass.
hold() {
	local file=$1 part range lines=() dev=${UNDER[$1]} n start=0

	shift
	for part in "$@"; do
		n=cct-held-${part%%:*} range=${part#*:}
		[ "${range%:*}" = "$start" ] || lines+=("$start $((${range%:*} - start)) linear @ $start")
		dmsetup create "$n" --table "0 ${range#*:} delay $dev ${range%:*} 0 $dev ${range%:*} 100000"
		lines+=("${range/:/ } linear /dev/mapper/$n 0")
		start=$((${range%:*} + ${range#*:}))
	done
	lines+=("$start $(($(sectors "$file") - start)) linear @ $start")
	change "$file" "${lines[@]}"
}

# release NAME: what hold has held there goes on
release() {
	dmsetup table "cct-held-$1" | sed 's/delay \([0-9:]*\) \([0-9]*\) .*/linear \1 \2/' | dmsetup load "cct-held-$1"
	dmsetup suspend --noflush --nolockfs "cct-held-$1"
	dmsetup resume "cct-held-$1"
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
	hold d.data rewrites:2048:64 fill:2176:8
	start write:1091k:512:2
	wait_for 60 reached d.data 1
	for i in 0 1 2 3 4 5 6 7; do
		start "write:$((1024 + i * 4))k:4k:3"
	done
	wait_for 60 waiting 9
	reached d.data 2 && fail "the rewrites do not wait for the fill"
	release fill
	wait_for 60 reached d.data 8
	release rewrites
	all_end
	io verify
	retire cct d.qcow2
}

it "zeroing an external data file delays writes to these subclusters only" held
held() {
	alone
	truncate -s 16M model.raw
	io write:0:16M:1 flush
	slow_writes d.data
	start zero:1M:64k
	wait_for 60 reached d.data 1
	cowio "$DEV" write:1040k:4k:2 &
	PIDS+=($!)
	wait_for 60 waiting 2
	# in the same cluster, and in another one
	start write:1088k:4k:3
	start write:1200k:4k:3
	wait_for 60 reached d.data 3
	waiting 4 || fail "a write in the range did not wait"
	! reached d.data 4 || fail "a write in the range was sent before the zeros were there"
	repair d.data
	all_end
	io write:1040k:4k:2 verify
	is_raw_disk
	retire cct ext.qcow2
}

it "write zeroes of a part shows nothing else of the data file" part_zero
# The part before, the part behind, and the zeros are written one after the other, over old garbage.
part_zero() {
	local step

	use ext
	tr '\0' X </dev/zero | dd of=d.data bs=64k count=1 iflag=fullblock conv=notrunc status=none
	external_loops
	hold d.data before:0:1 zeros:1:1 behind:2:6
	cowio "$DEV" zero:512:512 &
	PIDS+=($!)
	for step in before behind zeros; do
		wait_for 60 reached d.data 1
		io read:0:4k
		kill -0 "${PIDS[0]}" || fail "it has ended without the step: $step"
		release "$step"
	done
	all_end
	io zero:512:512 verify
	retire cct d.qcow2
}

# alone: an external data file without layers below, all of it written, so that it is the raw disk
alone() {
	use spare ext.qcow2
	qcow2poke ext.qcow2 backing - -- ext 0x44415441 d.data
	truncate -s $((SECTORS * 512)) d.data
	attach ext.qcow2 d.data
	watched d.data
	mkchain cct ext.qcow2,d.data
	cowio "$DEV" write:0:16M:1 flush
}

# is_raw_disk: the data file is what the device reads like
is_raw_disk() { cowio -m d.data "$DEV" verify || fail "the data file is not the disk"; }

it "the data file is the raw disk, also if it cannot be zeroed" zero_fails
zero_fails() {
	need_target flakey
	alone
	change d.data "0 $(sectors d.data) flakey @ 0 0 1000 1 error_writes"
	cowio "$DEV" EIO!zero:64k:64k EIO!discard:1M:128k EIO!zero:2M:512
	repair d.data
	is_raw_disk
	cowio "$DEV" zero:64k:64k discard:1M:128k zero:2M:512 flush zeros:1M:128k zeros:64k:64k
	is_raw_disk
	remove cct
	keep check ext.qcow2
}

it "the data file is the raw disk, also if its device knows no discards" no_discards
no_discards() {
	local loop

	alone
	loop=${UNDER[d.data]##*/}
	echo 0 >"/sys/block/$loop/queue/discard_max_bytes"
	cowio "$DEV" discard:1M:1M zero:4M:100k discard:-64k:64k flush
	is_raw_disk
	remove cct
	keep check ext.qcow2
}

# blocks FILE: what it takes on disk, in KiB
blocks() { stat -c %b "$1" | { read -r n; echo $((n / 2)); }; }

again() {
	remove cct
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
}

it "a discard waits for no flush, nor does a write to the same place for the discard" early
early() {
	local before

	single
	io write:8M:2M:1 flush
	before=$(blocks d.qcow2)
	change d.qcow2 "0 $(sectors d.qcow2) delay @ 0 0 @ 0 0 @ 0 100000"
	timeout 80 cowio -m model.raw "$DEV" discard:8M:2M zeros:8M:2M write:8M:64k:2 write:8256k:512:3 \
		discard:8M:8k write:8300k:2k:4 verify || fail "I/O waits for a flush"
	repair d.qcow2
	# a removal passes on what can be freed; what was written since then must not be
	again
	io verify
	[ "$(blocks d.qcow2)" -lt $((before - 1500)) ] || fail "$before KiB before, $(blocks d.qcow2) after"
	retire cct d.qcow2
}

it "space that was discarded, and then zeroed without unmap, is kept" kept
kept() {
	local before

	single
	io write:8M:4M:1 flush
	before=$(blocks d.qcow2)
	# no flush ends, so nothing is given back before the removal
	change d.qcow2 "0 $(sectors d.qcow2) delay @ 0 0 @ 0 0 @ 0 100000"
	cowio -m model.raw "$DEV" discard:8M:4M || fail "a discard waits for a flush"
	blkdiscard -z -o 8M -l 2M "$DEV"
	repair d.qcow2
	again
	io verify
	[ "$(blocks d.qcow2)" -gt $((before - 2500)) ] || fail "$before KiB before, $(blocks d.qcow2) after"
	[ "$(blocks d.qcow2)" -lt $((before - 1500)) ] || fail "the rest is kept, too"
	retire cct d.qcow2
}

it "a discard that the device is slow with delays writes to these subclusters only" slow_discard
# The second discard finds zero bits that are on disk, so it needs no sync, and its writes.
slow_discard() {
	single
	io write:8M:64k:1 flush discard:8M:64k flush
	again
	io read:8M:2M
	slow_writes d.qcow2
	timeout 80 cowio -m model.raw "$DEV" discard:8M:64k || fail "a discard waits for the device"
	wait_for 60 reached d.qcow2 1
	start write:8M:4k:2
	wait_for 60 waiting 1
	start write:8256k:4k:3
	start write:9000k:4k:3
	wait_for 60 reached d.qcow2 3
	waiting 3 || fail "a write in the range did not wait"
	! reached d.qcow2 4 || fail "a write in the range was sent while the device discards it"
	repair d.qcow2
	all_end
	again
	io verify
	retire cct d.qcow2
}

run_cases
