#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Live block copy: a snapshot to the new image, then a stream without a base.
# Quick: to_external
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# copy_to FORM: moves the disk to a new image while it is being written
copy_to() {
	local data=-

	use abcd
	use spare "$1.qcow2"
	mv "$1.qcow2" new.qcow2
	qcow2poke new.qcow2 backing d.qcow2 qcow2
	attach new.qcow2
	if [ "$1" = ext ]; then
		trash new.data $((16 << 20))
		qcow2poke new.qcow2 ext 0x44415441 new.data
		attach new.data
		data=${LOOP[new.data]}
	fi
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:50:1
	cp model.raw old.raw
	msg cct snapshot qcow2 "${LOOP[new.qcow2]}" "$data"
	msg cct stream
	io random:150:2
	job_done cct
	io verify
	status cct
	eq "$S_LAYERS" 1 layers
	# the old image can be removed, or used by others, while the device continues
	detach a.raw b.qcow2 c.qcow2 d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 old.raw
	io random:50:3 verify
}

it "to a single file" to_single
to_single() {
	copy_to single
	chain_is cct new.qcow2
	retire cct new.qcow2
	eq "$(qcow2poke new.qcow2 backing)" "" "backing file"
}

it "to an external data file, which is a raw disk then" to_external
to_external() {
	copy_to ext
	chain_is cct new.qcow2,new.data
	retire cct new.qcow2
	cmp new.data model.raw || fail "the data file is not the guest's disk"
	keep identical new.data model.raw
	# and it can be used as such at once
	attach new.data
	TABLE="0 $SECTORS cowchain 0 1 raw ${LOOP[new.data]} -"
	create cct2 --readonly
	cowio -m model.raw /dev/mapper/cct2 verify
}

run_cases
