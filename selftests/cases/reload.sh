#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Reload, suspend and resize.
# Quick: same|late_writes|resize$
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# reload NAME [TABLE]: loads TABLE, by default the one that is active, and resumes
reload() {
	local table=${2:-$(dmsetup table "$1")}

	dmsetup load "$1" --table "$table"
	dmsetup suspend "$1"
	dmsetup resume "$1"
}

it "a reload with the same table changes nothing" same
same() {
	local table

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:40:1
	table=$(dmsetup table cct)
	reload cct
	eq "$(dmsetup table cct)" "$table" table
	io verify random:40:2
	reload cct
	io verify random:40:3 verify
	retire cct d.qcow2
}

it "a loaded table that is never resumed can be cleared" cleared
cleared() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	dmsetup load cct --table "$(dmsetup table cct)"
	io random:40:1
	dmsetup clear cct
	io random:40:2 verify
	dmsetup load cct --table "$(dmsetup table cct)"
	retire cct d.qcow2
}

it "what was written after the load is not lost" late_writes
late_writes() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	dmsetup load cct --table "$(dmsetup table cct)"
	# the new table must not have read the metadata already
	io random:80:1
	dmsetup suspend cct
	dmsetup resume cct
	io verify random:40:2 verify
	retire cct d.qcow2
}

it "all forms of suspend" suspend
suspend() {
	local how

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	for how in "" --noflush --nolockfs "--noflush --nolockfs"; do
		io random:20:"${#how}"
		# shellcheck disable=SC2086	# words
		dmsetup suspend $how cct
		dmsetup resume cct
		io verify
	done
	retire cct d.qcow2
}

it "of a suspended device, everything is in the image" suspended_image
suspended_image() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:80:1
	dmsetup suspend cct
	cp d.qcow2 suspended.qcow2
	cp model.raw suspended.raw
	dmsetup resume cct
	io random:40:2
	keep check suspended.qcow2
	keep compare suspended.qcow2 suspended.raw
	retire cct d.qcow2
}

it "I/O to a suspended device waits for the resume" waits
waits() {
	local pid

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	dmsetup suspend cct
	io write:0:64k:1 &
	pid=$!
	wait_for 60 writes "$pid"
	eq "$(qcow2poke d.qcow2 counts)" "0 0 4096" "subclusters in the file"
	writes "$pid" || fail "a write to a suspended device has ended"
	dmsetup resume cct
	wait $pid
	io verify
}

# writes PID: is the process in the middle of a write to a block device?
writes() { grep -q blkdev_write_iter "/proc/$1/stack"; }

it "to a larger image" resize
resize() {
	local table

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:40:1
	use spare larger.qcow2
	mv larger.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	attach e.qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:20:2
	# the new top is larger than the device: let the device grow
	table=$(dmsetup table cct)
	reload cct "0 49152 cowchain${table#*cowchain}"
	eq "$(blockdev --getsize64 /dev/mapper/cct)" 25165824 size
	truncate -s 24M model.raw
	io verify zeros:16M:8M write:-64k:64k:2 write:16380k:8k:3 verify
	retire cct e.qcow2
}

it "too large a size is refused, and the device continues to work" resize_refused
resize_refused() {
	local table

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:1
	table=$(dmsetup table cct)
	mark resize
	! dmsetup load cct --table "0 49152 cowchain${table#*cowchain}" || fail "a device larger than its top"
	logged 'size is 32768 sectors, the table needs 49152'
	eq "$(blockdev --getsize64 /dev/mapper/cct)" 16777216 size
	io verify random:20:2 verify
	retire cct d.qcow2
}

it "a read-only chain becomes writable, and vice versa" modes
modes() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:1
	dmsetup load cct --readonly --table "$(dmsetup table cct)"
	dmsetup suspend cct
	dmsetup resume cct
	status cct
	eq "$S_MODE" ro mode
	cowio -m model.raw /dev/mapper/cct verify
	reload cct
	status cct
	eq "$S_MODE" rw mode
	io random:20:2 verify
	retire cct d.qcow2
}

it "a chain cut by hand to what the header says" to_shorter
to_shorter() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	reload cct
	chain_is cct a.raw d.qcow2
	io verify random:20:1
	retire cct d.qcow2
}

it "a reload while a job runs" with_job
with_job() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stream speed 65536
	wait_for 60 moved
	reload cct
	io verify random:20:1
	msg cct job-set-speed 0
	job_done cct
	chain_is cct d.qcow2
	io verify
	retire cct d.qcow2
}

moved() {
	status cct
	[ "$S_STATE" = running ] && [ "$S_OFF" -gt 0 ]
}

it "only the same device can load the layers of the old table" two_devices
two_devices() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	TABLE=$(dmsetup table cct)
	refuse_create EBUSY
	dmsetup load cct --table "$TABLE"
	refuse_create EBUSY
	dmsetup suspend cct
	dmsetup resume cct
	refuse_create EBUSY
	io random:20:1 verify
	retire cct d.qcow2
}

run_cases
