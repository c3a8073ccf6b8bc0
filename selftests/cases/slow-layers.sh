#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A layer that is very slow (dm-delay) holds up only I/O that needs it.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"
# shellcheck source=selftests/lib/stall.sh
. "$HERE/lib/stall.sh"

# Does the job wait for data at the start of the disk, and has it copied what follows?
job_waiting() {
	status cct
	[ "$S_STATE" = running ] && [ "$S_OFF" -lt $((1 << 20)) ] && [ "$S_ALLOC" -ge 16 ]
}

# others_go_on WAITING... -- OP...: I/O that does not need the slow layer ends, while the condition WAITING
# holds, before and after it
others_go_on() {
	local waits=()

	while [ "$1" != -- ]; do
		waits+=("$1")
		shift
	done
	shift
	"${waits[@]}" || fail "nothing waits for the slow layer any more"
	timeout 80 cowio -m "$T/model.raw" "$DEV" "$@" ||
		fail "a slow layer holds up what does not need it"
	"${waits[@]}" || fail "nothing waits for the slow layer any more"
	status cct
	eq "$S_MODE" rw mode
}

it "a slow layer delays only I/O that needs its data" slow_data
slow_data() {
	local pid

	changeable b.qcow2
	io verify
	slow b.qcow2
	cowio -m "$T/model.raw" "$DEV" read:64k:4k &
	pid=$!
	wait_for 60 waiting 1
	others_go_on waiting 1 -- read:12M:64k read:128k:4k write:5M:4k:1 write:5124k:512:2 read:5M:8k flush \
		fua:72k:4k:3 zero:9M:64k discard:6M:128k write:4608512:512:4 flush
	repair b.qcow2
	wait "$pid" || fail "the slow read went wrong"
	io verify
	retire cct d.qcow2
}

it "a slow layer delays only I/O that needs its metadata, and a stream does not delay the guest" slow_metadata
slow_metadata() {
	local pid

	changeable b.qcow2
	slow b.qcow2
	# the first 4 MiB were not looked up yet
	cowio -m "$T/model.raw" "$DEV" read:1M:4k &
	pid=$!
	wait_for 60 waiting 1
	msg cct stream
	others_go_on waiting 1 -- write:2M:4k:1 read:2M:4k flush write:9M:64k:2 fua:64k:4k:3 read:9M:64k \
		discard:9M:32k flush zero:10M:64k read:10M:64k
	in_state cct running || fail "the job is $S_STATE"
	repair b.qcow2
	wait "$pid" || fail "the slow read went wrong"
	job_done cct
	io verify
	retire cct d.qcow2
}

it "a slow table of a layer delays nothing that a layer above has" slow_table
slow_table() {
	local pid

	changeable b.qcow2
	slow b.qcow2
	# nothing was looked up yet
	cowio -m "$T/model.raw" "$DEV" read:64k:4k &
	pid=$!
	wait_for 60 waiting 1
	# c has this, of the same 4 MiB and of others
	others_go_on waiting 1 -- read:128k:4k read:2100k:33k read:4M:64k read:8200k:12k read:12M:1M \
		write:129k:512:1 read:128k:4k flush
	repair b.qcow2
	wait "$pid" || fail "the slow read went wrong"
	io verify
	retire cct d.qcow2
}

it "tables of many layers are read at the same time" read_ahead
# A read-only chain of ten. Only the base has the place that is read; these three have tables there.
read_ahead() {
	local files=(l0.raw l{1..9}.qcow2) f pid

	need_target delay
	use chain32 "${files[@]}"
	attach "${files[@]/#/ro:}"
	for f in l1 l2 l5; do
		over $f.qcow2 "0 $(sectors $f.qcow2) linear @ 0"
	done
	layers "${files[@]}"
	create cct --readonly
	dd if=/dev/mapper/cct of=model.raw bs=1M iflag=direct status=none
	remove cct
	create cct --readonly
	for f in l1 l2 l5; do
		under $f.qcow2 "0 $(sectors $f.qcow2) delay @ 0 100000"
	done
	cowio -m model.raw /dev/mapper/cct read:2200k:4k &
	pid=$!
	wait_for 60 all_flying l1.qcow2 l2.qcow2 l5.qcow2
	for f in l5 l2 l1; do
		not_under $f.qcow2
	done
	wait "$pid" || fail "the read went wrong"
	cowio -m model.raw /dev/mapper/cct verify
	remove cct
}

all_flying() {
	local f

	for f; do
		[ "$(io_count "$f" flying)" -ge 1 ] || return 1
	done
}

it "a stream from a slow layer delays no writes, also where it copies" slow_stream
# The job has looked everything up, and waits for the data that it copies from the slow layer.
slow_stream() {
	changeable b.qcow2
	io verify
	slow b.qcow2
	msg cct stream
	wait_for 60 job_waiting
	others_go_on job_waiting -- write:68k:8k:1 read:68k:8k write:400k:64k:2 write:500k:512:3 flush zero:256k:32k \
		discard:2056k:64k fua:2M:4k:4 read:2M:4k write:8M:128k:5 read:8M:128k flush
	repair b.qcow2
	job_done cct
	io verify random:20:1 verify
	chain_is cct d.qcow2
	retire cct d.qcow2
}

it "the end of a stream into a layer below the top, which takes long to flush, holds up no message" slow_end
slow_end() {
	local thread pid

	use abcd
	attach ro:a.raw ro:b.qcow2 c.qcow2 d.qcow2
	over b.qcow2 "0 $(sectors b.qcow2) linear @ 0"
	over c.qcow2 "0 $(sectors c.qcow2) linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	# it has begun, and copies
	slow b.qcow2
	msg cct stream top 2 base 0 backing-file a.raw raw
	change c.qcow2 "0 $(sectors c.qcow2) delay @ 0 0 @ 0 0 @ 0 100000"
	repair b.qcow2
	thread=$(thread_of cowchain_stream)
	wait_for 60 in_kernel "$thread" cc_writer_sync
	refuse_msg EBUSY cct base none &
	pid=$!
	wait_for 60 ended "$pid"
	wait "$pid" || fail "the message was not refused"
	in_kernel "$thread" cc_writer_sync || fail "the job does not wait any more"
	repair c.qcow2
	job_done cct
	eq "$S_LAYERS" 3 layers
	io verify
	retire cct d.qcow2
	keep check c.qcow2
}

# thread_of NAME: prints the number of the kernel thread of that name
thread_of() {
	local dir name

	for dir in /proc/[0-9]*; do
		read -r name 2>/dev/null <"$dir/comm" || continue
		[ "$name" != "$1" ] || echo "${dir#/proc/}"
	done
}

it "writes to parts of subclusters that wait for a slow layer delay no discards" slow_zeroes
# More writes than there are workers for discards, each in the middle of a subcluster that the slow layer
# provides. They go through several devices, because the block layer would serialise them on one.
slow_zeroes() {
	local pids=() pid i

	changeable b.qcow2
	io verify
	for i in 0 1 2 3 4; do
		dmsetup create "cct-way$i" --table "0 $SECTORS linear $DEV 0"
	done
	slow b.qcow2
	for i in 0 1 2 3; do
		cowio "/dev/mapper/cct-way$i" "zero:$((64 + 8 * i))k:512" &
		pids+=($!)
	done
	wait_for 60 waiting 4
	DEV=/dev/mapper/cct-way4
	others_go_on waiting 4 -- discard:6M:128k zero:9M:64k zero:1000k:30k write:1M:4k:1 discard:1M:64k flush \
		write:300k:4k:2 read:300k:4k
	repair b.qcow2
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "zeroing went wrong"
	done
	cowio -m "$T/model.raw" "$DEV" zero:64k:512 zero:72k:512 zero:80k:512 zero:88k:512 verify
	for i in 0 1 2 3 4; do
		remove "cct-way$i"
	done
	retire cct d.qcow2
}

it "a suspend does not wait for a stream from a slow layer, nor for messages that wait for the stream" slow_job
slow_job() {
	local pid

	changeable b.qcow2
	io verify
	slow b.qcow2
	msg cct stream
	wait_for 60 job_waiting
	suspend_and_resume
	others_go_on job_waiting -- write:68k:8k:1 flush
	# it stays paused
	msg cct job-pause &
	pid=$!
	wait_for 60 in_kernel "$pid" cc_job_pause
	suspend_and_resume
	wait_for 60 ended "$pid"
	wait "$pid" || fail "the job was not paused"
	in_state cct paused || fail "the job is $S_STATE"
	suspend_and_resume
	in_state cct paused || fail "the job is $S_STATE"
	msg cct job-resume
	others_go_on job_waiting -- write:500k:512:3 flush
	mark cancel
	{ msg cct job-cancel && exit 0 || exit 7; } &
	pid=$!
	wait_for 60 in_kernel "$pid" cc_job_cancel
	suspend_and_resume
	wait_for 60 ended "$pid"
	! wait "$pid" || fail "the message says that the job has ended"
	logged 'the job will end, but the device is being suspended'
	suspend_and_resume
	in_state cct aborting || fail "the job is $S_STATE"
	io write:72k:1k:4 flush
	repair b.qcow2
	job_done cct 125
	msg cct job-cancel
	io verify
	msg cct stream
	job_done cct
	io verify
	retire cct d.qcow2
}

it "a cancel on a suspended device does not hold up the exchange of its table" slow_exchange
# dm holds up the guest's I/O, without a limit, until the message to the old table has ended.
slow_exchange() {
	local cancel resume guest

	changeable b.qcow2
	io verify
	cp model.raw flat.raw
	attach flat.raw
	slow b.qcow2
	msg cct stream
	wait_for 60 job_waiting
	dmsetup load cct --table "0 $SECTORS linear ${LOOP[flat.raw]} 0"
	dmsetup suspend cct
	mark cancel
	{ msg cct job-cancel && exit 0 || exit 7; } &
	cancel=$!
	wait_for 60 in_kernel_or_ended $cancel cc_job_cancel
	dmsetup resume cct &
	resume=$!
	wait_for 60 ended $cancel
	! wait $cancel || fail "the message says that the job has ended"
	logged 'the job will end, but the device is being suspended'
	io read:12M:64k write:1M:4k:1 flush verify &
	guest=$!
	wait_for 60 ended $guest
	wait $guest || fail "the guest's I/O went wrong"
	repair b.qcow2
	wait $resume || fail "resume failed"
	remove cct
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:1M:4k:1 verify
	retire cct d.qcow2
}

# stream_flags: prints the flags of the job's thread
stream_flags() {
	local comm stat

	for comm in /proc/[0-9]*/comm; do
		[ "$(cat "$comm" 2>/dev/null)" = cowchain_stream ] || continue
		read -r -a stat <"${comm%comm}stat"
		echo "${stat[8]}"
	done
}

it "a stream sleeps with the machine, even if it waits for a slow layer" sleeping
sleeping() {
	local flags

	need_freeze
	changeable b.qcow2
	io verify
	slow b.qcow2
	msg cct stream
	wait_for 60 job_waiting
	flags=$(stream_flags)
	# PF_NOFREEZE
	[ $((flags & 0x8000)) -eq 0 ] || fail "the thread of the job cannot be frozen: $flags"
	freeze_all
	job_waiting || fail "the job is $S_STATE"
	# a pause that nobody waits for any more, so that no process of a user is in the way
	msg cct job-pause &
	stop $! cc_job_pause
	freeze_all
	in_state cct paused || fail "the job is $S_STATE"
	msg cct job-resume
	job_waiting || fail "the job is $S_STATE"
	repair b.qcow2
	job_done cct
	io verify
	retire cct d.qcow2
}

# In a process of its own, which may hang.
suspend_and_resume() {
	dmsetup suspend cct &
	wait_for 60 ended $!
	wait $! || fail "suspend failed"
	dmsetup resume cct
}

it "a snapshot waits for nothing that a slow layer holds up, nor do writes for the snapshot" slow_snapshot
# Reads of the slow layer, and writes to parts of subclusters that it provides.
slow_snapshot() {
	local pids=() pid

	changeable b.qcow2
	spare e d.qcow2
	# another device, since the block layer serialises the zeroing of one with its discards
	dmsetup create cct-way --table "0 $SECTORS linear $DEV 0"
	io verify
	slow b.qcow2
	cowio "$DEV" read:64k:4k &
	pids+=($!)
	cowio "$DEV" write:80k:512:5 &
	pids+=($!)
	cowio /dev/mapper/cct-way zero:88k:512 &
	pids+=($!)
	wait_for 60 waiting 3
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - &
	pids+=($!)
	wait_for 60 has_layers 5
	others_go_on waiting 3 -- write:5M:64k:1 write:4608512:512:2 read:5M:64k flush fua:72k:4k:3 \
		discard:6M:128k zero:9M:64k read:12M:64k
	cp d.qcow2 frozen.qcow2
	repair b.qcow2
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "what has waited for the slow layer went wrong"
	done
	cowio -m "$T/model.raw" "$DEV" write:80k:512:5 zero:88k:512 verify
	remove cct-way
	retire cct e.qcow2
	cmp d.qcow2 frozen.qcow2 || fail "the old top has changed"
}

it "a snapshot does not wait for writes that stand behind those that wait for a slow layer" slow_queue
# Each direct read of 16 MiB has 128 pieces that look something up, and 256 of them run at a time.
slow_queue() {
	local pids=() pid i

	changeable b.qcow2
	spare e d.qcow2
	slow b.qcow2
	for i in 1 2 3; do
		dd if="$DEV" of=read.$i bs=16M count=1 iflag=direct status=none &
		pids+=($!)
	done
	wait_for 60 waiting 3
	# has to be filled first, and is queued behind the reads
	cowio "$DEV" write:4608512:512:2 &
	pids+=($!)
	wait_for 60 waiting 4
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - &
	pids+=($!)
	wait_for 60 has_layers 5
	waiting 4 || fail "nothing waits for the slow layer any more"
	repair b.qcow2
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "what has waited for the slow layer went wrong"
	done
	cowio -m "$T/model.raw" "$DEV" write:4608512:512:2 verify
	retire cct e.qcow2
}

in_kernel_or_ended() { ended "$1" || in_kernel "$1" "$2"; }

# stop PID FUNCTION: waits until the process waits in this function, and kills it
stop() {
	wait_for 60 in_kernel "$1" "$2"
	# a shell has a handler for other signals
	kill -KILL "$1"
	wait_for 60 ended "$1"
	! wait "$1" || fail "the signal had no effect"
}

it "a snapshot that writes to the top do not let through gives up: after its limit, and when it is killed" pause_limit
pause_limit() {
	local limit=/sys/module/dm_cowchain/parameters/snapshot_pause_ms default write

	need_target delay
	use ext
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2 d.data
	over d.data "0 $(sectors d.data) linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	spare e d.qcow2
	io verify
	# only what is written
	change d.data "0 $(sectors d.data) delay @ 0 0 @ 0 100000 @ 0 0"
	cowio "$DEV" write:5M:64k:1 &
	write=$!
	wait_for 60 waiting 1
	read -r default <$limit
	echo 300 >$limit
	refuse_msg EBUSY cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	logged 'have not ended after 300 ms'
	others_go_on waiting 1 -- read:12M:64k flush read:64k:4k
	mark killed
	echo 600000 >$limit
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - &
	stop $! cc_users_try_drain
	echo "$default" >$limit
	logged 'no snapshot was taken: it was interrupted'
	others_go_on waiting 1 -- read:12M:64k flush read:64k:4k
	has_layers 4 || fail "there are $S_LAYERS layers"
	repair d.data
	wait "$write" || fail "the slow write went wrong"
	cowio -m "$T/model.raw" "$DEV" write:5M:64k:1 random:20:1 verify
	# nothing is sealed, and nothing is left of the attempts
	remove cct
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:20:2 verify
	retire cct e.qcow2
}

# all_copied: does the job have nothing more to copy?
all_copied() {
	status cct
	[ "$S_OFF" = "$S_LEN" ]
}

it "a snapshot that waits for reads holds up no messages, suspends or streams, and can be killed" slow_readers
slow_readers() {
	local read pid

	changeable b.qcow2
	spare e d.qcow2
	spare f e.qcow2
	io verify
	slow b.qcow2
	cowio -m "$T/model.raw" "$DEV" read:64k:4k &
	read=$!
	wait_for 60 waiting 1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - &
	pid=$!
	wait_for 60 has_layers 5
	msg cct base 2 &
	wait_for 60 ended $!
	dmsetup suspend --nolockfs cct &
	# dm waits for the message, then for the read
	wait_for 60 ended "$pid"
	wait "$pid" || fail "the snapshot went wrong"
	stop $! dm_wait_for
	io write:1M:4k:1 flush
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" - &
	wait_for 60 has_layers 6
	stop $! cc_snapshot
	others_go_on waiting 1 -- write:5M:64k:2 discard:6M:128k flush read:12M:64k
	# the stream drops layers that the read may still need
	msg cct base 1
	msg cct stream backing-file b.qcow2 qcow2
	wait_for 60 all_copied
	others_go_on waiting 1 -- write:2M:4k:3 flush
	in_state cct running || fail "the job is $S_STATE"
	repair b.qcow2
	wait "$read" || fail "the slow read went wrong"
	job_done cct
	has_layers 3 || fail "there are $S_LAYERS layers"
	io verify random:20:1 verify
	retire cct f.qcow2
}

it "writes to parts of subclusters that a snapshot has paused delay no discards either" paused_zeroes
# As slow_zeroes, but when the snapshot begins to wait for a write these find no view that they could look at.
paused_zeroes() {
	local pids=() i

	need_target delay
	use ext
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2 d.data
	over b.qcow2 "0 $(sectors b.qcow2) linear @ 0"
	over d.data "0 $(sectors d.data) linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	spare e d.qcow2
	io verify
	for i in 0 1 2 3 4; do
		dmsetup create "cct-way$i" --table "0 $SECTORS linear $DEV 0"
	done
	slow b.qcow2
	# only what is written
	change d.data "0 $(sectors d.data) delay @ 0 0 @ 0 100000 @ 0 0"
	cowio "$DEV" write:5M:64k:1 &
	pids+=($!)
	wait_for 60 waiting 1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - &
	pids+=($!)
	wait_for 60 in_kernel $! cc_users_try_drain
	for i in 0 1 2 3; do
		cowio "/dev/mapper/cct-way$i" "zero:$((64 + 8 * i))k:512" &
		pids+=($!)
	done
	wait_for 60 waiting 5
	repair d.data
	wait_for 60 has_layers 5
	DEV=/dev/mapper/cct-way4
	others_go_on waiting 4 -- discard:6M:128k zero:9M:64k zero:1000k:30k discard:1M:64k flush
	repair b.qcow2
	for i in "${pids[@]}"; do
		wait "$i" || fail "what has waited went wrong"
	done
	cowio -m "$T/model.raw" "$DEV" write:5M:64k:1 zero:64k:512 zero:72k:512 zero:80k:512 zero:88k:512 verify
	for i in 0 1 2 3 4; do
		remove "cct-way$i"
	done
	retire cct e.qcow2
}

it "a snapshot whose new top does not respond holds up nothing but itself" slow_new_top
slow_new_top() {
	local pid

	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
	# the chain must not promise what the new top cannot do
	need_target delay
	over d.qcow2 "0 $(sectors d.qcow2) delay @ 0 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	over e.qcow2 "0 $(sectors e.qcow2) delay @ 0 100000"
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - &
	pid=$!
	wait_for 60 in_kernel $pid cc_layer_load
	msg cct base 1 &
	wait_for 60 ended $!
	refuse_msg EBUSY cct stream backing-file b.qcow2 qcow2
	refuse_msg EBUSY cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io write:1M:4k:1 read:1M:64k flush
	repair e.qcow2
	wait "$pid" || fail "the snapshot went wrong"
	has_layers 5 || fail "there are $S_LAYERS layers"
	io verify random:20:1 verify
	retire cct e.qcow2
}

has_layers() {
	status cct
	[ "$S_LAYERS" = "$1" ]
}

run_cases
