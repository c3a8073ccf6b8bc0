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
	tool_fails 5 'make room.*small/d.qcow2 has [0-9.]+[BKM] free' wait cct --quiet
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
	tool_fails 1 'new.qcow2 has [0-9.]+M free.*--force' copy cct small/new.qcow2 --pivot
	tool_fails 1 'new.data has [0-9.]+M free.*--force' copy cct new.qcow2 --pivot --data-file small/new.data
	for f in new.qcow2 small/new.qcow2 small/new.data; do
		[ ! -e "$f" ] || fail "$f was left behind"
	done
	fill 0
	tool_fails 1 'No space left' snapshot cct small/e.qcow2
	[ ! -e small/e.qcow2 ] || fail "an image was left behind"
	status cct
	eq "$S_LAYERS" 4 layers
	make_room
	cowchain copy cct small/new.qcow2 --pivot --wait --quiet
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
	# zeros take no space there
	tool_fails 1 'up to [5-7][.0-9]*M.*pool of /dev/mapper/cct-thin0 has 3.*M free.*--force' stream cct
	grow_pool 9
	cowchain stream cct --wait --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	io verify
}

# on_new REGEX [OPTION...]: a new image on the small file system is attached, with this note or, for "", none
on_new() {
	local out

	cowchain create small/new.qcow2 --size 16M "${@:2}"
	out=$(cowchain attach cct small/new.qcow2 2>&1)
	if [ -n "$1" ]; then
		matches "$out" "small/new.qcow2: if its file system runs full.*$1" "note of attach"
	else
		eq "$out" "" "output of attach"
	fi
	cowchain detach cct
	wait_for 30 no_loops_on small
	rm small/new.qcow2
}

no_loops_on() { [ -z "$(mkloop -l "$T/$1/")" ]; }

clean_small() {
	umount small
	detach small.img
}

# reader DEVICE: opens it and, for each line of its input, reads the first block of it without waiting; prints what
# comes of that
reader() {
	python3 -c '
import errno, mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
buf = mmap.mmap(-1, 4096)
for line in sys.stdin:
	try:
		print("read", os.preadv(fd, [buf], 0, os.RWF_NOWAIT), flush=True)
	except OSError as e:
		print(errno.errorcode[e.errno], flush=True)' "$1"
}

# nowait_read RESULT WHEN
nowait_read() {
	local line

	echo >&"${READER[1]}"
	read -r -t 60 line <&"${READER[0]}" || fail "$2: no answer"
	eq "$line" "$1" "a nowait read $2"
}

# They cannot do nowait I/O, which a device goes on to promise: whoever has it open is to try again.
it "a copy to a thin volume, and from there to an encrypted one" thin_copy
thin_copy() {
	local to

	need cowchain python3
	attached
	pool 64
	dmsetup message cct-pool 0 "create_thin 0"
	dmsetup message cct-pool 0 "create_thin 1"
	dmsetup create cct-thin0 --table "0 $SECTORS thin /dev/mapper/cct-pool 0"
	dmsetup create cct-thin1 --table "0 $SECTORS thin /dev/mapper/cct-pool 1"
	modprobe -aq dm-crypt crypto_null ecb || skip "needs dm-crypt"
	dmsetup create cct-crypt --table "0 $SECTORS crypt cipher_null-ecb - 0 /dev/mapper/cct-thin1 0"
	io write:0:4k:7 random:10:1 verify
	coproc READER { reader $DEV; }
	nowait_read "read 4096" "of the old top"
	cowchain copy cct new.qcow2 --pivot --data-file /dev/mapper/cct-thin0 --wait --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	nowait_read EAGAIN "of the thin volume"
	io random:10:2 verify
	cowchain copy cct over.qcow2 --pivot --data-file /dev/mapper/cct-crypt --wait --quiet
	nowait_read EAGAIN "of the encrypted one"
	to=${READER[1]}
	exec {to}>&-
	wait "$READER_PID"
	io random:10:3 verify
	cowchain detach cct
	cmp /dev/mapper/cct-crypt model.raw || fail "the copy differs"
}

it "a copy to a device with other limits says what can be done" limits_refused
limits_refused() {
	attached
	mkdir -p /dev/cct-vg
	truncate -s 32M large.img stable.img
	ln -s "$(losetup --find --show --sector-size 4096 "$T/large.img")" /dev/cct-vg/large
	offline large "has logical blocks of 4096 bytes.* blocks of 512:.*unmount"
	eq "$(blockdev --getss $DEV)" 4096 "blocks"
	# back to the small ones, and then to a device that needs stable pages
	cowchain detach cct
	losetup --detach "$(readlink /dev/cct-vg/large)"
	cowchain attach cct d.qcow2
	attach stable.img
	ln -s "${LOOP[stable.img]}" /dev/cct-vg/stable
	echo 1 >"/sys/block/${LOOP[stable.img]#/dev/}/queue/stable_writes"
	offline stable "needs stable pages.*unmount"
	io verify random:10:1
	cowchain detach cct
	# it would stay set for the next file on this loop device
	echo 0 >"/sys/block/${LOOP[stable.img]#/dev/}/queue/stable_writes"
	rm -r /dev/cct-vg
}

# offline VOLUME REGEX: the copy is refused with this message, and what it says works
offline() {
	local out

	out=$(cowchain copy cct "$1.qcow2" --pivot --data-file "/dev/cct-vg/$1" 2>&1) && fail "$1 was accepted"
	matches "$out" "/dev/cct-vg/$1: $2" "message"
	[ ! -e "$1.qcow2" ] || fail "an image was left behind"
	eval "${out##*, then: }"
	cowchain wait cct --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	cmp $DEV model.raw || fail "the contents differ"
}

it "a note where a full file system may lose data without an error, and only there" doubts
doubts() {
	local block

	need cowchain mkfs.btrfs losetup
	small_fs ext4
	on_new ""
	umount small
	mkfs.ext4 -q -F "${LOOP[small.img]}"
	mount -o data=journal "${LOOP[small.img]}" small
	on_new "no direct I/O for it.*--reserve"
	on_new "" --reserve
	# an image and its data file: once
	cowchain create small/two.qcow2 --size 16M --data-file small/two.data
	eq "$(cowchain attach cct small/two.qcow2 2>&1 | grep -c 'runs full')" 1 "notes of attach"
	cowchain detach cct
	wait_for 30 no_loops_on small
	clean_small
	# the loop device claims direct I/O there
	small_fs btrfs
	on_new "chattr \\+C"
	on_new "" --reserve
	chattr +c small
	on_new "" --reserve
	chattr -c small
	chattr +C small
	on_new ""
	clean_small
	# sectors of 4096 bytes
	truncate -s 32M small.img
	block=$(losetup --find --show --sector-size 4096 "$T/small.img")
	mkfs.ext4 -q -F "$block"
	mount "$block" small
	on_new "blocks of 4096 bytes.*--reserve"
	on_new "" --reserve
	umount small
	losetup --detach "$block"
}

# Direct I/O only seems to be on: XFS writes parts of shared blocks through the page cache.
it "a note where a file shares its blocks with another one" shared_blocks
shared_blocks() {
	need cowchain
	small_fs xfs
	on_new ""
	cowchain create small/one.qcow2 --size 4M --reserve
	cp --reflink=always small/one.qcow2 small/two.qcow2
	matches "$(cowchain attach cct small/two.qcow2 2>&1)" 'two.qcow2: if .*shares blocks.*--reserve' "note"
	cowchain detach cct
	wait_for 30 no_loops_on small
	cp --reflink=never small/one.qcow2 small/three.qcow2
	eq "$(cowchain attach cct small/three.qcow2 2>&1)" "" "output of attach"
	cowchain detach cct
	wait_for 30 no_loops_on small
	clean_small
}

it "a device that is mounted is refused, with the place" mounted
mounted() {
	need cowchain
	small_fs ext4
	cowchain create top.qcow2 --size 16M
	tool_fails 1 "in use: mounted on $T/small" create "${LOOP[small.img]}" --size 1M --force
	tool_fails 1 "in use: mounted on $T/small" attach cct --layer "raw:${LOOP[small.img]}" --layer qcow2:top.qcow2
}

it "btrfs: the space of an image that was made with --reserve is enough" reserved
reserved() {
	need cowchain
	small_fs btrfs
	cowchain create small/new.qcow2 --size 16M --reserve
	cowchain create small/kept.qcow2 --size 1M
	tool_fails 1 'written in place.*another name' create small/kept.qcow2 --size 1M --force --reserve
	qemu-img check -q small/kept.qcow2 || fail "the image was overwritten"
	truncate -s 16M model.raw
	fill 0
	# a discard would give space back
	cowchain attach cct small/new.qcow2 --no-discard-passdown
	# shellcheck disable=SC2034	# for io
	DEV=/dev/mapper/cct
	io write:0:16M:1 flush write:4k:15M:2 write:512:1M:3 flush verify
	cowchain detach cct
}

run_cases
