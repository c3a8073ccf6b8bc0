#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The whole life of a chain with dmsetup alone, as the documentation describes it.
#
# Uses only programs of a user: losetup, dmsetup, qemu-img. The library runs the cases and cleans up.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

use_real_dmsetup

# Loop devices for A, B, C and D as a user attaches them.
losetup_all() {
	A=$(losetup --find --show --read-only a.raw)
	B=$(losetup --find --show --read-only b.qcow2)
	C=$(losetup --find --show --read-only c.qcow2)
	D=$(losetup --find --show d.qcow2)
}

it "create, base, stream, wait, remove" stream
stream() {
	local size nr line

	use abcd
	losetup_all
	size=$(blockdev --getsz "$A")
	dmsetup create cct --table \
		"0 $size cowchain 0 4 raw $A - qcow2 $B - qcow2 $C - qcow2 $D -"
	dmsetup table cct
	nr=$(dmsetup info --columns --noheadings -o events cct)
	dmsetup message cct 0 base 0
	dmsetup message cct 0 stream backing-file a.raw raw speed 10485760
	timeout 100 dmsetup wait cct "$nr"
	line=$(dmsetup status cct)
	# the first event need not be the last
	for _ in 1 2 3 4 5; do
		[[ $line != *" concluded "* ]] || break
		nr=$(dmsetup info --columns --noheadings -o events cct)
		line=$(dmsetup status cct)
		[[ $line != *" concluded "* ]] || break
		timeout 100 dmsetup wait cct "$nr"
	done
	matches "$line" "^0 $size cowchain rw 2 8 [0-9]+/[0-9]+ 10 stream concluded 0 16777216 16777216 10485760 ok 0 - 3\$" status
	matches "$(dmsetup table cct)" "^0 $size cowchain 0 2 raw 7:[0-9]+ - qcow2 7:[0-9]+ -\$" table
	dmsetup remove cct
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "snapshot and live copy" copy
copy() {
	local e

	need qemu-img losetup
	use abcd
	losetup_all
	dmsetup create cct --table \
		"0 32768 cowchain 0 4 raw $A - qcow2 $B - qcow2 $C - qcow2 $D -"
	qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=128k,preallocation=metadata \
		-b d.qcow2 -F qcow2 e.qcow2
	e=$(losetup --find --show e.qcow2)
	dmsetup message cct 0 snapshot qcow2 "$e" -
	dmsetup message cct 0 stream speed 1048576
	dmsetup message cct 0 job-pause
	dmsetup message cct 0 job-set-speed 0
	dmsetup message cct 0 job-resume
	wait_state cct concluded
	eq "$S_LAYERS" 1 layers
	losetup --detach "$A" "$B" "$C" "$D"
	dmsetup remove cct
	keep check e.qcow2
	keep compare e.qcow2 model.raw
}

it "an external data file" external
external() {
	local data

	use ext
	losetup_all
	data=$(losetup --find --show d.data)
	dmsetup create cct --table \
		"0 32768 cowchain 0 4 raw $A - qcow2 $B - qcow2 $C - qcow2 $D $data"
	dmsetup message cct 0 stream on-error stop
	wait_state cct concluded
	dmsetup remove cct
	cmp d.data model.raw || fail "the data file is not the guest's disk"
	keep identical d.data model.raw
}

it "a table to another size, and cancel" resize
resize() {
	local table

	use abcd
	losetup_all
	dmsetup create cct --table "0 32760 cowchain 0 4 raw $A - qcow2 $B - qcow2 $C - qcow2 $D -"
	dmsetup message cct 0 stream speed 65536
	dmsetup message cct 0 job-cancel
	wait_state cct concluded
	eq "$S_ERR" 125 "errno of a cancelled job"
	table=$(dmsetup table cct)
	dmsetup suspend cct
	dmsetup load cct --table "0 32768 ${table#0 32760 }"
	dmsetup resume cct
	eq "$(blockdev --getsz /dev/mapper/cct)" 32768 size
	cowio -m model.raw /dev/mapper/cct verify
}

run_cases
