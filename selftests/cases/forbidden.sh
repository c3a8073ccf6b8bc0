#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is forbidden while a job runs, and what is allowed.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# A chain with a job that runs until it is cancelled.
with_job() {
	use abcd
	use spare single.qcow2
	mv single.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	attach e.qcow2
	msg cct stream speed 65536
	wait_state cct running
}

finish() {
	in_state cct running || fail "the job is $S_STATE"
	msg cct job-set-speed 0
	job_done cct
	chain_is cct d.qcow2
	io verify
	retire cct d.qcow2
}

it "a second stream" second_stream
second_stream() {
	with_job
	refuse_msg EBUSY cct stream
	refuse_msg EBUSY cct stream speed 1
	finish
}

it "a snapshot during a commit" snapshot
snapshot() {
	with_job
	msg cct job-cancel
	attach c.qcow2
	remove cct
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct commit top 3 base 2 keep
	refuse_msg EBUSY cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	# and the layer is not in use
	detach e.qcow2
	msg cct job-cancel
	io verify
}

it "anything else while the job is paused" paused
paused() {
	with_job
	msg cct job-pause
	wait_state cct paused
	refuse_msg EBUSY cct stream
	refuse_msg EBUSY cct base 0
	msg cct job-resume
	wait_state cct running
	finish
}

it "another base" base
base() {
	with_job
	refuse_msg EBUSY cct base 0
	finish
}

it "layers that others have open for writing" other_writers
other_writers() {
	with_job
	TABLE="0 $SECTORS cowchain 0 2 raw ${LOOP[a.raw]} - qcow2 ${LOOP[d.qcow2]} -"
	refuse_create EBUSY
	finish
}

it "resume of a job that runs, and pause of one that is paused" twice
twice() {
	with_job
	refuse_msg EINVAL cct job-resume
	in_state cct running || fail "the job is $S_STATE"
	msg cct job-pause
	wait_state cct paused
	refuse_msg EINVAL cct job-pause
	in_state cct paused || fail "the job is $S_STATE"
	msg cct job-resume
	wait_state cct running
	finish
}

it "removal of an open device" open_device
open_device() {
	with_job
	exec 8<"$DEV"
	if dmsetup remove cct; then
		fail "an open device was removed"
	fi
	exec 8<&-
	finish
}

it "table, status and I/O work" allowed
allowed() {
	with_job
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:100:1 verify
	finish
}

run_cases
