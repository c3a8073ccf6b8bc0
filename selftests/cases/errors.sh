#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# I/O errors of the layers: which requests fail, what the job does, and what stays intact.
# Quick: read_below|stop$|metadata_write|record_cancel|no_space_guest
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/injector.sh
. "$HERE/lib/injector.sh"
# shellcheck source=selftests/lib/stall.sh
. "$HERE/lib/stall.sh"

abcd() {
	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
}

# broken FILE FROM LENGTH: prints three lines of a table, in sectors, with errors in the middle
broken() {
	local all end=$(($2 + $3))

	all=$(sectors "$1")
	[ "$2" -eq 0 ] || echo "0 $2 linear @ 0"
	echo "$2 $3 error"
	[ "$end" -ge "$all" ] || echo "$end $((all - end)) linear @ $end"
}

# no_writes FILE FROM LENGTH: the same, with errors for writes only
no_writes() {
	local all end=$(($2 + $3))

	all=$(sectors "$1")
	[ "$2" -eq 0 ] || echo "0 $2 linear @ 0"
	echo "$2 $3 flakey @ $2 0 3600 1 error_writes"
	[ "$end" -ge "$all" ] || echo "$end $((all - end)) linear @ $end"
}

whole() { echo "0 $(sectors "$1") linear @ 0"; }

break_at() {
	local lines

	mapfile -t lines < <(broken "$@")
	change "$1" "${lines[@]}"
}

break_writes() {
	local lines

	need_target flakey
	mapfile -t lines < <(no_writes "$@")
	change "$1" "${lines[@]}"
}

repair() { change "$1" "$(whole "$1")"; }

# The chain with FILE on a device that can be broken.
breakable() {
	local f

	abcd
	for f; do
		over "$f" "$(whole "$f")"
	done
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
}

# Prints the sectors in FILE of its data of guest cluster N, and of its L2 table.
data_at() { local w; read -r w _ < <(qcow2poke "$1" l2 "$2"); echo $(((w & 0x00fffffffffffe00) / 512)); }
table_at() { echo $((($(qcow2poke "$1" l1 0) & 0x00fffffffffffe00) / 512)); }

it "a read error of a lower layer fails that read, and no other" read_below
read_below() {
	breakable a.raw
	# 1 MiB of the raw disk that no layer above covers: 4480k-5504k
	break_at a.raw 9000 64
	cowio "$DEV" EIO!read:4500k:4k
	io read:0:4M read:5M:1M
	repair a.raw
	io verify
	retire cct d.qcow2
}

it "with the policy report the job ends, and the chain stays as it is" report
report() {
	breakable a.raw
	break_at a.raw 9000 64
	msg cct stream on-error report
	job_done cct 5
	eq "$S_IO" failed io-status
	eq "$S_LAYERS" 4 layers
	eq "$S_MODE" rw mode
	repair a.raw
	io verify random:20:1
	retire cct d.qcow2
	eq "$(qcow2poke d.qcow2 backing)" c.qcow2 "backing file"
}

it "with the default policy, enospc, other errors end the job" default_policy
default_policy() {
	local words

	for words in "" "on-error enospc"; do
		breakable a.raw
		break_at a.raw 9000 64
		# shellcheck disable=SC2086	# words
		msg cct stream $words
		job_done cct 5
		eq "$S_LAYERS" 4 layers
		remove cct cct-over-a-raw
		mkloop -x "${UNDER[a.raw]}"
		detach b.qcow2 c.qcow2 d.qcow2
	done
}

it "with the policy stop the job pauses, and continues at the same place" stop
stop() {
	local off nr

	breakable a.raw
	break_at a.raw 9000 64
	nr=$(event_nr cct)
	msg cct stream on-error stop
	wait_state cct paused
	eq "$S_IO" failed io-status
	off=$S_OFF
	[ "$off" -le 4608000 ] || fail "offset $off is beyond the error"
	[ "$(event_nr cct)" -gt "$nr" ] || fail "no event"
	# a resume without a repair stops again
	nr=$(event_nr cct)
	msg cct job-resume
	wait_for 60 stopped_again "$nr"
	eq "$S_IO" failed io-status
	eq "$S_LAYERS" 4 layers
	repair a.raw
	msg cct job-resume
	job_done cct
	eq "$S_IO" ok io-status
	chain_is cct d.qcow2
	io verify
	retire cct d.qcow2
	rm a.raw b.qcow2 c.qcow2
}

# stopped_again EVENT: a resume is one event, and the next error another one
stopped_again() { [ "$(event_nr cct)" -ge $(($1 + 2)) ] && in_state cct paused; }

# What lies before it has not been copied: the job must not go on there.
it "a part that is copied first and fails: the job goes back to where it was" first_fails
first_fails() {
	breakable a.raw
	break_at a.raw 9000 64
	msg cct stream speed 65536 on-error stop
	msg cct job-pause
	status cct
	[ "$S_OFF" -lt 1048576 ] || fail "the job is at $S_OFF already"
	mark first
	msg cct job-first 8960 128
	msg cct job-resume
	wait_for 60 failed_first
	logged "stream: a part that was to be copied first: offset 4[56][0-9]{5}: error -5"
	[ "$S_OFF" -lt 4587520 ] || fail "the job is at $S_OFF"
	repair a.raw
	msg cct job-set-speed 0
	msg cct job-resume
	job_done cct
	chain_is cct d.qcow2
	io verify
	retire cct d.qcow2
	rm a.raw b.qcow2 c.qcow2
}

failed_first() { status cct; [ "$S_STATE/$S_IO" = paused/failed ]; }

it "a job that stopped can be cancelled, and started again" stop_cancel
stop_cancel() {
	breakable a.raw
	break_at a.raw 9000 64
	msg cct stream on-error stop
	wait_state cct paused
	msg cct job-cancel
	wait_state cct concluded
	eq "$S_LAYERS" 4 layers
	repair a.raw
	msg cct stream
	job_done cct
	io verify
	retire cct d.qcow2
}

it "an error of a write of the job to the top" copy_write
copy_write() {
	local at

	breakable d.qcow2
	at=$(data_at d.qcow2 100)
	msg cct stream speed 65536 on-error stop
	msg cct job-pause
	msg cct job-set-speed 0
	# not break_writes: that fails flushes, too, and a commit makes it read-only
	break_at d.qcow2 "$at" 8
	msg cct job-resume
	wait_state cct paused
	eq "$S_IO" failed io-status
	repair d.qcow2
	msg cct job-resume
	job_done cct
	io verify
	retire cct d.qcow2
}

it "an error of the first write of a copy is not lost among the others" copy_errors
# One copy covers 8M to 9M: data, zeros from 8400k on, and data from 8700k on.
copy_errors() {
	breakable d.qcow2
	# not break_writes: see copy_write
	break_at d.qcow2 "$(data_at d.qcow2 64)" 8
	msg cct base 0
	msg cct stream on-error report backing-file a.raw raw
	job_done cct 5
	eq "$S_LAYERS $S_IO $S_MODE" "4 failed rw" "layers, io-status, mode"
	repair d.qcow2
	io verify
	msg cct stream backing-file a.raw raw
	job_done cct
	io verify
	retire cct d.qcow2
}

it "a write of the guest that fails is reported, and changes nothing" guest_write
guest_write() {
	local at

	breakable d.qcow2
	at=$(data_at d.qcow2 20)
	# not break_writes: see copy_write
	break_at d.qcow2 "$at" 256
	cowio "$DEV" EIO!write:2560k:4k:1 EIO!write:2560k:512:1 EIO!write:2500k:128k:1
	repair d.qcow2
	# the last one may have been written in part, so look only at these places
	io read:2560k:128k read:0:2M
	io write:2500k:128k:1 verify
	status cct
	eq "$S_MODE" rw mode
	retire cct d.qcow2
}

it "a part of a subcluster whose other part cannot be read" fill
fill() {
	breakable a.raw
	break_at a.raw 9000 8
	cowio "$DEV" EIO!write:4608512:512:1 EIO!zero:4608512:512
	repair a.raw
	# nothing was done in part: it reads as before
	io verify write:4608512:512:2 verify
	retire cct d.qcow2
}

it "metadata that cannot be written: read-only, and what was acknowledged stays" metadata_write
metadata_write() {
	local nr

	breakable d.qcow2
	io write:0:64k:1 flush
	nr=$(event_nr cct)
	break_writes d.qcow2 "$(table_at d.qcow2)" 256
	cowio "$DEV" write:1M:4k:9
	cowio "$DEV" EIO!flush
	status cct
	eq "$S_MODE" ro mode
	[ "$(event_nr cct)" -gt "$nr" ] || fail "no event"
	cowio "$DEV" EIO!write:2M:4k:9 EIO!discard:0:64k
	refuse_msg EROFS cct stream
	# reads work
	cowio -m model.raw "$DEV" read:0:1M read:2M:4M
	repair d.qcow2
	status cct
	eq "$S_MODE" ro "mode, which does not come back by itself"
	dmsetup load cct --table "$(dmsetup table cct)"
	dmsetup suspend --noflush cct
	dmsetup resume cct
	status cct
	eq "$S_MODE" rw "mode after a reload"
	# the write that was never flushed may be there or not
	cowio -m model.raw "$DEV" read:0:1M read:1028k:14M
	io write:1M:4k:3 random:30:1 verify
	retire cct d.qcow2
}

it "metadata of the top that cannot be read" metadata_read
metadata_read() {
	abcd
	over d.qcow2 "$(whole d.qcow2)"
	break_at d.qcow2 "$(table_at d.qcow2)" 8
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	DEV=/dev/mapper/cct
	# an activation looks at all of a small image
	! dmsetup create cct --table "$TABLE" || fail "activated without the tables of the top"
	repair d.qcow2
	create cct
	io verify
	retire cct d.qcow2
}

it "metadata of a layer below that cannot be read" metadata_below
metadata_below() {
	abcd
	over c.qcow2 "$(whole c.qcow2)"
	break_at c.qcow2 "$(table_at c.qcow2)" 8
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	cowio "$DEV" EIO!read:0:4k EIO!write:0:512:1
	# a whole subcluster needs nothing from below
	io write:64k:4k:1
	msg cct stream on-error report
	job_done cct 5
	repair c.qcow2
	io verify
	msg cct stream
	job_done cct
	io verify
	retire cct d.qcow2
}

# expect_reads FILE LEAST[-MOST] OP...: these operations make the device of FILE read so many times. What could not
# be read before is forgotten first: an error is remembered for as long as that read took, a second at most.
expect_reads() {
	local file=$1 least=${2%-*} most=${2#*-} before n

	sleep 1.1
	before=$(io_count "$file" reads)
	shift 2
	cowio -m "$T/model.raw" "$DEV" "$@"
	n=$(($(io_count "$file" reads) - before))
	if [ $n -lt "$least" ] || [ $n -gt "$most" ]; then
		fail "$n reads of $file for $*, not $least to $most"
	fi
}

it "an unreadable table of a layer below is read once for each request that needs it" unreadable_reads
unreadable_reads() {
	local lines

	breakable b.qcow2
	mapfile -t lines < <(broken b.qcow2 "$(table_at b.qcow2)" 128)
	under b.qcow2 "${lines[@]}"
	expect_reads b.qcow2 1 EIO!read:64k:4k
	expect_reads b.qcow2 1 EIO!read:1M:128k
	# there are pieces of c between what b may have
	expect_reads b.qcow2 1 EIO!read:2048k:128k
	expect_reads b.qcow2 1 EIO!write:64k:512:1
	# a request of 1 MiB is made of eight, of which some may share a read or its error
	expect_reads b.qcow2 1-8 EIO!read:5M:1M
	# c has all of it
	expect_reads b.qcow2 0 read:128k:4k read:12M:1M read:4M:64k write:129k:512:2 read:128k:4k
	msg cct stream on-error report
	job_done cct 5
	not_under b.qcow2
	io verify
	msg cct stream
	job_done cct
	io verify
	retire cct d.qcow2
}

it "a table that takes long to fail is not read by each one who asks" slow_errors
slow_errors() {
	local before lines pid i pids=()

	need_target delay
	breakable b.qcow2
	mapfile -t lines < <(broken b.qcow2 "$(table_at b.qcow2)" 128)
	printf '%s\n' "${lines[@]//@/${UNDER[b.qcow2]}}" | dmsetup create cct-broken
	under b.qcow2 "0 $(sectors b.qcow2) delay /dev/mapper/cct-broken 0 3000"
	before=$(io_count b.qcow2 reads)
	for i in 0 1 2 3 4 5 6 7; do
		cowio "$DEV" "EIO!read:$((64 + i * 8))k:4k" "EIO!read:$((1024 + i * 8))k:4k" \
			"EIO!read:$((5120 + i * 8))k:4k" "EIO!read:$((9216 + i * 8))k:4k" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "a read did not fail as it should"
	done
	# 32 have asked
	i=$(($(io_count b.qcow2 reads) - before))
	note "$i reads of the table"
	[ "$i" -gt 0 ] || fail "none is counted"
	[ "$i" -lt 4 ] || fail "$i reads of the table"
	not_under b.qcow2
	remove cct-broken
	# what was found out is kept for a second at most
	wait_for 60 cowio "$DEV" read:64k:4k
	io verify
	retire cct d.qcow2
}

it "a header that cannot be written at the end of a stream" header_write
header_write() {
	breakable d.qcow2
	msg cct base 0
	msg cct stream backing-file a.raw raw speed 65536 on-error report
	msg cct job-pause
	msg cct job-set-speed 0
	break_writes d.qcow2 0 256
	msg cct job-resume
	wait_state cct concluded
	[ "$S_ERR" -ne 0 ] || fail "the job concluded without an error"
	eq "$S_LAYERS" 4 layers
	cowio -m model.raw "$DEV" verify
	remove cct
	repair d.qcow2
	# it is still recorded, as before the header was broken
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	wait_state cct paused
	msg cct job-resume
	job_done cct
	eq "$S_LAYERS" 2 layers
	io verify
	retire cct d.qcow2
}

it "the data file is the raw disk if the header may say that nothing is below" raw_anyway
# The write that says so is done, but reported as failed; the one that drops the record fails.
raw_anyway() {
	need_stall
	faulty faults-ext
	TABLE="0 $(sectors model.raw) cowchain 1 no_discard_passdown 4 raw /dev/mapper/cct-f0 -"
	TABLE+=" qcow2 /dev/mapper/cct-f1 - qcow2 /dev/mapper/cct-f2 - qcow2 /dev/mapper/cct-f3 /dev/mapper/cct-f6"
	create cct
	DEV=/dev/mapper/cct
	io write:0:2M:1 flush
	# the first one is the record
	echo "8 2 2 1 5 1" >$PLAN
	stall_at cc_ident_job_drop
	msg cct stream
	wait_for 60 stalled
	echo "8 2 1 1 5 0" >$PLAN
	stall_end
	job_done cct 5
	io discard:256k:256k zero:1M:128k verify
	remove cct
	cowio -m model.raw /dev/mapper/cct-f6 verify
	# alone it is accepted; if it might, the job would zero what is left
	TABLE="0 $(sectors model.raw) cowchain 1 no_auto_resume 1 qcow2 /dev/mapper/cct-f3 /dev/mapper/cct-f6"
	create cct
	io verify
}

it "a stream that cannot be recorded in the header is refused" record_write
record_write() {
	breakable d.qcow2
	break_writes d.qcow2 0 256
	refuse_msg EIO cct stream
	status cct
	eq "$S_STATE" "" "state of the job"
	eq "$S_LAYERS" 4 layers
	cowio -m model.raw "$DEV" verify
	repair d.qcow2
	msg cct stream
	job_done cct
	io verify
	retire cct d.qcow2
}

it "a cancel that cannot be recorded is reported" record_cancel
record_cancel() {
	breakable d.qcow2
	msg cct stream speed 65536
	msg cct job-pause
	# nothing may be left to commit: flushes fail, too
	io flush
	break_writes d.qcow2 0 256
	refuse_msg EIO cct job-cancel
	wait_state cct concluded
	repair d.qcow2
	msg cct job-cancel
	remove cct
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	status cct
	eq "$S_STATE" "" "state of the job"
	io verify
	retire cct d.qcow2
}

# A chain with a stream that is paused, and recorded so, when a flush makes it read-only.
paused_in_ro() {
	breakable d.qcow2
	msg cct stream speed 65536
	msg cct job-pause
	# the write has to meet the errors before what the job has copied
	cowio "$DEV" flush
	break_writes d.qcow2 "$(table_at d.qcow2)" 256
	cowio "$DEV" write:1M:4k:9
	cowio "$DEV" EIO!flush
	status cct
	eq "$S_MODE" ro mode
}

# Ends that table; the next one is there when the job, as it was recorded, is.
after_ro() {
	wait_state cct concluded
	remove cct
	repair d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	wait_state cct paused
}

it "a cancel in a chain that has become read-only is reported" ro_cancel
ro_cancel() {
	paused_in_ro
	refuse_msg EROFS cct job-cancel
	logged "the chain is read-only: the job stays recorded\$"
	# it is still recorded, and can be cancelled now
	after_ro
	msg cct job-cancel
	# the write that was never flushed may be there or not
	io read:0:1M read:1028k:14M write:1M:4k:3 verify
	retire cct d.qcow2
}

it "a job that is resumed in a chain that has become read-only is still paused afterwards, and the log says so" ro_resume
ro_resume() {
	paused_in_ro
	mark resume
	msg cct job-resume
	logged "the chain is read-only: the job stays recorded as it was"
	# nor is anybody asked to continue or cancel it now
	wait_state cct concluded
	spare e d.qcow2
	refuse_msg EROFS cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	after_ro
	logged "the interrupted stream continues, without a base, paused"
	msg cct job-resume
	msg cct job-set-speed 0
	job_done cct
	eq "$S_LAYERS" 1 layers
	io read:0:1M read:1028k:14M write:1M:4k:3 verify
	retire cct d.qcow2
}

it "a snapshot when the old top cannot be committed" snapshot
snapshot() {
	breakable d.qcow2
	use spare single.qcow2
	mv single.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	attach e.qcow2
	break_writes d.qcow2 "$(table_at d.qcow2)" 256
	cowio "$DEV" write:1M:4k:9
	# or the timer was faster, and its commit has failed
	refuse_msg "EIO|EROFS" cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	status cct
	eq "$S_LAYERS" 4 layers
	cowio -m model.raw "$DEV" read:0:1M read:2M:14M
}

# thin_pool MIB: puts d.data on a device of 16 MiB with space for so many
thin_pool() {
	truncate -s 4M pool.meta
	truncate -s 32M pool.data
	attach pool.meta pool.data
	pool_table "$1" | dmsetup create cct-pool
	dmsetup message cct-pool 0 "create_thin 0"
	dmsetup create cct-thin --table "0 $SECTORS thin /dev/mapper/cct-pool 0"
	LOOP[d.data]=/dev/mapper/cct-thin
}

pool_table() {
	echo "0 $(($1 * 2048)) thin-pool ${LOOP[pool.meta]} ${LOOP[pool.data]} 128 0 2" \
		"skip_block_zeroing error_if_no_space"
}

grow_pool() {
	pool_table "$1" | dmsetup load cct-pool
	dmsetup suspend --noflush cct-pool
	dmsetup resume cct-pool
}

# Copies the thin device back to the data file.
keep_thin() {
	dd if=/dev/mapper/cct-thin of=d.data bs=1M conv=sparse status=none
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "without space the job stops, and continues when there is some" no_space
no_space() {
	need_target thin-pool
	use ext
	thin_pool 2
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	create cct
	DEV=/dev/mapper/cct
	msg cct stream
	wait_state cct paused
	eq "$S_IO" nospace io-status
	eq "$S_LAYERS" 4 layers
	# the guest gets the same error for a write that needs space
	io verify
	grow_pool 24
	msg cct job-resume
	job_done cct
	eq "$S_IO" ok io-status
	io verify
	remove cct
	keep_thin
	cmp d.data model.raw || fail "the data file is not the guest's disk"
}

it "without space, with the policy report" no_space_report
no_space_report() {
	need_target thin-pool
	use ext
	thin_pool 2
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	create cct
	DEV=/dev/mapper/cct
	msg cct stream on-error report
	job_done cct 28
	eq "$S_IO" nospace io-status
	eq "$S_LAYERS" 4 layers
	io verify
}

it "without space for a write of the guest" no_space_guest
no_space_guest() {
	need_target thin-pool
	use ext
	thin_pool 1
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	create cct
	DEV=/dev/mapper/cct
	io write:0:1M:1
	cowio "$DEV" ENOSPC!write:4M:64k:2 ENOSPC!write:5M:512:2
	io verify
	grow_pool 24
	io write:4M:64k:2 random:30:1 verify
	remove cct
	keep_thin
}

it "a layer that is removed in the middle of a job" unplugged
unplugged() {
	breakable b.qcow2
	msg cct base 0
	msg cct stream backing-file a.raw raw speed 65536 on-error report
	msg cct job-pause
	msg cct job-set-speed 0
	break_at b.qcow2 0 "$(sectors b.qcow2)"
	msg cct job-resume
	wait_state cct concluded
	[ "$S_ERR" -eq 0 ] || eq "$S_LAYERS" 4 layers
	repair b.qcow2
	io verify
	retire cct d.qcow2
}

run_cases
