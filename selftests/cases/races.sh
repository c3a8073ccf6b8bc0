#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Races: two operations at the same time.
# Quick: write_and_copy|discard_overtakes|snapshot_and_writes|removal
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/stall.sh
. "$HERE/lib/stall.sh"

# slow FILE READ-MS WRITE-MS: makes a layer slow, which has to be attached
slow() {
	over "$1" "0 $(sectors "$1") delay @ 0 $2 @ 0 $3"
}

abcd() {
	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
}

# under_way NAME COUNT: waits until so many I/Os of the device are in flight. Starts no process in the loop,
# which would take longer than they do.
under_way() {
	local stat start=$SECONDS minor

	minor=$(dmsetup info -c --noheadings -o minor "$1")
	until read -r -a stat <"/sys/block/dm-$minor/stat" && [ "${stat[8]}" -ge "$2" ]; do
		[ $((SECONDS - start)) -lt 60 ] || fail "no I/O is under way"
	done
}

# Writes to the data of d.qcow2, which has to be on a device of "slow", do not end before let_go; its metadata is
# not slow.
hold_data() {
	local from

	read -r from _ < <(qcow2poke d.qcow2 l2 0)
	from=$(((from & 0x00fffffffffffe00) / 512))
	under d.qcow2 "0 $from linear @ 0" "$from $(($(sectors d.qcow2) - from)) delay @ $from 0 @ $from 100000 @ $from 0"
}

let_go() { not_under d.qcow2; }

# slow_again FILE READ-MS WRITE-MS: as "slow", for one that is on such a device already
slow_again() { change "$1" "0 $(sectors "$1") delay @ 0 $2 @ 0 $3"; }

# at_once OP...: starts each of them, and waits until all of them are under way. The block layer does only one
# discard or write zeroes of a device at a time.
at_once() {
	local op

	PIDS=()
	for op; do
		io "$op" &
		PIDS+=($!)
	done
	all_under_way "${PIDS[@]}"
}

# all_wait PID...: do all of these processes wait for I/O? (An I/O that waits for a worker is not among those that
# the statistics of the mapped device show as in flight.)
all_wait() {
	local pid line

	for pid; do
		{ read -r line <"/proc/$pid/stat"; } 2>/dev/null || fail "the I/O is over already"
		[[ ${line##*) } == "D "* ]] || return 1
	done
}

# over_or_waiting PID...: has each of these processes ended, or does it wait for I/O?
over_or_waiting() {
	local pid line

	for pid; do
		{ read -r line <"/proc/$pid/stat"; } 2>/dev/null || continue
		[[ ${line##*) } == "D "* ]] || return 1
	done
}

all_under_way() {
	local start=$SECONDS

	until all_wait "$@"; do
		[ $((SECONDS - start)) -lt 60 ] || fail "not all of the I/O is under way"
	done
}

wait_for_all() {
	local pid

	for pid in "${PIDS[@]}"; do
		wait "$pid" || fail "an operation failed"
	done
}

it "the guest writes where a stream copies" write_and_copy
write_and_copy() {
	need_target delay
	abcd
	slow c.qcow2 40 0
	slow d.qcow2 0 20
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	hold_data
	msg cct base 0
	msg cct stream backing-file a.raw raw
	under_way cct-over-d-qcow2 4
	# where the first copies are being written: in part, as a whole, zeros
	at_once write:64k:512:1 write:129k:2k:2 write:72k:4k:3 zero:84k:512
	let_go
	slow_again d.qcow2 0 20
	# ranges that the layers between provide, in part and as a whole
	io write:8193k:1M:3 zero:12M:9k discard:12800k:64k write:2100k:1k:4 write:15M:4k:5 zero:15800k:3k random:60:1
	wait_for_all
	job_done cct
	io verify
	retire cct d.qcow2
}

it "discard and write zeroes where a stream copies" discard_and_copy
discard_and_copy() {
	need_target delay
	abcd
	slow b.qcow2 60 0
	slow d.qcow2 0 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	hold_data
	msg cct base 0
	msg cct stream backing-file a.raw raw
	under_way cct-over-d-qcow2 4
	at_once discard:96k:4k
	let_go
	wait_for_all
	io discard:8M:512k zero:8900k:33k discard:15M:4k zero:64k:100k discard:2M:64k
	job_done cct
	io verify
	retire cct d.qcow2
}

# A write of 4 KiB is in flight for a while, and $1 comes meanwhile. Any order is allowed, a mixture is not.
overtaking() {
	local off pid

	need_target delay
	abcd
	slow d.qcow2 0 800
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	cp model.raw written.raw
	cp model.raw zeroed.raw
	for off in 64k 1M 12M; do
		cowio -m written.raw "$DEV" "write:$off:4k:1" &
		pid=$!
		under_way cct 1
		cowio -m zeroed.raw "$DEV" "$1:$off:4k"
		wait "$pid" || fail "the write failed"
		cowio -m written.raw "$DEV" "read:$off:4k" 2>/dev/null ||
			cowio -m zeroed.raw "$DEV" "read:$off:4k"
	done
	# and it stays so
	dd if="$DEV" of=before.raw bs=1M iflag=direct status=none
	remove cct
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	cowio -m before.raw "$DEV" verify
	retire cct d.qcow2 before.raw
}

it "a discard and a write in flight to the same place" discard_overtakes
discard_overtakes() { overtaking discard; }
it "write zeroes and a write in flight to the same place" zero_overtakes
zero_overtakes() { overtaking zero; }

# reads_of FILE: how many reads of its loop device have ended
reads_of() {
	local n

	read -r n _ <"/sys/block/${LOOP[$1]#/dev/}/stat"
	echo "$n"
}

reads_more() { [ "$(reads_of "$1")" -gt "$2" ]; }

it "a write of a part of a subcluster beside a write of all of it" beside_a_fill
# The second write has read the rest of the subcluster from below before the first one ends. It must not write
# that to the top: it would undo the first write.
beside_a_fill() {
	local whole part n

	need_target delay
	abcd
	slow d.qcow2 0 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	# what is there, so that only data is read below
	io read:4500k:4k read:64k:4k
	hold_data
	io write:4500k:4k:1 &
	whole=$!
	under_way cct-over-d-qcow2 1
	n=$(reads_of a.raw)
	cowio "$DEV" write:4501k:512:2 &
	part=$!
	wait_for 60 reads_more a.raw "$n"
	# with a cell it waits for the first write, which does not end
	for ((n = 0; n < 10; n++)); do
		eq "$(dm_stat cct-over-d-qcow2 8)" 1 "writes under way to the top"
		sleep 0.1
	done
	let_go
	wait "$whole" || fail "the whole write failed"
	wait "$part" || fail "the partial write failed"
	io read:4500k:1k write:4501k:512:2 verify
	retire cct d.qcow2
}

it "the guest writes what a stream has read and not written yet" beside_a_copy
# One of the first four copies, of a MiB each, is about to write. A write of the guest waits for it there.
beside_a_copy() {
	local n

	need_stall
	abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io verify
	stall_at cc_write_top
	msg cct stream
	wait_for 60 stalled
	PIDS=()
	for n in 0 1 2 3; do
		io "write:$((n * 1024 + 64))k:4k:$n" "write:$((n * 1024 + 1000))k:4k:$n" &
		PIDS+=($!)
	done
	# for a while: those that wait for the copy, if they do
	for ((n = 0; n < 10; n++)); do
		over_or_waiting "${PIDS[@]}" || n=0
		sleep 0.1
	done
	stalled || fail "no copy has waited"
	stall_end
	wait_for_all
	job_done cct
	io verify
	retire cct d.qcow2
}

it "the guest reads where a stream has not written yet what it copies" read_and_copy
read_and_copy() {
	need_target delay
	abcd
	slow d.qcow2 0 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	hold_data
	msg cct stream
	# as many as there are copies at a time
	under_way cct-over-d-qcow2 4
	io verify
	[ "$(dm_stat cct-over-d-qcow2 8)" -ge 4 ] || fail "the copies were written before the reads ended"
	let_go
	job_done cct
	io verify
	retire cct d.qcow2
}

it "two parts of one unallocated subcluster at the same time" two_parts
two_parts() {
	local i

	PIDS=()
	need_target delay
	abcd
	slow a.raw 100000 0
	slow d.qcow2 0 50
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	# eight writers, a sector each, in the same four subclusters, while they are being filled
	for i in 0 1 2 3 4 5 6 7; do
		io "write:$((i * 512)):512:1" "write:$((2097152 + i * 512)):512:2" \
			"write:$((1048576 + i * 512)):512:3" "zero:$((8388608 + i * 512)):512" &
		PIDS+=($!)
	done
	all_under_way "${PIDS[@]}"
	slow_again a.raw 100 0
	wait_for_all
	io verify
	retire cct d.qcow2
}

it "reads of layers that a finished stream releases" read_released
# A read of a layer between does not end; then the guest writes there, so that the stream needs none of it.
read_released() {
	local pid at n

	need_target delay
	abcd
	slow b.qcow2 0 0
	slow c.qcow2 0 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	cp model.raw old.raw
	io verify
	# cluster 128 of 64 KiB
	read -r at _ < <(qcow2poke b.qcow2 l2 128)
	at=$(((at & 0x00fffffffffffe00) / 512))
	n=$(sectors b.qcow2)
	under b.qcow2 "0 $at linear @ 0" "$at 8 delay @ $at 100000" "$((at + 8)) $((n - at - 8)) linear @ $((at + 8))"
	cowio -m old.raw "$DEV" read:8M:4k &
	pid=$!
	under_way cct-over-b-qcow2 1
	io write:8M:4k:1
	msg cct base 0
	msg cct stream backing-file a.raw raw
	wait_for 60 shortened
	# and the layers are still there for the read
	for ((n = 0; n < 10; n++)); do
		in_state cct running || fail "the job is $S_STATE while a layer that it drops is read"
		sleep 0.1
	done
	kill -0 "$pid" || fail "the read is over already"
	not_under b.qcow2
	wait "$pid" || fail "the read went wrong"
	job_done cct
	# the layers between are free: the delay devices are not in use any more
	remove cct-over-b-qcow2 cct-over-c-qcow2
	io verify
}

shortened() { [[ $(dmsetup table cct) == *" cowchain 0 2 "* ]]; }

it "a read that has looked at the top before a stream, and below after it" second_look
# What the below map knows is dropped at once, so that it has to look up in the shorter chain where the read
# comes to, and would find there what the base has.
second_look() {
	local limit=/sys/module/dm_cowchain/parameters/below_kib pid

	need_stall
	eq "$(<$limit)" 16384 "KiB of the below map"
	abcd
	echo 0 >$limit
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	stall_at cc_below_piece
	# c has this
	cowio -m model.raw "$DEV" read:12M:64k &
	pid=$!
	wait_for 60 stalled
	msg cct base 0
	msg cct stream backing-file a.raw raw
	wait_for 60 has_layers 2
	echo 16384 >$limit
	# the base has this, in the same chunk of the map
	io read:14M:4k
	stalled || fail "the read has not waited"
	stall_end
	wait "$pid" || fail "the read went wrong"
	job_done cct
	io verify
	chain_is cct a.raw d.qcow2
	retire cct d.qcow2
}

has_layers() {
	status cct
	[ "$S_LAYERS" = "$1" ]
}

it "a cancel while a stream is being started" cancel_start
cancel_start() {
	local wait pid met=0

	need_target delay
	abcd
	slow d.qcow2 0 300
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:1M:64k:1 flush
	for wait in 0 0.2 0.4 0.6 0.8 2 5; do
		case $wait in
		# only if starting a program takes so long
		2 | 5) [ $met -eq 0 ] || break ;;
		esac
		msg cct stream speed 65536 &
		pid=$!
		sleep $wait
		if msg cct job-cancel; then
			wait "$pid" || fail "the stream was not accepted"
			met=$((met + 1))
		else
			wait "$pid" || fail "the stream was not accepted"
			msg cct job-cancel
		fi
		# or the next activation would start it again
		ident d.qcow2
		eq "$I_JOB" 0 "job in the header, cancelled after $wait s"
	done
	[ $met -gt 0 ] || fail "all were too early"
	io verify
	retire cct d.qcow2
}

it "a cancel while a recorded commit is being continued" cancel_continued
# The base does not respond when its header is read. The record goes, so the commit does not begin.
cancel_continued() {
	local pid n

	into_c c.qcow2
	io random:20:1
	msg cct commit top 3 base 2 keep speed 16384
	remove cct
	TABLE=${TABLE/ cowchain 0 / cowchain 1 no_auto_resume }
	create cct
	status cct
	eq "$S_TYPE/$S_STATE" commit/created job
	slow_again c.qcow2 100000 0
	mark cancelled
	{ msg cct job-resume 2>/dev/null || exit 1; } &
	pid=$!
	# for a while, as it may wait for something else at first
	for ((n = 0; n < 10; n++)); do
		all_under_way "$pid"
		sleep 0.1
	done
	msg cct job-cancel
	ident d.qcow2
	eq "$I_JOB" 0 "job in the header"
	slow_again c.qcow2 0 0
	! wait "$pid" || fail "the commit was continued after it had been cancelled"
	logged 'the job was cancelled before it could be continued'
	status cct
	eq "$S_STATE" "" "state of the job"
	ident d.qcow2
	eq "$I_JOB" 0 "job in the header"
	io verify
	retire cct d.qcow2
}

it "a stream ends between the look at the layers of a commit and its start" chain_changes
# The layer that it names is another number by then, and that number another layer.
chain_changes() {
	local pid

	need_stall
	use abcd
	attach ro:a.raw ro:b.qcow2 c.qcow2 d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	stall_at cc_commit_start
	{ msg cct commit top "${LOOP[c.qcow2]}" base 0 backing-file a.raw raw 2>/dev/null || exit 1; } &
	pid=$!
	wait_for 60 stalled
	msg cct stream top 2 base 0 backing-file a.raw raw
	job_done cct
	chain_is cct a.raw c.qcow2 d.qcow2
	mark changed
	stall_end
	! wait "$pid" || fail "the commit was started"
	logged 'the chain has just changed'
	status cct
	eq "$S_TYPE/$S_LAYERS" stream/3 "job/layers"
	io verify
}

it "a snapshot while writes are in flight" snapshot_and_writes
snapshot_and_writes() {
	local pids=() i

	need_target delay
	abcd
	spare e d.qcow2
	slow d.qcow2 20 150
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:0:512:1 write:4M:1M:2 write:5M:100k:7 write:1k:512:8 &
	pids+=($!)
	io write:8M:1k:3 fua:9M:4k:4 flush write:9500k:3k:9 flush &
	pids+=($!)
	io zero:12M:64k discard:13M:256k zero:13631k:1024 &
	pids+=($!)
	all_under_way "${pids[@]}"
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	for i in "${pids[@]}"; do
		wait "$i" || fail "a writer failed"
	done
	io verify
	retire cct e.qcow2
	keep check d.qcow2
}

# for_a_while N: the chain has so many layers, and still has them after a second
for_a_while() {
	local n

	for ((n = 0; n < 10; n++)); do
		status cct
		eq "$S_LAYERS" "$1" layers
		sleep 0.1
	done
}

it "a snapshot while writes do not end" snapshot_waits
# It waits for them, and then has what they have written.
snapshot_waits() {
	local pause=/sys/module/dm_cowchain/parameters/snapshot_pause_ms was pid

	need_target delay
	was=$(<$pause)
	abcd
	spare e d.qcow2
	slow d.qcow2 0 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	hold_data
	at_once write:1M:4k:2 write:2M:64k:3 write:2203k:1k:4
	echo 600000 >$pause
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - &
	pid=$!
	for_a_while 4
	let_go
	wait_for_all
	wait $pid
	echo "$was" >$pause
	status cct
	eq "$S_LAYERS" 5 layers
	io verify
	retire cct e.qcow2
	keep check d.qcow2
}

it "a snapshot at the end of a stream, while older writes do not end" snapshot_at_end
# The chain is shorter already, and the writes belong to the longer one. The snapshot has what they have written.
snapshot_at_end() {
	local pause=/sys/module/dm_cowchain/parameters/snapshot_pause_ms was pid twin

	was=$(<$pause)
	into_c d.qcow2
	spare e d.qcow2
	hold_data
	at_once write:1M:4k:2 write:2M:64k:3 write:2203k:1k:4
	# by another device than the chain reads
	twin=${LOOP[c.qcow2]}
	unset "LOOP[c.qcow2]"
	attach c.qcow2
	msg cct stream top 2 base 0 device "${LOOP[c.qcow2]}" - backing-file a.raw raw
	wait_for 60 has_layers 3
	# these two are open for the writes, until they have ended
	refuse_msg EBUSY cct snapshot qcow2 "${LOOP[b.qcow2]}" -
	logged 'part of the chain already: a job has it open'
	refuse_msg EBUSY cct snapshot qcow2 "$twin" -
	logged 'part of the chain already: a job has it open'
	echo 600000 >$pause
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - &
	pid=$!
	for_a_while 3
	let_go
	wait_for_all
	wait $pid
	echo "$was" >$pause
	job_done cct
	status cct
	eq "$S_LAYERS" 4 layers
	io verify
	retire cct e.qcow2
	keep check d.qcow2
}

# into_c FILE: the chain for a job that writes to c, with FILE on a device of "slow"
into_c() {
	need_target delay
	use abcd
	attach ro:a.raw b.qcow2 c.qcow2 d.qcow2
	slow "$1" 0 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
}

it "a message that changes the record of a stream, while a suspend syncs the layer that it writes to" record_and_suspend
# Two syncs, each for one that waits. The suspend runs first when its own is done, before the other one has begun:
# its priority is higher than that of the kernel's workers, which have the same processor.
record_and_suspend() {
	local cpus=/sys/devices/virtual/workqueue/cpumask was suspend message

	was=$(<$cpus)
	echo 1 >$cpus
	need_target delay
	abcd
	spare e d.qcow2
	slow d.qcow2 0 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	# only what was the top has an identity, and so a record
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	msg cct stream top 3 base 0 backing-file a.raw raw speed 65536
	wait_for 60 some_copied
	# nothing but these two syncs
	msg cct job-pause
	under d.qcow2 "0 $(sectors d.qcow2) delay @ 0 0 @ 0 0 @ 0 100000"
	urgent dmsetup suspend cct &
	suspend=$!
	wait_for 60 in_kernel "$suspend" cc_writer_suspend
	msg cct job-set-speed 131072 &
	message=$!
	wait_for 60 in_kernel "$message" cc_writer_sync
	not_under d.qcow2
	wait_for 60 ended "$message"
	wait "$message" || fail "the message failed"
	wait_for 60 ended "$suspend"
	wait "$suspend" || fail "the suspend failed"
	ident d.qcow2
	eq "$I_SPEED" 131072 "recorded speed"
	dmsetup resume cct
	msg cct job-set-speed 0
	msg cct job-resume
	job_done cct
	echo "$was" >$cpus
	has_layers 3 || fail "the chain has $S_LAYERS layers"
	io verify
	retire cct e.qcow2
	keep check d.qcow2
}

# urgent COMMAND...: runs it in front of everything else on the first processor
urgent() {
	taskset -pc 0 $BASHPID >/dev/null
	chrt -f -p 50 $BASHPID
	"$@"
}

it "a commit of the top, and a write that is under way all the time" commit_and_write
# It is copied after it has ended, whatever was copied before; and it has ended when the base becomes the top.
commit_and_write() {
	local pause=/sys/module/dm_cowchain/parameters/snapshot_pause_ms was

	was=$(<$pause)
	into_c d.qcow2
	io write:1M:4k:1
	msg cct commit top 3 base 2 keep
	wait_state cct ready
	hold_data
	at_once write:1M:4k:2 write:2M:64k:3 write:2203k:1k:4
	for_a_while 4
	echo 600000 >$pause
	msg cct job-complete
	for_a_while 4
	let_go
	wait_for_all
	job_done cct
	echo "$was" >$pause
	status cct
	eq "$S_LAYERS" 3 layers
	io verify
	remove cct
	keep check c.qcow2
	keep compare c.qcow2 model.raw
}

it "a write where a commit of the top has begun to read" commit_has_read
# The read does not end. What is written beside it, in the same piece, is not what is read.
commit_has_read() {
	local from

	into_c d.qcow2
	msg cct commit top 3 base 2 keep
	wait_state cct ready
	read -r from _ < <(qcow2poke d.qcow2 l2 0)
	from=$(((from & 0x00fffffffffffe00) / 512))
	under d.qcow2 "0 $from linear @ 0" "$from $(($(sectors d.qcow2) - from)) delay @ $from 100000 @ $from 0 @ $from 0"
	io write:1M:4k:1
	under_way cct-over-d-qcow2 1
	io write:1028k:4k:2 zero:1036k:4k
	not_under d.qcow2
	msg cct job-complete
	job_done cct
	io verify
	remove cct
	keep check c.qcow2
	keep compare c.qcow2 model.raw
}

# snapshot_soon DEVICE: tries again if the device is suspended, or a suspend begins meanwhile
snapshot_soon() {
	local out

	until out=$(dmsetup message cct 0 snapshot qcow2 "$1" - 2>&1); do
		expect_errno "EAGAIN|EINTR" "$out" snapshot
	done
}

it "snapshots while the device is suspended and resumed" snapshot_and_suspend
snapshot_and_suspend() {
	local i prev=d.qcow2 pid

	abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	for ((i = 0; i < 25; i++)); do
		dmsetup suspend cct
		dmsetup resume cct
	done &
	pid=$!
	for i in 1 2 3 4 5; do
		spare "s$i" $prev
		snapshot_soon "${LOOP[s$i.qcow2]}"
		io random:10:$i
		keep check $prev
		prev=s$i.qcow2
	done
	wait $pid
	io verify
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2 s1.qcow2 s2.qcow2 s3.qcow2 s4.qcow2 s5.qcow2
	retire cct $prev
}

it "a snapshot in the last moment of a resume, while a stream runs" snapshot_and_resume
# The snapshot must not find the job that the suspend has stopped, and see it go on a moment later.
snapshot_and_resume() {
	local resume snapshot

	need_stall
	need_target delay
	abcd
	spare e d.qcow2
	slow d.qcow2 0 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stream speed 65536
	wait_for 60 some_copied
	dmsetup suspend cct
	# what the snapshot syncs waits after that for this
	change d.qcow2 "0 $(sectors d.qcow2) delay @ 0 0 @ 0 0 @ 0 100000"
	stall_at cc_job_unfreeze
	dmsetup resume cct &
	resume=$!
	wait_for 60 stalled
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - &
	snapshot=$!
	wait_for 60 snapshot_waits_now "$snapshot"
	stall_end
	wait "$resume" || fail "the resume failed"
	slow_again d.qcow2 0 0
	wait "$snapshot" || fail "the snapshot was refused"
	status cct
	eq "$S_LAYERS/$S_STATE/$S_TOP" 5/running/3 "layers, and the job"
	msg cct job-set-speed 0
	job_done cct
	io verify
	retire cct e.qcow2
	keep check d.qcow2
}

# Does the message wait for cc->ctl, or for its sync? (The stack does not show functions of locks and completions.)
snapshot_waits_now() {
	local frame

	read -r _ frame <"/proc/$1/stack" || return 1
	[[ $frame =~ ^(cc_writer_try_sync|cc_snapshot|cc_snapshot_begin)\+ ]]
}

it "a suspend while a stream makes a raw disk of an external data file" suspend_and_raw
# The stream syncs before it looks for what to copy. The table may be exchanged after that, and not before.
suspend_and_raw() {
	local n suspend

	need_stall
	use ext
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	create cct
	DEV=/dev/mapper/cct
	io random:20:1 zero:3M:1M discard:6M:1M
	stall_at cc_zero_begin_raw
	msg cct stream speed 65536
	wait_for 60 stalled
	dmsetup suspend cct &
	suspend=$!
	for ((n = 0; n < 10; n++)); do
		! ended "$suspend" || fail "the suspend did not wait for the stream"
		sleep 0.1
	done
	stall_end
	wait "$suspend" || fail "the suspend failed"
	dmsetup load cct --table "$TABLE"
	dmsetup resume cct
	wait_state cct running
	io random:20:2 verify
	msg cct job-set-speed 0
	job_done cct
	io verify
	keep identical d.data model.raw
	retire cct d.qcow2
}

it "a stream without a base that is paused before it begins, and a snapshot" paused_and_raw
# Then it has its first sync below the new top, where it needs none.
paused_and_raw() {
	use ext
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	create cct
	DEV=/dev/mapper/cct
	spare e d.qcow2
	io random:20:1 zero:3M:1M discard:6M:1M
	msg cct stream speed 65536
	msg cct job-pause
	# it begins again, and is paused from the beginning
	remove cct
	create cct
	wait_state cct paused
	io zero:9M:1M discard:10M:1M
	cp model.raw d.model
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:20:2
	msg cct job-set-speed 0
	msg cct job-resume
	job_done cct
	chain_is cct d.qcow2,d.data e.qcow2
	io verify
	keep identical d.data d.model
	retire cct e.qcow2
}

it "no snapshot while a table is loaded that would write to the old top" stale_table
stale_table() {
	abcd
	spare e d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:1
	dmsetup load cct --table "$(dmsetup table cct)"
	refuse_msg EBUSY cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	logged 'an inactive table would write to it'
	io random:40:2
	dmsetup suspend cct
	dmsetup resume cct
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io verify
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:20:3 verify
	retire cct e.qcow2
}

it "a table that was loaded before a stream ended" stale_stream
stale_stream() {
	abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	dmsetup load cct --table "$(dmsetup table cct)"
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	io random:20:1
	dmsetup suspend cct
	dmsetup resume cct
	io verify random:20:2 verify
	# the chain is the long one again; with nothing between, a stream does not change the header
	eq "$(dmsetup table cct | cut -d ' ' -f 5)" 4 "layers of the old table"
	msg cct base 2
	msg cct stream
	job_done cct
	eq "$(qcow2poke d.qcow2 backing)" a.raw "backing file, with nothing to drop"
	io verify
	retire cct d.qcow2
}

it "removal at any moment of a job" removal
removal() {
	local i backing met=0

	abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	for i in 0 0.02 0.05 0.1 0.2 0.3 0.5 0.8; do
		# or it continues by itself
		[ "$i" != 0 ] || msg cct stream speed $((8 << 20))
		sleep $i
		status cct
		remove cct
		backing=$(qcow2poke d.qcow2 backing)
		[ -n "$backing" ] || break
		# it has copied something, and was not done
		[ "$S_STATE" != running ] || [ "$S_OFF" -eq 0 ] || met=$((met + 1))
		eq "$backing" c.qcow2 "backing file after a removal"
		mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
		io verify
	done
	[ -z "$backing" ] || remove cct
	[ $met -gt 0 ] || fail "no removal met a job in the middle"
	# again without a limit, so that the end of the job is hit
	for i in 1 2 3 4 5 6; do
		cp "$FIXTURES/abcd/d.qcow2" d.qcow2
		mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
		msg cct base 0
		msg cct stream backing-file a.raw raw
		sleep 0.$((i * 5))
		remove cct
		backing=$(qcow2poke d.qcow2 backing)
		matches "$backing" '^(c.qcow2|a.raw)$' "backing file after a removal"
		if [ "$backing" = a.raw ]; then
			mkchain cct a.raw d.qcow2
		else
			mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
		fi
		io verify
		remove cct
		keep check d.qcow2
		keep compare d.qcow2 model.raw
	done
}

it "cancel at any moment of a job" cancel
cancel() {
	local i met=0

	abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	for i in 0 0.05 0.1 0.2 0.4; do
		msg cct base 2
		msg cct base none
		msg cct stream speed $((16 << 20))
		sleep $i
		# the message may have come too late
		msg cct job-cancel || true
		wait_state cct concluded
		io verify
		[ "$S_LAYERS" -gt 1 ] || break
		eq "$S_ERR" 125 "errno of a cancelled job"
		[ "$S_OFF" -eq 0 ] || met=$((met + 1))
	done
	[ $met -gt 0 ] || fail "no cancel met a job that had copied something"
	status cct
	[ "$S_LAYERS" -eq 1 ] || { msg cct stream; job_done cct; }
	io verify
	retire cct d.qcow2
}

it "of two streams started at once, one starts" two_streams
two_streams() {
	local a=0 b=0 pid

	abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	{ msg cct stream speed 65536 2>/dev/null || exit 1; } &
	pid=$!
	msg cct stream speed 65536 2>/dev/null || a=1
	wait $pid || b=1
	eq $((a + b)) 1 "streams that were refused"
	msg cct job-cancel
	job_done cct 125
}

it "of two snapshots at once, each is complete or refused" two_snapshots
two_snapshots() {
	local a=0 b=0 pid

	abcd
	spare e d.qcow2
	spare f d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	{ msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - || exit 1; } &
	pid=$!
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" - || a=1
	wait $pid || b=1
	status cct
	eq "$S_LAYERS" $((6 - a - b)) layers
	[ $((a + b)) -lt 2 ] || fail "both were refused"
	io random:30:1 verify
}

it "status and table at any time" status_always
status_always() {
	local pid i line

	abcd
	spare e d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	while :; do
		dmsetup status cct && dmsetup table cct
	done >lines &
	pid=$!
	for i in 1 2; do
		msg cct base 0
		msg cct stream backing-file a.raw raw
		io random:40:$i
		job_done cct
		[ $i -eq 2 ] || msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	done
	kill $pid
	wait $pid || true
	io verify
	# each line is complete, except perhaps for the last one
	while read -r line; do
		[[ $line =~ ^0\ $SECTORS\ cowchain\ (rw\ [2-5]\ 8\ |0\ [2-5]\ raw\ 7:) ]] ||
			fail "strange line: $line"
	done < <(head -n -1 lines)
}

it "everything at once, with slow layers" everything
everything() {
	need_target delay
	abcd
	slow a.raw 3 0
	slow c.qcow2 3 0
	slow d.qcow2 2 3
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	# neither reload nor snapshots would find the files of the layers below the delay devices
	chainstress --name cct --model model.raw --out . --seed 51 --ops 500 --mgmt "suspend reload"
	remove cct
	# the manifest could not name the file below the delay device
	rm manifest
	keep check d.qcow2
	keep compare d.qcow2 .model
}

run_cases
