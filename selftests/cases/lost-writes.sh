#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# One I/O of the top fails: writes that are lost are reported, once, and a write that was reported as failed
# does not appear later.
# Quick: lost_flush|lost_late|failed_appears
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/injector.sh
. "$HERE/lib/injector.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"
# shellcheck source=selftests/lib/stall.sh
. "$HERE/lib/stall.sh"

# The top is on cct-top, which is on the device that can be made to fail.
faulty_top() {
	faulty faults
	dmsetup create cct-top --table "0 $(sectors d.qcow2) linear /dev/mapper/cct-f3 0"
	chain_with /dev/mapper/cct-top
}

# fail_top OPS NTH: lets the n-th I/O of the top from now on fail once; OPS 2 are writes, 4 flushes
fail_top() { echo "8 $1 $2 1 5 0" >$PLAN; }

it "after a failed flush of the header, the next flush fails, too" lost_flush
# A device may report only to one flush that it has lost writes. Whatever that flush was for, nothing may
# be reported as durable after it.
lost_flush() {
	faulty_top
	io write:1M:64k:1
	msg cct stream speed 65536
	fail_top 4 1
	msg cct job-set-speed 131072
	in_mode cct ro || fail "the flush of the header failed, and the mode is $S_MODE"
	cowio "$DEV" EIO!flush
	remove cct
}

it "a header write that is done and fails nevertheless is taken back" late_header
# Or the next activation would start a stream that was reported as refused.
late_header() {
	faulty_top
	io write:1M:64k:1 flush
	# as fail_top, but the device does it
	echo "8 2 1 1 5 1" >$PLAN
	refuse_msg EIO cct stream speed 65536
	remove cct
	ident d.qcow2
	eq "$I_JOB" 0 "job in the header"
}

it "a job says why it has ended, also if a flush of the guest was told first" told_first
told_first() {
	need_stall
	faulty_top
	stall_at cc_stream_complete
	msg cct stream on-error report
	wait_for 60 stalled
	echo "8 4 1 1 28 0" >$PLAN
	cowio "$DEV" ENOSPC!flush
	stall_end
	wait_state cct concluded
	eq "$S_MODE $S_IO $S_ERR" "ro nospace 28" "mode, io-status and errno"
	remove cct
}

it "after a failed flush of the guest, the next one fails, too, without dirty bits" lost_idle_flush
lost_idle_flush() {
	faulty_top
	io write:1M:64k:1 flush
	fail_top 4 1
	cowio "$DEV" EIO!flush
	in_mode cct ro || fail "a flush failed, and the mode is $S_MODE"
	remove cct
}

it "writes that a failed commit has lost: after a reload a flush reports them" "lost_told before"
it "writes that a failed commit has lost: not reported again if a flush has done so before the reload" "lost_told after"
# The guest continues over the reload. What it had written is lost: the next flush reports that once, unless
# a flush has done so already.
lost_told() {
	faulty_top
	io write:1M:64k:1 flush
	# the data, then the bits, in a commit by the timer
	fail_top 2 2
	cowio "$DEV" write:1088k:64k:2
	wait_for 30 in_mode cct ro
	[ "$1" = before ] || cowio "$DEV" EIO!flush
	dmsetup load cct --table "$(dmsetup table cct)"
	dmsetup suspend --noflush cct
	mark "reported $1"
	dmsetup resume cct
	in_mode cct rw || fail "mode $S_MODE after a reload"
	if [ "$1" = before ]; then
		cowio "$DEV" EIO!flush
		logged 'the table before this one has lost writes'
	fi
	io flush read:1088k:64k write:1088k:64k:3 flush
	in_mode cct rw || fail "mode $S_MODE afterwards"
	remove cct
}

# change_top TARGET...: gives cct-top this table
change_top() {
	dmsetup load cct-top --table "0 $(sectors d.qcow2) $*"
	dmsetup suspend --noflush --nolockfs cct-top
	dmsetup resume cct-top
}

# Loads the table of the chain again, without a flush of the guest.
load_again() {
	dmsetup load cct --table "$(dmsetup table cct)"
	dmsetup suspend --noflush --nolockfs cct
	dmsetup resume cct
	in_mode cct rw || fail "mode $S_MODE after a reload"
}

it "a flush that fails in a suspend: the first flush of the next table reports it" lost_suspend
# Overwriting sets no bits: only the device knows that it has lost the data, and reports it once.
lost_suspend() {
	faulty_top
	io write:1M:64k:1 flush write:1M:64k:2
	fail_top 4 1
	dmsetup load cct --table "$(dmsetup table cct)"
	mark suspended
	dmsetup suspend --noflush --nolockfs cct
	logged 'could not be committed on suspend'
	dmsetup resume cct
	in_mode cct rw || fail "mode $S_MODE after a reload"
	cowio "$DEV" EIO!flush
	io flush
	remove cct
}

it "writes that end after a failed commit was reported: a flush reports them again" lost_late
# The flush of the guest has failed for the first write; the second, for which there are dirty bits already
# in the same place, ends after that.
lost_late() {
	local top=/dev/mapper/cct-f3 second at end

	need_target delay
	faulty_top
	io write:1M:64k:1 flush
	# where the second write goes, writes do not end
	read -r at _ < <(qcow2poke d.qcow2 l2 9)
	at=$(((at & 0x00fffffffffffe00) / 512)) end=$((at + 128))
	printf '%s\n' "0 $at linear $top 0" "$at 128 delay $top $at 0 $top $at 100000 $top $at 0" \
		"$end $(($(sectors d.qcow2) - end)) linear $top $end" | dmsetup load cct-top
	dmsetup suspend --noflush --nolockfs cct-top
	dmsetup resume cct-top
	cowio "$DEV" write:1152k:64k:2 &
	second=$!
	wait_for 60 waiting 1
	fail_top 4 1
	cowio "$DEV" write:1088k:64k:2
	cowio "$DEV" EIO!flush
	in_mode cct ro || fail "a flush failed, and the mode is $S_MODE"
	waiting 1 || fail "the write is over already"
	change_top "linear $top 0"
	wait "$second"
	load_again
	cowio "$DEV" EIO!flush
	io flush
	remove cct
}

it "a header is flushed by a sync also when the chain is read-only for another reason" lost_read_only
# The count in the background makes it read-only while a job ends. The flush of the header that the job changes gets
# an error, which may be that of a write of the guest, so its next flush fails, too.
lost_read_only() {
	local at end all

	need_stall
	need_target delay
	need_faults
	use tops base.raw huge.qcow2
	qcow2poke huge.qcow2 l2 $((100 * 8192)) 0 0 -- backing mid.qcow2 qcow2
	use spare single.qcow2
	mv single.qcow2 mid.qcow2
	qcow2poke mid.qcow2 backing base.raw raw
	attach base.raw mid.qcow2 huge.qcow2
	# the count waits for the table of the cluster that was freed
	at=$((($(qcow2poke huge.qcow2 l1 100) & 0x00fffffffffffe00) / 512)) end=$((at + 256)) all=$(sectors huge.qcow2)
	over huge.qcow2 "0 $at linear @ 0" "$at 256 delay @ $at 100000 @ $at 0 @ $at 0" "$end $((all - end)) linear @ $end"
	dmsetup create cct-f3 --table "0 $all cct-fault ${LOOP[huge.qcow2]} 3"
	TABLE="0 $((130 << 21)) cowchain 0 3 raw ${LOOP[base.raw]} - qcow2 ${LOOP[mid.qcow2]} -"
	TABLE+=" qcow2 /dev/mapper/cct-f3 -"
	create cct
	DEV=/dev/mapper/cct
	stall_at cc_ident_job_copied
	msg cct commit top 1 base 0 on-error report backing-file base.raw raw
	wait_for 60 stalled
	cowio "$DEV" write:1M:64k:1
	in_mode cct rw || fail "the count has not waited"
	change huge.qcow2 "0 $all linear @ 0"
	wait_for 60 in_mode cct ro
	fail_top 4 1
	stall_end
	job_done cct 5
	cowio "$DEV" EIO!flush
	remove cct
}

it "writes that were lost are reported once" lost_once
lost_once() {
	faulty_top
	io write:1M:64k:1 flush
	# the data, then the bits, in a commit by the timer
	fail_top 2 2
	cowio "$DEV" write:1088k:64k:2
	wait_for 30 in_mode cct ro
	dmsetup suspend --noflush --nolockfs cct
	dmsetup resume cct
	cowio "$DEV" EIO!flush
	load_again
	io flush
	remove cct
}

it "a write that has failed does not appear after a partial one" failed_appears
# A partial write has filled the first sector of its subcluster and waits for the rest. Meanwhile the guest
# writes all of it, which fails, and reads the old contents.
failed_appears() {
	local pid

	need_faults
	use parts
	attach ro:base.raw ro:mid.qcow2 top.qcow2
	over base.raw "0 $(sectors base.raw) linear @ 0"
	dmsetup create cct-f3 --table "0 $(sectors top.qcow2) cct-fault ${LOOP[top.qcow2]} 3"
	LOOP[top.qcow2]=/dev/mapper/cct-f3
	mkchain cct base.raw mid.qcow2 top.qcow2
	io read:0:64k
	slow base.raw
	WRITTEN=$(dm_stat cct-f3 4)
	cowio "$DEV" write:512:512:1 &
	pid=$!
	wait_for 60 has_written 1
	waiting 1 || fail "the partial write is over already"
	echo "8 2 1 1 5 1" >$PLAN
	cowio "$DEV" EIO!write:0:4k:2
	io read:0:512
	repair base.raw
	wait "$pid"
	io read:0:512 write:512:512:1 read:0:64k verify
	retire cct top.qcow2
}

# has_written N: have so many writes reached the top since it was activated?
has_written() { [ "$(($(dm_stat cct-f3 4) - WRITTEN))" -ge "$1" ]; }

run_cases
