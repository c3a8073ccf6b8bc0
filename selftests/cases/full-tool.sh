#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tool refuses what would not fit on a small file system or in a thin pool, unless it is forced.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/no-space.sh
. "$HERE/lib/no-space.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

it "the tool refuses a stream that cannot fit, and tries it with --force" tool_stream
tool_stream() {
	need cowchain
	use abcd
	use lean d.qcow2
	small_fs ext4
	mv d.qcow2 small/
	cowchain attach cct --layer raw:a.raw --layer qcow2:b.qcow2 --layer qcow2:c.qcow2 \
		--layer qcow2:small/d.qcow2
	DEV=/dev/mapper/cct
	fill 2048
	tool_fails 1 'small/d.qcow2 has [0-9.]+M free.*--base.*--force' stream cct
	status cct
	eq "$S_STATE" "" "job after a refusal"
	# c has no more than 1.2 MiB
	cowchain stream cct --base 1 --wait --quiet
	status cct
	eq "$S_LAYERS" 3 layers
	tool_fails 1 'free.*--force' stream cct --base none
	cowchain stream cct --base none --force
	wait_state cct paused
	eq "$S_IO" nospace io-status
	tool_fails 1 'make room.*small/d.qcow2 has [0-9.]+[BKM] free' wait cct --quiet
	make_room
	cowchain job cct resume
	cowchain wait cct --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	io verify
	remove cct
	cp small/d.qcow2 .
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "the tool refuses a copy and a snapshot that cannot fit, and leaves nothing behind" tool_copy
tool_copy() {
	local f

	need cowchain
	use abcd
	use lean d.qcow2
	small_fs ext4
	cowchain attach cct d.qcow2
	DEV=/dev/mapper/cct
	fill 2048
	tool_fails 1 'new.qcow2 has [0-9.]+M free.*--force' copy cct small/new.qcow2
	tool_fails 1 'new.data has [0-9.]+M free.*--force' copy cct new.qcow2 --data-file small/new.data
	for f in new.qcow2 small/new.qcow2 small/new.data; do
		[ ! -e "$f" ] || fail "$f was left behind"
	done
	fill 0
	tool_fails 1 'No space left' snapshot cct small/e.qcow2
	[ ! -e small/e.qcow2 ] || fail "an image was left behind"
	status cct
	eq "$S_LAYERS" 4 layers
	make_room
	cowchain copy cct small/new.qcow2 --wait --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	io verify
}

it "the tool counts zeros if they take space" tool_zeros
tool_zeros() {
	local features

	need cowchain
	use ext
	use lean-ext
	small_fs ext4
	mv d.data small/
	for features in --no-discard-passdown ""; do
		# shellcheck disable=SC2086	# none, or one
		cowchain attach cct --layer raw:a.raw --layer qcow2:b.qcow2 --layer qcow2:c.qcow2 \
			--layer qcow2:d.qcow2,data=small/d.data $features
		fill 9216
		if [ -n "$features" ]; then
			tool_fails 1 'up to 16M.*small/d.data has [0-9.]+M free.*--force' stream cct
			remove cct
		fi
	done
	# zeros are holes again, and the rest fits
	DEV=/dev/mapper/cct
	cowchain stream cct --wait --quiet
	io verify
	remove cct
}

it "the tool knows that shared blocks have to be written again" tool_shared
tool_shared() {
	need cowchain
	use abcd
	use lean d.qcow2
	small_fs xfs
	# all of it is written, because blocks that are only reserved are not shared
	cp --sparse=never d.qcow2 small/
	rm d.qcow2
	cp --reflink=always small/d.qcow2 small/other.qcow2
	cowchain attach cct --layer raw:a.raw --layer qcow2:b.qcow2 --layer qcow2:c.qcow2 \
		--layer qcow2:small/d.qcow2
	fill 2048
	tool_fails 1 'up to [0-9.]+M.*small/d.qcow2 has [0-9.]+M free.*--force' stream cct
	rm small/other.qcow2
	sync -f small
	cowchain stream cct --wait --quiet
	DEV=/dev/mapper/cct
	io verify
	remove cct
}

it "the tool knows the space in a thin pool" tool_thin
tool_thin() {
	need cowchain
	use ext
	use lean-ext
	pool 3 error_if_no_space
	dmsetup message cct-pool 0 "create_thin 0"
	dmsetup create cct-thin0 --table "0 $SECTORS thin /dev/mapper/cct-pool 0"
	LOOP[d.data]=/dev/mapper/cct-thin0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	tool_fails 1 'up to 16M.*pool of /dev/mapper/cct-thin0 has 3.*M free.*--force' stream cct
	grow_pool 17
	cowchain stream cct --wait --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	io verify
}

run_cases
