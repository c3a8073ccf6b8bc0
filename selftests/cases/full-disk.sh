#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The top on a file system that runs full: which I/O gets ENOSPC, what waits for space, and that nothing is
# lost. From the environment:
#	FULL_FS		file systems, default "ext4"
#	SEEDS		that many seeds for the guest's writes, default 1
#	SEED		the first of them, default 1
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/no-space.sh
. "$HERE/lib/no-space.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

: "${FULL_FS:=ext4}" "${SEEDS:=1}" "${SEED:=1}"

# chain_on TYPE FORM: makes a chain whose data is on a small file system; TOP is its top
chain_on() {
	if [ "$2" = ext ]; then
		use ext
		use lean-ext
		TOP=d.qcow2,d.data
		FILES=(d.data)
	else
		use abcd
		use lean d.qcow2
		TOP=d.qcow2
		FILES=(d.qcow2)
	fi
	small_fs "$1"
	on_small "${FILES[@]}"
	mkchain cct a.raw b.qcow2 c.qcow2 "$TOP"
}

judge() {
	remove cct
	from_small "${FILES[@]}"
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

# ---- file systems ----

# stops TYPE FORM WORD...: a stream without space pauses, tries again, and ends without an error once there
# is some
stops() {
	local nr

	chain_on "$1" "$2"
	shift 2
	fill 1024
	nr=$(event_nr cct)
	mark stops
	msg cct stream "$@"
	paused_nospace
	logged 'stream paused at offset [0-9]+: error -28'
	[ "$(event_nr cct)" -gt "$nr" ] || fail "no event"
	fill 0
	# the last MiB but one is far from the position of the job
	use_up 13312
	io verify ENOSPC!write:14M:64k:2 ENOSPC!fua:14M:4k:2 ENOSPC!write:14337k:512:2 flush
	msg cct job-resume
	paused_nospace
	make_room
	io write:14M:64k:2 write:14337k:512:3
	msg cct job-resume
	job_done cct
	eq "$S_IO" ok io-status
	chain_is cct "$TOP"
	io verify random:30:1 verify
	judge
}

stops_single() { stops "$1" single; }

stops_ext() {
	stops "$1" ext on-error stop
	cmp d.data model.raw || fail "the data file is not the disk"
}

for fs in $FULL_FS; do
	it "$fs: a stream into a file, the default policy" "stops_single $fs"
	it "$fs: a stream into an external data file, the policy stop" "stops_ext $fs"
done

it "the policy report: the job ends with ENOSPC, and can be started again" report
report() {
	chain_on ext4 single
	fill 1024
	msg cct stream on-error report
	job_done cct 28
	eq "$S_MODE $S_LAYERS $S_IO" "rw 4 nospace" "mode, layers, io-status"
	io verify
	make_room
	msg cct stream
	job_done cct
	chain_is cct d.qcow2
	io verify
	judge
}

# guest TYPE FORM SEED: nothing that was written without an error is lost: on the device, in a copy of the
# files made right after a flush, and after the device was created again
guest() {
	local out

	chain_on "$1" "$2"
	fill 1024
	out=$(io "ENOSPC?random:100:$3" flush)
	matches "$out" '^[0-9]+ failed' "writes without space"
	cp --sparse=always -L d.qcow2 crash.qcow2
	if [ "$2" = ext ]; then
		cp --sparse=always -L d.data crash.data
		qcow2poke crash.qcow2 ext 0x44415441 crash.data
	fi
	cp model.raw crash.model
	keep compare crash.qcow2 crash.model
	io verify
	remove cct
	create cct
	io verify "ENOSPC?random:30:$3" >/dev/null
	make_room
	io "random:30:$3" verify
	judge
}

# guest_and_job TYPE SEED: a guest that writes while a stream waits for space
guest_and_job() {
	chain_on "$1" single
	fill 512
	msg cct stream
	io "ENOSPC?random:60:$2" >/dev/null
	paused_nospace
	io "ENOSPC?random:60:$(($2 + 1000))" flush verify >/dev/null
	make_room
	msg cct job-resume
	io "random:60:$(($2 + 2000))"
	job_done cct
	io verify
	judge
}

for fs in $FULL_FS; do
	for ((seed = SEED; seed < SEED + SEEDS; seed++)); do
		it "$fs: writes to a full file: nothing acknowledged is lost, seed $seed" \
			"guest $fs single $seed"
		it "$fs: writes to a full external data file, seed $seed" "guest $fs ext $seed"
		it "$fs: writes while a stream waits for space, seed $seed" \
			"guest_and_job $fs $seed"
	done
done

it "zeros take no space, and the stream that writes them waits for some" zeros
zeros() {
	use ext
	use lean-ext
	small_fs ext4
	FILES=(d.data)
	on_small d.data
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	TABLE="0 $SECTORS cowchain 1 no_discard_passdown ${TABLE#* cowchain 0 }"
	create cct
	DEV=/dev/mapper/cct
	# sets only bits, so that the job finds zeros at first
	io zero:0:2M
	fill 0
	# only bits, too, as long as there are layers below
	io zero:14M:64k
	msg cct stream
	paused_nospace
	make_room
	msg cct job-resume
	job_done cct
	io verify
	judge
	cmp d.data model.raw || fail "the data file is not the disk"
}

# ---- metadata ----

# A chain in which tables for the second 32 MiB of the disk have no space yet, and none is left.
sparse_tables() {
	local table

	SECTORS=72216
	use stress a.raw b.qcow2 c.qcow2 model.raw
	cp "$FIXTURES"/stress/spare-ext.{qcow2,data} .
	mv spare-ext.qcow2 d.qcow2
	qcow2poke d.qcow2 backing c.qcow2 qcow2
	table=$(($(qcow2poke d.qcow2 l1 0) & 0x00fffffffffffe00))
	small_fs ext4
	on_small d.qcow2
	fallocate --punch-hole -o $((table + 4096)) -l 4096 small/d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,spare-ext.data
	fill 0
}

reload() {
	dmsetup load cct --table "$(dmsetup table cct)"
	dmsetup suspend --noflush cct
	dmsetup resume cct
	status cct
}

it "without space for metadata the chain is read-only until its table is reloaded" metadata
metadata() {
	local nr

	sparse_tables
	io write:1M:64k:1 flush
	nr=$(event_nr cct)
	cowio "$DEV" write:33M:64k:2
	mark metadata
	cowio "$DEV" ENOSPC!flush
	logged 'cannot commit metadata: error -28'
	status cct
	eq "$S_MODE" ro mode
	[ "$(event_nr cct)" -gt "$nr" ] || fail "no event"
	cowio "$DEV" EIO!write:2M:4k:9
	refuse_msg EROFS cct stream
	io read:0:33M read:34M:1M
	# as after a crash: what was flushed is on disk
	cp --sparse=always small/d.qcow2 crash.qcow2
	cp --sparse=always spare-ext.data crash.data
	qcow2poke crash.qcow2 ext 0x44415441 crash.data
	cp model.raw crash.model
	keep compare crash.qcow2 crash.model
	make_room
	cowchain reload cct
	status cct
	eq "$S_MODE" rw "mode after a reload"
	# what was never flushed may be there or not
	io read:0:33M read:33856k:1M write:33M:64k:3 verify random:30:1 flush
	remove cct
	from_small d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "without space for metadata a stream ends, and continues after the reload" metadata_stream
metadata_stream() {
	sparse_tables
	msg cct stream
	wait_state cct concluded
	[ "$S_ERR" -ne 0 ] || fail "the job ended well"
	eq "$S_MODE $S_LAYERS" "ro 4" "mode, layers"
	tool_fails 3 'cowchain reload cct' wait cct --quiet
	refuse_msg EROFS cct job-resume
	io verify
	make_room
	mark reload
	reload
	eq "$S_MODE" rw "mode after a reload"
	logged 'interrupted stream continues'
	job_done cct
	chain_is cct d.qcow2,spare-ext.data
	io verify
	remove cct
	from_small d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

run_cases
