#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The top in a thin pool that runs full: which I/O gets ENOSPC, what waits for space, and that nothing is lost.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/no-space.sh
. "$HERE/lib/no-space.sh"

it "a thin pool with error_if_no_space, single file" thin_error
thin_error() {
	use abcd
	use lean d.qcow2
	pool 3 error_if_no_space
	thin d.qcow2 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stream
	paused_nospace
	io verify ENOSPC!write:14M:64k:2 ENOSPC!write:14337k:512:2 "ENOSPC?random:100:5"
	grow_pool 24
	msg cct job-resume
	io "random:50:6"
	job_done cct
	chain_is_thin
	io verify
	remove cct
	from_thin d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

chain_is_thin() {
	status cct
	eq "$S_LAYERS $S_IO" "1 ok" "layers, io-status"
}

it "a thin pool with queue_if_no_space: all I/O waits, and gets ENOSPC after the timeout" thin_queue
thin_queue() {
	local pid timeout=/sys/module/dm_thin_pool/parameters/no_space_timeout

	use abcd
	use lean d.qcow2
	pool 3
	thin d.qcow2 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stream
	io write:14M:64k:2 &
	pid=$!
	wait_for 60 pool_is_full
	status cct
	eq "$S_STATE $S_IO" "running ok" "state while the pool waits"
	grow_pool 4
	# not enough: it waits again
	wait_for 60 pool_is_full
	grow_pool 6
	wait "$pid"
	job_done cct
	chain_is_thin
	echo 1 >$timeout
	# the guest fills the rest
	cowio -m model.raw "$DEV" "ENOSPC?random:100:7" verify
	echo 60 >$timeout
	grow_pool 32
	io random:50:8 verify
	remove cct
	from_thin d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "a device without space for the header: no snapshot, no chain" snapshot_full
snapshot_full() {
	use abcd
	use lean d.qcow2
	use lean single.qcow2
	mv single.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	pool 4 error_if_no_space
	thin e.qcow2 0
	# every block of it is shared from here on: a write needs a new one
	dmsetup suspend cct-thin0
	dmsetup message cct-pool 0 "create_snap 1 0"
	dmsetup resume cct-thin0
	thin d.qcow2 2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:1M:64k:1
	fill_pool
	refuse_msg ENOSPC cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	status cct
	eq "$S_MODE $S_LAYERS" "rw 4" "mode, layers"
	# it cannot be used alone either: the header could not show that it was written
	TABLE="0 $SECTORS cowchain 0 1 qcow2 ${LOOP[e.qcow2]} -"
	refuse_create ENOSPC 'cannot write the header: error -28'
	io write:1M:64k:2 flush verify
	grow_pool 32
	cp model.raw frozen.raw
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:30:1 verify
	remove cct
	from_thin d.qcow2
	from_thin e.qcow2
	keep compare d.qcow2 frozen.raw
	keep check e.qcow2
	keep compare e.qcow2 model.raw
}

# Another thin device takes the rest of the pool.
fill_pool() {
	dmsetup message cct-pool 0 "create_thin 9"
	dmsetup create cct-thin9 --table "0 32768 thin /dev/mapper/cct-pool 9"
	# more than there is
	dd if=/dev/zero of=/dev/mapper/cct-thin9 bs=64k oflag=direct status=none 2>/dev/null || true
	wait_for 30 pool_is_full
}

run_cases
