#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Discard and write zeroes.
# Quick: discard_single|zero_external|stream_keeps
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

it "a discarded range reads as zeros, not as what lies below" discard_single
discard_single() { discards abcd d.qcow2; }
it "the same with an external data file" discard_external
discard_external() { discards ext d.qcow2,d.data; }
discards() {
	use "$1"
	mkchain cct a.raw b.qcow2 c.qcow2 "$2"
	io discard:0:4k zeros:0:4k discard:64k:128k zeros:64k:128k verify \
		write:1M:256k:1 discard:1100k:8k zeros:1100k:8k verify \
		discard:8M:2M zeros:8M:2M write:9M:512:2 verify discard:-4k:4k verify
	# whole subclusters only: what the others contain stays
	io write:2M:16k:7 write:3M:16k:8
	cowio "$DEV" discard:2M:6k discard:3074k:6k
	io discard:2M:4k discard:3076k:4k verify
	retire cct d.qcow2
}

it "write zeroes of any alignment" zero_single
zero_single() { zeroes abcd d.qcow2; }
it "the same with an external data file" zero_external
zero_external() { zeroes ext d.qcow2,d.data; }
zeroes() {
	use "$1"
	mkchain cct a.raw b.qcow2 c.qcow2 "$2"
	io zero:512:512 zero:3584:1024 zero:64k:4k zero:100k:7k zero:131584:256k zero:-512:512 \
		write:2M:64k:3 zero:2099712:1k zero:2050k:13k zero:3M:3M verify \
		write:3M:512:4 zero:3145728:512 write:4M:4k:5 verify zero:0:16M zeros:0:16M \
		write:5M:100k:6 verify
	retire cct d.qcow2
}

# freed BEFORE: is at least half of 8 MiB, in 512-byte blocks, free again since then?
freed() {
	local after

	after=$(stat -c %b d.qcow2)
	[ $(($1 - after)) -gt 8192 ] || fail "$1 blocks before, $after after"
}

it "a discard takes no space" no_room
no_room() {
	local before

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:0:8M:1 flush
	before=$(stat -c %b d.qcow2)
	io discard:0:8M flush verify
	# given back after the flush, and by the removal at the latest
	retire cct d.qcow2
	freed "$before"
}

it "write zeroes that may free space do" unmap
unmap() {
	local before

	need fallocate
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:0:8M:1 flush
	before=$(stat -c %b d.qcow2)
	fallocate --punch-hole --offset 0 --length 8M "$DEV"
	io zero:0:8M verify
	retire cct d.qcow2
	freed "$before"
}

it "a discard frees space that zero bits have hidden before" hidden
hidden() {
	local before

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:0:8M:1 zero:0:8M
	remove cct
	before=$(stat -c %b d.qcow2)
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io discard:0:8M verify
	retire cct d.qcow2
	freed "$before"
}

# flushes FILE: that its loop device has done
flushes() {
	local stat

	read -r -a stat <"/sys/block/${LOOP[$1]##*/}/stat"
	echo "${stat[15]}"
}

it "discards share their flushes" share
share() {
	local before n i ops=()

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:0:16M:1 flush
	for ((i = 0; i < 256; i++)); do
		ops+=("discard:$((i * 64))k:16k")
	done
	before=$(flushes d.qcow2)
	io "${ops[@]}" flush
	n=$(($(flushes d.qcow2) - before))
	note "256 discards: $n flushes"
	# two for the flush, and two for each second that passes
	if [ "$n" -lt 2 ] || [ "$n" -gt 64 ]; then
		fail "$n flushes"
	fi
	io verify
	retire cct d.qcow2
}

it "no_discard_passdown keeps the space and the zeros" passdown
passdown() {
	local before after

	use abcd
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	TABLE="0 $SECTORS cowchain 1 no_discard_passdown 4 $WORDS"
	create cct
	DEV=/dev/mapper/cct
	io write:0:2M:1 flush
	before=$(stat -c %b d.qcow2)
	io discard:0:2M flush zeros:0:2M verify
	after=$(stat -c %b d.qcow2)
	[ "$after" -ge "$before" ] || fail "$before blocks before, $after after"
	retire cct d.qcow2
}

it "the limits show the size of a subcluster" limits
limits() {
	local q dm

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	dm=$(dmsetup info -c --noheadings -o blkdevname cct)
	q=/sys/block/$dm/queue
	eq "$(<"$q/discard_granularity")" 4096 "discard granularity"
	[ "$(<"$q/discard_max_bytes")" -gt 0 ] || fail "no discards"
	[ "$(<"$q/write_zeroes_max_bytes")" -gt 0 ] || fail "no write zeroes"
	eq "$(<"$q/logical_block_size")" 512 "logical block size"
}

it "a stream does not bring back what was discarded" stream_keeps
stream_keeps() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io discard:0:1M zero:2M:513k discard:12M:1M
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	io verify zeros:12M:1M
	msg cct base none
	msg cct stream
	job_done cct
	io verify
	retire cct d.qcow2
}

it "over a chain that has a hole at the same place" twice
twice() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	# where the layers below have zeros already: c at 4M, and the raw layer in its holes
	io discard:4M:128k zero:3M:64k discard:4M:128k write:4M:512:1 verify \
		discard:4M:128k zero:4194816:512 verify
	retire cct d.qcow2
}

it "four writers that mostly discard" parallel
parallel() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	chainstress --name cct --model model.raw --out . --seed 77 --ops 600 --mgmt none --writes wzdrd
	remove cct
	untouched abcd a.raw b.qcow2 c.qcow2
}

run_cases
