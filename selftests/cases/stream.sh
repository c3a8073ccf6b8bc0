#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Streams: the job from start to end, its states, and what it leaves on disk.
# Seconds: 100
# Quick: no_base|with_base|data_file_base|pause|cancel|restart
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

abcd() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
}

# Prints the sectors read from the loop devices of the layers so far.
sectors_read() {
	local f n sum=0

	for f; do
		read -r _ _ n _ <"/sys/block/${LOOP[$f]#/dev/}/stat"
		sum=$((sum + n))
	done
	echo $sum
}

# Starts a job that is slow enough to be found running; speed in bytes per second.
slow() {
	msg cct stream speed "${1:-262144}"
	wait_state cct running
}

moved() {
	status cct
	[ "$S_OFF" -gt "$1" ]
}

it "without a base the top becomes self-contained" no_base
no_base() {
	abcd
	msg cct stream
	job_done cct
	eq "$S_BASE" - base
	eq "$S_IO" ok io-status
	eq "$S_OFF" "$S_LEN" "offset at the end"
	eq "$S_LAYERS" 1 layers
	chain_is cct d.qcow2
	io verify random:50:1 verify
	retire cct d.qcow2
	eq "$(qcow2poke d.qcow2 backing)" "" "backing file"
	untouched abcd a.raw b.qcow2 c.qcow2
	rm a.raw b.qcow2 c.qcow2
}

it "zeros are detected and take no space" zeros
zeros() {
	local alloc zero rest zeros_in_model

	use abcd
	use lean d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	zeros_in_model=$(perl -e 'open(F, "model.raw"); while (read(F, $b, 4096)) {
		$n++ unless $b =~ /[^\0]/; } print $n' )
	msg cct stream
	job_done cct
	remove cct
	read -r alloc zero rest < <(qcow2poke d.qcow2 counts)
	eq "$alloc" $((4096 - zeros_in_model)) "subclusters with data"
	eq "$((zero + rest))" "$zeros_in_model" "subclusters without data"
	[ $(($(stat -c %b d.qcow2) * 512)) -lt $((alloc * 4096 + 1048576)) ] ||
		fail "zeros were written out"
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "with a base only what lies between is copied" with_base
with_base() {
	local b c alloc zero

	abcd
	read -r _ b c _ <provides
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	eq "$S_BASE" 0 base
	chain_is cct a.raw d.qcow2
	io verify
	remove cct
	read -r alloc zero _ < <(qcow2poke d.qcow2 counts)
	eq $((alloc + zero)) $((b + c)) "subclusters in the top"
	eq "$(qcow2poke d.qcow2 backing)" a.raw "backing file"
	eq "$(qcow2poke d.qcow2 format)" raw "backing format"
	untouched abcd a.raw b.qcow2 c.qcow2
	rm b.qcow2 c.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "data of the top is not overwritten" top_wins
top_wins() {
	abcd
	io write:64k:128k:1 zero:8M:512k write:12M:3k:2 discard:15M:512k
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	io verify
	retire cct d.qcow2
}

it "in the end the data file is the disk of the guest" data_file
data_file() {
	use ext
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	io random:100:3
	msg cct stream
	job_done cct
	chain_is cct d.qcow2,d.data
	io verify random:50:4 verify
	remove cct
	cmp d.data model.raw || fail "the data file is not the guest's disk"
	keep identical d.data model.raw
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "with an external data file and a base" data_file_base
data_file_base() {
	use ext
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	msg cct base 1
	msg cct stream backing-file b.qcow2 qcow2
	io random:60:5
	job_done cct
	chain_is cct a.raw b.qcow2 d.qcow2,d.data
	io verify
	retire cct d.qcow2
	eq "$(qcow2poke d.qcow2 backing)" b.qcow2 "backing file"
	eq "$(qcow2poke d.qcow2 format)" qcow2 "backing format"
}

it "a shorter layer that a stream drops still hides the layers below it" shorter
shorter() {
	use shorter a.raw b.qcow2 c.qcow2 model.raw
	mkchain cct a.raw b.qcow2 c.qcow2
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	chain_is cct a.raw c.qcow2
	io verify zeros:9M:7M
	retire cct c.qcow2
	rm b.qcow2
}

it "a stream drops a layer that ends inside a cluster" shorter_between
shorter_between() {
	use shorter a.raw m.qcow2 n.qcow2 n.model
	mv n.model model.raw
	mkchain cct a.raw m.qcow2 n.qcow2
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	io verify
	retire cct n.qcow2
}

it "tops of every subcluster size" sizes
sizes() {
	local pair bits

	# cluster and subcluster
	for pair in 128k:4k 512k:16k 2M:64k; do
		bits=${pair%:*}
		use tops "top-$bits.qcow2" base.raw
		cp base.raw "model-$bits.raw"
		layers base.raw "top-$bits.qcow2"
		create cct
		cowio -u "${pair#*:}" -m "model-$bits.raw" /dev/mapper/cct random:30:9
		msg cct stream
		job_done cct
		cowio -m "model-$bits.raw" /dev/mapper/cct verify
		retire cct "top-$bits.qcow2" "model-$bits.raw"
	done
}

it "a disk that ends inside a subcluster" odd_single
odd_single() { odd odd.qcow2; }
it "the same with an external data file" odd_ext
odd_ext() {
	odd odd-ext.qcow2,odd-ext.data
	cmp odd-ext.data model.raw || fail "the data file is not the guest's disk"
}
# The last subcluster has data of the layer below, and is a part of one: it must not be left out.
odd() {
	SECTORS=24965
	use tops odd.raw odd.qcow2 odd-ext.qcow2 odd-ext.data
	cp odd.raw model.raw
	mkchain cct odd.raw "$1"
	io write:1M:512
	msg cct stream
	job_done cct
	chain_is cct "$1"
	io verify
	remove cct
	rm odd.raw
	keep check "${1%,*}"
	keep compare "${1%,*}" model.raw
}

it "32 layers at once" chain32
chain32() {
	local i list=(l0.raw)

	use chain32
	for ((i = 1; i < 32; i++)); do
		list+=("l$i.qcow2")
	done
	mkchain cct "${list[@]}"
	msg cct base 5
	msg cct stream backing-file l5.qcow2 qcow2
	io random:100:8
	job_done cct
	chain_is cct "${list[@]:0:6}" l31.qcow2
	io verify
	retire cct l31.qcow2
	rm l{6..30}.qcow2
}

it "several streams in a row shorten the chain step by step" in_steps
in_steps() {
	abcd
	msg cct base 1
	msg cct stream backing-file b.qcow2 qcow2
	job_done cct
	chain_is cct a.raw b.qcow2 d.qcow2
	io random:30:1
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	chain_is cct a.raw d.qcow2
	io random:30:2
	msg cct base none
	msg cct stream
	job_done cct
	chain_is cct d.qcow2
	io random:30:3 verify
	retire cct d.qcow2
	rm a.raw b.qcow2 c.qcow2
}

it "pause holds the job, resume lets it end" pause
pause() {
	local off

	abcd
	slow
	wait_for 60 moved 0
	msg cct job-pause
	wait_state cct paused
	eq "$S_IO" ok io-status
	# nothing is in flight any more
	off=$S_OFF
	msg cct job-set-speed 0
	# without a limit a job that went on would be far by then
	io random:40:1 verify
	status cct
	eq "$S_STATE" paused state
	eq "$S_OFF" "$off" "offset while paused"
	msg cct job-resume
	job_done cct
	io verify
	retire cct d.qcow2
}

it "cancel leaves the chain as it was" cancel
cancel() {
	abcd
	slow
	wait_for 60 moved 0
	io write:1M:64k
	msg cct job-cancel
	job_done cct 125
	eq "$S_IO" ok io-status
	eq "$S_LAYERS" 4 layers
	[ "$S_OFF" -lt "$S_LEN" ] || fail "offset $S_OFF at the end of a cancelled job"
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io verify
	remove cct
	eq "$(qcow2poke d.qcow2 backing)" c.qcow2 "backing file"
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "a paused job can be cancelled" cancel_paused
cancel_paused() {
	abcd
	slow
	msg cct job-pause
	wait_state cct paused
	msg cct job-cancel
	job_done cct 125
	io verify
}

it "a job started again copies only what is missing" restart
restart() {
	local before first all

	abcd
	all=$(sectors_read a.raw b.qcow2 c.qcow2)
	slow 1048576
	wait_for 120 moved $((6 * 1048576))
	msg cct job-cancel
	job_done cct 125
	before=$(sectors_read a.raw b.qcow2 c.qcow2)
	first=$((before - all))
	[ $first -gt 4096 ] || fail "the first run read only $first sectors"
	msg cct stream
	job_done cct
	all=$(($(sectors_read a.raw b.qcow2 c.qcow2) - before))
	# both together: the disk once, and some metadata
	[ $((first + all)) -lt $((SECTORS + 8192)) ] ||
		fail "$first and $all sectors were read of $SECTORS"
	io verify
	retire cct d.qcow2
}

# A busy machine makes a job slower, not faster: clock/rates judges both. The base has no zeros, which would not
# count. Four copies are in flight at most, each of a quarter of a second's data; another quarter may be caught up.
it "speed limits the job, and can be changed" speed
speed() {
	local begin most

	use abcd d.qcow2
	head -c 16M /dev/zero | tr '\0' A >a.raw
	cp a.raw model.raw
	mkchain cct a.raw d.qcow2
	begin=${EPOCHREALTIME/./}
	slow 262144
	eq "$S_SPEED" 262144 speed
	wait_for 60 moved 262144
	most=$(((${EPOCHREALTIME/./} - begin) * 262144 / 1000000 + 5 * 65536))
	[ "$S_OFF" -le $most ] || fail "$S_OFF bytes were copied, and $most are allowed"
	msg cct job-set-speed 131072
	status cct
	eq "$S_SPEED" 131072 speed
	eq "$S_STATE" running state
	msg cct job-set-speed 0
	job_done cct
	io verify
}

# In another directory a relative name is another file.
it "only an absolute name of the base is taken from the layer that has it" default_name
default_name() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct base 0
	refuse_msg EINVAL cct stream
	logged "layer .*: its backing file is a.raw, relative to its own directory: use backing-file"
	status cct
	eq "$S_STATE" "" "job"
	remove cct
	qcow2poke b.qcow2 backing -
	create cct
	msg cct base 0
	refuse_msg EINVAL cct stream
	logged "layer .*: names no backing file: use backing-file"
	remove cct
	qcow2poke b.qcow2 backing /where/a.raw raw
	create cct
	msg cct base 0
	msg cct stream
	job_done cct
	remove cct
	eq "$(qcow2poke d.qcow2 backing)" /where/a.raw "backing file"
	eq "$(qcow2poke d.qcow2 format)" raw "backing format"
	layers a.raw d.qcow2
	create cct
	io verify
	remove cct
}

it "a stream with nothing between concludes at once" nothing_between
nothing_between() {
	abcd
	msg cct base 2
	msg cct stream
	job_done cct
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io verify
	remove cct
	eq "$(qcow2poke d.qcow2 backing)" c.qcow2 "backing file"
	eq "$(qcow2poke d.qcow2 counts)" "0 0 4096" "subclusters of the top"
}

it "suspend and resume during a job" suspended
suspended() {
	local off

	abcd
	slow 262144
	wait_for 60 moved 0
	dmsetup suspend cct
	status cct
	off=$S_OFF
	# without a limit a job that went on would be over
	msg cct job-set-speed 0
	dd if="${LOOP[a.raw]}" of=/dev/null bs=64k iflag=direct status=none
	status cct
	eq "$S_STATE $S_OFF" "running $off" "state and offset while suspended"
	msg cct job-set-speed 1048576
	dmsetup resume cct
	io random:30:1
	dmsetup suspend --noflush cct
	dmsetup resume cct
	msg cct job-set-speed 0
	job_done cct
	io verify
	retire cct d.qcow2
}

it "the image is valid at a suspend in the middle of a job" suspended_image
suspended_image() {
	abcd
	slow 2097152
	wait_for 60 moved 1048576
	dmsetup suspend cct
	cp d.qcow2 half.qcow2
	dmsetup resume cct
	msg cct job-cancel
	job_done cct 125
	keep check half.qcow2
	keep compare half.qcow2 model.raw
	retire cct d.qcow2
}

it "removal in the middle of a job, which then continues" removed
removed() {
	abcd
	slow 1048576
	wait_for 60 moved 1048576
	remove cct
	eq "$(qcow2poke d.qcow2 backing)" c.qcow2 "backing file"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	wait_state cct running
	wait_counted cct
	[ "$S_ALLOC" -gt 100 ] || fail "only $S_ALLOC subclusters are left of the first run"
	io verify
	msg cct job-set-speed 0
	job_done cct
	io verify
	retire cct d.qcow2
}

it "removal while a job is paused" removed_paused
removed_paused() {
	abcd
	slow
	msg cct job-pause
	wait_state cct paused
	retire cct d.qcow2
}

it "dropped layers are released" released
released() {
	local devices i

	use abcd
	attach ro:a.raw d.qcow2
	mkfifo hold
	mkloop -a "ro:$T/b.qcow2" "ro:$T/c.qcow2" <hold >devices &
	exec 8>hold
	wait_for 20 test -s devices
	mapfile -t devices <devices
	LOOP[b.qcow2]=${devices[0]}
	LOOP[c.qcow2]=${devices[1]}
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	exec 8>&-
	wait
	for i in "${devices[@]}"; do
		[ -e "/sys/block/${i#/dev/}/loop" ] || fail "$i was let go too early"
	done
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	for i in "${devices[@]}"; do
		wait_for 30 loop_gone "$i"
	done
	[ -e "/sys/block/${LOOP[a.raw]#/dev/}/loop" ] || fail "the base was let go"
	io verify
}

loop_gone() { [ ! -e "/sys/block/${1#/dev/}/loop/backing_file" ]; }

it "private header extensions survive" extensions
extensions() {
	use abcd
	qcow2poke d.qcow2 ext 0x636f7763 "not ours"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	remove cct
	eq "$(qcow2poke d.qcow2 ext 0x636f7763)" "not ours" "the extension"
	mkchain cct a.raw d.qcow2
	msg cct stream
	job_done cct
	remove cct
	eq "$(qcow2poke d.qcow2 ext 0x636f7763)" "not ours" "the extension"
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "a long name for the backing file" long_name
long_name() {
	local name

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	printf -v name '%01000d' 7
	msg cct base 0
	# longer than the 1023 bytes that fit into the header
	msg cct stream backing-file "$name" raw
	job_done cct
	remove cct
	eq "$(qcow2poke d.qcow2 backing)" "$name" "backing file"
	qcow2poke d.qcow2 backing a.raw raw
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "under a verifying load" load
load() {
	use stress
	SECTORS=72216
	mkchain cct a.raw b.qcow2 c.qcow2
	chainstress --name cct --model model.raw --out . --seed 21 --ops 800 \
		--mgmt "stream cancel pause speed suspend"
	remove cct
	untouched stress a.raw b.qcow2
}

run_cases
