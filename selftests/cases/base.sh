#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Base selection: each layer as the base, named in each way.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# with_base BASE LAYERS-LEFT...
with_base() {
	local base=$1 name=${*: -2:1}

	shift
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:40:"${#base}"
	msg cct base "$base"
	if [ "$base" = none ]; then
		msg cct stream
	else
		msg cct stream backing-file "$name" "${name##*.}"
	fi
	job_done cct
	chain_is cct "$@"
	io verify
	retire cct d.qcow2
}

it "base 0" base0
base0() {
	with_base 0 a.raw d.qcow2
	eq "$(qcow2poke d.qcow2 backing)" a.raw "backing file"
	rm b.qcow2 c.qcow2
}

it "base 1" base1
base1() {
	with_base 1 a.raw b.qcow2 d.qcow2
	eq "$(qcow2poke d.qcow2 backing)" b.qcow2 "backing file"
	rm c.qcow2
}

it "base none" base_none
base_none() {
	with_base none d.qcow2
	rm a.raw b.qcow2 c.qcow2
}

it "the base holds for one stream" once
once() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct base 1
	msg cct stream backing-file b.qcow2 qcow2
	job_done cct
	eq "$S_BASE" 1 base
	chain_is cct a.raw b.qcow2 d.qcow2
	io verify
}

it "the selection can be undone" taken_back
taken_back() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct base 1
	msg cct base none
	msg cct stream
	job_done cct
	eq "$S_BASE" - base
	chain_is cct d.qcow2
	io verify
}

it "a base that a snapshot moved deeper is still the same layer" after_snapshot
after_snapshot() {
	use abcd
	use spare single.qcow2
	mv single.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	attach e.qcow2
	msg cct base 1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	eq "$(msg cct base)" 1 "selected base"
	io random:20:1
	msg cct stream backing-file b.qcow2 qcow2
	job_done cct
	eq "$S_BASE" 1 base
	eq "$(msg cct base)" none "selected base after a stream"
	chain_is cct a.raw b.qcow2 e.qcow2
	io verify
	retire cct e.qcow2
	rm c.qcow2 d.qcow2
}

it "the top itself is refused" base_itself
base_itself() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	eq "$(msg cct base)" none "selected base at first"
	refuse_msg EINVAL cct base 3
	refuse_msg EINVAL cct base "${LOOP[d.qcow2]}"
	refuse_msg EINVAL cct base "7:${LOOP[d.qcow2]#/dev/loop}"
}

it "another base is refused while a job runs" while_running
while_running() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct base 0
	msg cct stream backing-file a.raw raw speed 65536
	refuse_msg EBUSY cct base 1
	refuse_msg EBUSY cct base none
	eq "$(msg cct base)" 0 "base of the job"
	msg cct job-set-speed 0
	job_done cct
	eq "$S_BASE" 0 base
	chain_is cct a.raw d.qcow2
}

it "after a stream the numbers are those of the shorter chain" renumbered
renumbered() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct base 1
	msg cct stream backing-file b.qcow2 qcow2
	job_done cct
	refuse_msg EINVAL cct base 2
	msg cct base "${LOOP[a.raw]}"
	eq "$(msg cct base)" 0 "selected base"
	msg cct stream backing-file a.raw raw
	job_done cct
	chain_is cct a.raw d.qcow2
	io verify
	retire cct d.qcow2
}

run_cases
