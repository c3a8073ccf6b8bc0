#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Writes: any alignment and size, flush and FUA, in both writable forms.
# Quick: alignment_single|random_external|removal_commits|odd
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

edges=(write:0:512:1 write:512:512:2 write:3584:512:3 write:3584:1024:4 write:4k:4k:5 write:6k:4k:6
	write:127k:2k:7 write:130560:1k:8 write:1M:128k:9 write:1100k:1M:10 write:3M:512:11
	write:-512:512:12 write:-4k:4k:13 write:-1M:1M:14)

it "every alignment, across subclusters and clusters" alignment_single
alignment_single() { alignment abcd d.qcow2; }
it "the same with an external data file" alignment_external
alignment_external() { alignment ext d.qcow2,d.data; }
# alignment FIXTURE TOP
alignment() {
	use "$1"
	mkchain cct a.raw b.qcow2 c.qcow2 "$2"
	io "${edges[@]}" verify
	# over what is allocated now, with other data
	io "${edges[@]/%/0}" verify
	retire cct d.qcow2
}

it "random operations against the model" random_single
random_single() { random abcd d.qcow2; }
it "the same with an external data file" random_external
random_external() { random ext d.qcow2,d.data; }
random() {
	use "$1"
	mkchain cct a.raw b.qcow2 c.qcow2 "$2"
	io random:400:7 verify
	retire cct d.qcow2
	untouched "$1" a.raw b.qcow2 c.qcow2
}

it "FUA and flush are durable in the image" durable
durable() {
	local counts

	need_target delay
	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
	over d.qcow2 "0 $(sectors d.qcow2) linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	# writes the header, too
	io write:1M:4k:4 flush
	fua_alone
	# what FUA acknowledged is in the file while the device exists
	counts=$(qcow2poke d.qcow2 counts)
	eq "${counts% *}" "2 0" "subclusters in the file after FUA"
	let_flush
	io write:128k:8k:2 flush
	counts=$(qcow2poke d.qcow2 counts)
	eq "${counts% *}" "4 0" "subclusters in the file after a flush"
	io zero:256k:4k flush
	counts=$(qcow2poke d.qcow2 counts)
	eq "${counts% *}" "4 1" "subclusters in the file after zeroing"
	# a copy of the files as they are now is what a crash would leave
	cp d.qcow2 crashed.qcow2
	cp model.raw crashed.raw
	io write:512k:64k:3
	retire cct d.qcow2
	keep check crashed.qcow2
	keep compare crashed.qcow2 crashed.raw
}

# fua_alone: a FUA write without the flush that Linux sends behind each write with RWF_DSYNC. That comes to a
# device above the chain, where it does not end before let_flush. The write does not end before a flush of the top.
# (What is in the file then may be there because the time for a commit had come.)
fua_alone() {
	local n

	dmsetup create cct-held --table "0 $SECTORS delay $DEV 0 0 $DEV 0 0 $DEV 0 100000"
	n=$(sectors d.qcow2)
	under d.qcow2 "0 $n delay @ 0 0 @ 0 0 @ 0 100000"
	cowio -m "$T/model.raw" /dev/mapper/cct-held fua:64k:4k:1 &
	FUA=$!
	wait_for 60 flushing
	for ((n = 0; n < 10; n++)); do
		# 6.1 counts writes when they begin
		eq "$(dm_stat cct 8)" 1 "writes in flight while a flush of the top does not end"
		sleep 0.1
	done
	not_under d.qcow2
	# the write is over then
	wait_for 60 grep -q blkdev_issue_flush "/proc/$FUA/stack"
}

flushing() { [ "$(dm_stat cct-over-d-qcow2 8)" -ge 1 ]; }

let_flush() {
	dmsetup load cct-held --table "0 $SECTORS linear $DEV 0"
	dmsetup suspend --noflush --nolockfs cct-held
	dmsetup resume cct-held
	wait "$FUA" || fail "the FUA write failed"
	remove cct-held
}

it "bits reach the image without a flush, too" timed_commit
timed_commit() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:0:4k:1
	wait_for 30 committed 1
	retire cct d.qcow2
}

committed() {
	local alloc

	read -r alloc _ < <(qcow2poke "$T/d.qcow2" counts)
	[ "$alloc" = "$1" ]
}

it "removal commits" removal_commits
removal_commits() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:0:16k:1 zero:1M:8k
	remove cct
	eq "$(qcow2poke d.qcow2 counts)" "4 2 4090" "subclusters in the file"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io verify
	wait_counted cct
	eq "$S_ALLOC" 6 "allocated subclusters after activation"
	retire cct d.qcow2
}

it "tops of every subcluster size" sizes
sizes() {
	local bits n=0

	for bits in 128k 256k 512k 1M 2M; do
		use tops "top-$bits.qcow2" base.raw
		cp base.raw "model-$bits.raw"
		layers base.raw "top-$bits.qcow2"
		create cct
		status cct
		eq "$S_SUB" $((8 << n)) "sectors of a subcluster"
		cowio -m "model-$bits.raw" /dev/mapper/cct verify write:0:512 write:100k:300k:2 \
			write:-1k:1k write:3M:4k write:2047k:2k zero:5M:1M discard:8M:2M verify
		retire cct "top-$bits.qcow2" "model-$bits.raw"
		n=$((n + 1))
	done
}

it "a disk that ends inside a subcluster" odd
odd() {
	SECTORS=24965		# the last 5 are a part of a subcluster
	use tops odd.raw odd.qcow2 odd-ext.qcow2 odd-ext.data
	cp odd.raw model.raw
	cp odd.raw model2.raw
	mkchain cct odd.raw odd.qcow2
	io verify write:-512:512 write:-8k:8k:2 zero:-3584:3584 write:-1k:512:3 random:100:11 verify
	retire cct odd.qcow2
	layers odd.raw odd-ext.qcow2,odd-ext.data
	create cct
	cowio -m model2.raw /dev/mapper/cct verify write:-512:512 write:-8k:8k:2 random:100:12 verify
	retire cct odd-ext.qcow2 model2.raw
}

it "a chain of one prepared layer" single
single() {
	use spare single.qcow2
	qcow2poke single.qcow2 backing -
	truncate -s 16M model.raw
	mkchain cct single.qcow2
	io verify random:100:3 verify
	retire cct single.qcow2
}

it "the layers below stay byte-identical" below_untouched
below_untouched() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:200:5 flush
	remove cct
	untouched abcd a.raw b.qcow2 c.qcow2
}

it "four writers in the same subclusters" parallel
parallel() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	chainstress --name cct --model model.raw --out . --seed 5 --ops 600 --mgmt none
	remove cct
	untouched abcd a.raw b.qcow2 c.qcow2
}

run_cases
