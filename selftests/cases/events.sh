#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Events: dmsetup wait returns after one, and event numbers increase.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

abcd() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
}

# An event may come a moment after the change that it reports.
past_event() { [ "$(event_nr cct)" -gt "$1" ]; }

# event_of COMMAND...: expects that the command raises an event
event_of() {
	local nr

	nr=$(event_nr cct)
	"$@"
	wait_for 30 past_event "$nr"
}

it "the end of a job" job_end
job_end() {
	local nr

	abcd
	nr=$(event_nr cct)
	msg cct stream
	timeout 120 dmsetup wait cct "$nr" || fail "no event when the job ended"
	wait_state cct concluded
	# after the last event of the job, the table shows the new chain
	chain_is cct d.qcow2
}

it "a waiter sees the job concluded" waiter
waiter() {
	local nr i

	abcd
	msg cct stream speed 65536
	for ((i = 0; i < 20; i++)); do
		nr=$(event_nr cct)
		status cct
		[ "$S_STATE" != concluded ] || break
		[ "$i" -ne 3 ] || msg cct job-set-speed 0
		[ "$i" -gt 0 ] || msg cct job-set-speed 4194304
		timeout 120 dmsetup wait cct "$nr" || fail "no event, and the job is $S_STATE"
	done
	eq "$S_STATE" concluded "state after $i events"
}

it "pause, resume and cancel" verbs
verbs() {
	abcd
	msg cct stream speed 65536
	event_of msg cct job-pause
	event_of msg cct job-resume
	event_of msg cct job-cancel
	wait_state cct concluded
}

it "a snapshot" snapshot
snapshot() {
	abcd
	use spare single.qcow2
	attach single.qcow2
	event_of msg cct snapshot qcow2 "${LOOP[single.qcow2]}" -
}

it "plain I/O raises no event" quiet
quiet() {
	local nr

	abcd
	io write:0:4k:1
	wait_counted cct
	nr=$(event_nr cct)
	io random:50:1 flush
	msg cct base 0
	status cct
	eq "$(event_nr cct)" "$nr" "event number"
}

run_cases
