#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Commits that meet errors, other chains and other tables.
# Seconds: 60
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/injector.sh
. "$HERE/lib/injector.sh"
# shellcheck source=selftests/lib/stall.sh
. "$HERE/lib/stall.sh"

SLOW="speed 16384"

# two_written: d, e and the top f, of which d and e have data; was.raw: what d reads like
two_written() {
	use abcd
	attach c.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	spare f e.qcow2
	spare x d.qcow2
	io random:30:1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	cp model.raw was.raw
	io write:0:256k:7
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" -
}

it "another chain on the lowest of two layers, of which a commit was cancelled" sibling
sibling() {
	two_written
	# shellcheck disable=SC2086	# words
	msg cct commit top 4 base 2 backing-file c.qcow2 qcow2 $SLOW
	wait_for 60 some_copied
	msg cct job-pause
	dmsetup suspend cct
	dmsetup resume cct
	msg cct job-cancel
	io verify
	remove cct
	layers a.raw b.qcow2 c.qcow2 d.qcow2 x.qcow2
	refuse_create ESTALE "a commit into it has not ended"
	layers a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2 f.qcow2
	create cct
	io verify
	msg cct commit top 4 base 2 backing-file c.qcow2 qcow2
	job_done cct
	io verify
	remove cct
	layers a.raw b.qcow2 c.qcow2 d.qcow2 x.qcow2
	refuse_create ESTALE "was replaced or written to since"
}

it "cancelled again and again, other bases, a reload between" again
again() {
	local n base

	two_written
	io random:30:2
	for n in 1 2 3 4; do
		base=2
		msg cct commit top 4 base $base backing-file c.qcow2 qcow2 speed 16384
		wait_for 60 some_copied
		io "random:20:1$n" verify
		if [ $n = 2 ]; then
			dmsetup load cct --table "$(dmsetup table cct)"
			dmsetup suspend cct
			dmsetup resume cct
			wait_for 60 some_copied
		fi
		msg cct job-cancel
		io "random:20:2$n" verify
	done
	msg cct commit top 4 base 2 backing-file c.qcow2 qcow2
	job_done cct
	io verify random:20:4 verify
	retire cct f.qcow2
}

it "a table that was loaded before the commit ended" loaded_before
loaded_before() {
	two_written
	# shellcheck disable=SC2086	# words
	msg cct commit top 4 base 2 backing-file c.qcow2 qcow2 $SLOW
	dmsetup load cct --table "$(dmsetup table cct)"
	msg cct job-set-speed 0
	job_done cct
	dmsetup suspend cct
	dmsetup resume cct
	status cct
	eq "$S_LAYERS" 6 layers
	io verify
}

it "the job of a table that is replaced still reads, and the next one ends" old_table
old_table() {
	local pid

	need_stall
	use abcd
	attach a.raw
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:1
	stall_at cc_read_below
	msg cct commit top 2 base 0 backing-file a.raw raw
	wait_for 30 stalled
	dmsetup load cct --table "$(dmsetup table cct)"
	dmsetup suspend cct
	dmsetup resume cct &
	pid=$!
	wait_state cct concluded
	stall_end
	wait $pid
	status cct
	eq "$S_ERR" 0 "errno of the job"
	io verify
}

it "a suspend comes before the commit has been continued" suspend_first
suspend_first() {
	local pid

	need_stall
	use abcd
	attach a.raw
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:1
	# shellcheck disable=SC2086	# words
	msg cct commit top 2 base 0 backing-file a.raw raw $SLOW
	remove cct
	stall_at cc_commit_continue
	create cct
	wait_for 30 stalled
	dmsetup suspend cct &
	pid=$!
	wait_for 30 suspend_waits $pid
	stall_end
	wait $pid
	dmsetup resume cct
	wait_state cct running
	msg cct job-cancel
	io verify
}
# the kernel waits for the work
suspend_waits() { grep -q cancel_work_sync /proc/"$1"/stack || grep -q __flush_work /proc/"$1"/stack; }

# Is the job's thread in a function of that name?
job_thread_in() {
	local comm

	for comm in /proc/[0-9]*/comm; do
		[ "$(cat "$comm" 2>/dev/null)" != cowchain_commit ] || ! grep -q "$1" "${comm%comm}stack" || return 0
	done
	return 1
}

it "the machine sleeps while a commit that was about to end waits for a resume" sleeping
sleeping() {
	need_stall
	need_freeze
	use abcd
	attach a.raw
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:1
	stall_at cc_commit_settle
	msg cct commit top 2 base 0 backing-file a.raw raw
	wait_for 60 stalled
	dmsetup suspend cct
	stall_end
	wait_for 30 job_thread_in "cc_job_\(gate\|park\|begin_write\)"
	freeze_all
	dmsetup resume cct
	job_done cct
	io verify
}

it "a base that needs stable pages, which concern the guest's alone" stable
stable() {
	local queue

	use abcd
	attach a.raw
	queue=/sys/block/${LOOP[a.raw]#/dev/}/queue/stable_writes
	[ -w "$queue" ] || skip "no $queue"
	echo 1 >"$queue"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:1
	msg cct commit top 2 base 0 backing-file a.raw raw
	job_done cct
	io verify
	remove cct
	echo 0 >"$queue"
}

it "a commit while a stream is recorded" over_stream
over_stream() {
	use abcd
	attach a.raw
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	# shellcheck disable=SC2086	# words
	msg cct stream $SLOW
	remove cct
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	TABLE=${TABLE/ cowchain 0 / cowchain 1 no_auto_resume }
	create cct
	refuse_msg EBUSY cct commit top 2 base 0 backing-file a.raw raw
	msg cct job-cancel
	# shellcheck disable=SC2086	# words
	msg cct commit top 2 base 0 backing-file a.raw raw $SLOW
	remove cct
	create cct
	refuse_msg EBUSY cct stream
	msg cct job-cancel
}

# ---- bases that do not fit ----

it "a raw device of another size" wrong_device
wrong_device() {
	use abcd
	cp a.raw other.raw
	truncate -s 20M other.raw
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	attach other.raw
	refuse_msg EINVAL cct commit top 2 base 0 device "${LOOP[other.raw]}" - backing-file a.raw raw
	cmp a.raw "$FIXTURES/abcd/a.raw" || fail "a.raw has changed"
}

it "a raw base that was made longer for the commit" grown
grown() {
	head -c 4M /dev/urandom >s.raw
	cp s.raw model.raw
	truncate -s 16M model.raw
	use spare single.qcow2
	cp single.qcow2 t.qcow2
	mv single.qcow2 m.qcow2
	qcow2poke m.qcow2 backing s.raw raw
	qcow2poke t.qcow2 backing m.qcow2 qcow2
	attach s.raw
	mkchain cct s.raw m.qcow2
	io write:15M:1M:1 write:3M:2M:2 random:60:1
	attach t.qcow2
	msg cct snapshot qcow2 "${LOOP[t.qcow2]}" -
	io random:60:2
	refuse_msg EFBIG cct commit top 1 base 0 backing-file s.raw raw
	# the same file by another device, which ends somewhere else, then where the layers end
	truncate -s 20M s.raw
	ln s.raw other.raw
	attach other.raw
	refuse_msg EINVAL cct commit top 1 base 0 device "${LOOP[other.raw]}" - backing-file s.raw raw
	detach other.raw
	truncate -s 16M s.raw
	attach other.raw
	msg cct commit top 1 base 0 device "${LOOP[other.raw]}" - backing-file s.raw raw
	job_done cct
	io verify random:60:3 verify
	retire cct t.qcow2
}

it "a base that is longer, and a length in the middle of a subcluster" longer
longer() {
	local prepared=extended_l2=on,cluster_size=128k,preallocation=metadata

	use abcd
	qemu-img create -q -f qcow2 -o $prepared -b c.qcow2 -F qcow2 -u y.qcow2 4588032
	qemu-img create -q -f qcow2 -o $prepared -b y.qcow2 -F qcow2 -u z.qcow2 4588032
	SECTORS=8961
	attach c.qcow2 y.qcow2 z.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 y.qcow2
	truncate -s 4588032 model.raw
	io verify write:4587520:512:3
	msg cct snapshot qcow2 "${LOOP[z.qcow2]}" -
	refuse_msg EINVAL cct commit top 3 base 2 backing-file c.qcow2 qcow2
	io verify
}

it "a raw base that ends in the middle of a sector" tail_base
tail_base() {
	local prepared=extended_l2=on,cluster_size=128k,preallocation=metadata

	use abcd a.raw
	truncate -s $(((8 << 20) + 100)) a.raw
	qemu-img create -q -f qcow2 -o cluster_size=64k -b a.raw -F raw -u b.qcow2 8M
	qemu-img create -q -f qcow2 -o $prepared -b b.qcow2 -F qcow2 -u d.qcow2 8M
	attach a.raw
	layers a.raw b.qcow2 d.qcow2
	tails a.raw b.qcow2 d.qcow2
	TABLE="0 16384 ${TABLE#0 * }"
	create cct
	refuse_msg EINVAL cct commit top 1 base 0 backing-file a.raw raw
}

# ---- errors of the base, of headers ----

# with_e: e is the top
with_e() {
	faulty_chain
	io write:0:1M:7 flush
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	msg cct snapshot qcow2 /dev/mapper/cct-f4 -
}

it "a flush of a raw base that fails in a suspend" raw_suspend
raw_suspend() {
	faulty_chain
	# shellcheck disable=SC2086	# words
	msg cct commit top 2 base 0 backing-file a.raw raw $SLOW
	wait_for 60 some_copied
	msg cct job-pause
	echo "1 4 1 1 5 0" >$PLAN
	dmsetup suspend cct
	dmsetup resume cct
	msg cct job-resume
	msg cct job-set-speed 0
	job_done cct 5
	io verify
	msg cct commit top 2 base 0 backing-file a.raw raw
	job_done cct
	io verify
}

it "a flush of a raw base that fails at the end: everything is copied again" raw_stop
raw_stop() {
	local before

	faulty_chain
	echo "1 4 1 1 5 0" >$PLAN
	msg cct commit top 2 base 0 backing-file a.raw raw on-error stop
	wait_state cct paused
	before=$(dm_stat cct-f0 6)
	msg cct job-resume
	job_done cct
	[ "$(dm_stat cct-f0 6)" -gt "$before" ] || fail "what was lost was not written again"
	io verify
}

it "a base that has no space for a table" no_space
no_space() {
	with_e
	# shellcheck disable=SC2086	# words
	msg cct commit top 3 base 2 backing-file c.qcow2 qcow2 $SLOW
	wait_for 60 some_copied
	echo "4 4 1 1 28 0" >$PLAN
	msg cct job-set-speed 0
	wait_state cct concluded
	eq "$S_IO $S_ERR" "nospace 28" "io-status and errno"
	eq "$S_MODE" rw mode
	io verify
	msg cct commit top 3 base 2 backing-file c.qcow2 qcow2
	job_done cct
	io verify
}

it "the header names the base, and the record of the commit is left" record_left
record_left() {
	faulty_chain
	# the write that drops the record; those before it succeed
	echo "8 2 7 1 5 0" >$PLAN
	msg cct commit top 2 base 0 backing-file a.raw raw
	job_done cct
	eq "$(qcow2poke d.qcow2 backing)" a.raw "backing file"
	remove cct
	ident d.qcow2
	eq "$I_JOB" 2 "the record"
	TABLE="0 $(sectors model.raw) cowchain 0 2 raw /dev/mapper/cct-f0 - qcow2 /dev/mapper/cct-f3 -"
	create cct
	msg cct base none
	status cct
	eq "$S_STATE" "" "state of the job"
	ident d.qcow2
	eq "$I_JOB" 0 "the record"
	io verify
}

it "a header that was written in spite of the error, the commit once more, a crash" twice
twice() {
	with_e
	echo "16 2 6 1 5 1" >$PLAN
	msg cct commit top 3 base 2 backing-file c.qcow2 qcow2
	wait_state cct concluded
	# shellcheck disable=SC2086	# words
	msg cct commit top 3 base 2 backing-file c.qcow2 qcow2 $SLOW
	wait_for 60 some_copied
	remove cct
	# what the header names now
	TABLE="0 $(sectors model.raw) cowchain 0 4 raw /dev/mapper/cct-f0 - qcow2 /dev/mapper/cct-f1 -"
	TABLE+=" qcow2 /dev/mapper/cct-f2 - qcow2 /dev/mapper/cct-f4 -"
	[ "$(qcow2poke e.qcow2 backing)" = c.qcow2 ] ||
		TABLE="${TABLE/ 4 raw/ 5 raw} qcow2 /dev/mapper/cct-f4 -"
	create cct
	io verify
}

run_cases
