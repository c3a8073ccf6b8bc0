#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is reserved for when there is no memory.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/injector.sh
. "$HERE/lib/injector.sh"

# Only on kernels with checkers.
! has_failslab || it "writes of parts of subclusters end without a page to allocate" fills

# Each page of the reserve is in a fill that waits for the cell, and what holds the cell must need none.
fills() {
	local rc=0

	need fio
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	# every second subcluster of a cluster reads as zeros, the others are unallocated; all of it is looked up
	io zero:5248k:4k zero:5256k:4k zero:5264k:4k zero:5272k:4k zero:5280k:4k zero:5288k:4k zero:5296k:4k \
		zero:5304k:4k zero:5312k:4k zero:5320k:4k zero:5328k:4k zero:5336k:4k zero:5344k:4k verify
	no_pages
	timeout 60 fio --name=parts --filename="$DEV" --offset=5248k --size=128k --bs=512 --rw=randwrite \
		--direct=1 --ioengine=libaio --iodepth=128 >out 2>&1 || rc=$?
	some_pages
	eq $rc 0 "status of fio, with 124 after a minute; it says $(<out)"
	remove cct
	keep check d.qcow2
}

run_cases
