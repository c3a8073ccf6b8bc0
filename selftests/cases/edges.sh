#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Layers that end inside a block, special bios (polled, of a cgroup, thousands at a time), and which chains
# may use a top while a snapshot seals it.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

PREPARED=extended_l2=on,cluster_size=128k,preallocation=metadata

# fresh FILE BYTES [OPTION]: a prepared top above a.raw, on a device with old contents
fresh() {
	qemu-img create -q -f qcow2 -b a.raw -F raw -o "$PREPARED${3:+,$3}" "$1" "$2"
}

# data_of FILE CLUSTER: prints the offset of its data, in bytes
data_of() {
	local w

	read -r w _ < <(qcow2poke "$1" l2 "$2")
	echo $((w & 0x00fffffffffffe00))
}

# ---- the end of an image ----

# A disk of 1 MiB and two sectors; the host cluster of these has old contents.
ends_inside() {
	SECTORS=2050
	head -c $((SECTORS * 512)) /dev/urandom >a.raw
	cp a.raw model.raw
	fresh d.qcow2 $((SECTORS * 512))
	truncate -s $(($(data_of d.qcow2 8) + 131072)) d.qcow2
	head -c 131072 /dev/zero | tr '\0' x |
		dd of=d.qcow2 bs=128k oflag=seek_bytes seek="$(data_of d.qcow2 8)" conv=notrunc status=none
}

# A larger disk has zeros there, not the old contents of the device.
grows_by_zeros() {
	remove cct
	detach d.qcow2 a.raw
	qemu-img resize -q d.qcow2 +64k
	qemu-io -r -f qcow2 -c "read -P 0 $((SECTORS * 512)) 64k" d.qcow2 >out
	! grep -i "verification failed" out || fail "what is behind the old end shows"
	keep check d.qcow2
}

it "no old data is left behind the end of a disk: a write" end_write
end_write() {
	need qemu-img qemu-io
	ends_inside
	mkchain cct a.raw d.qcow2
	io "write:-512:512:1" verify
	grows_by_zeros
}

it "no old data is left behind the end of a disk: write zeroes in part" end_zero
end_zero() {
	need qemu-img qemu-io
	ends_inside
	mkchain cct a.raw d.qcow2
	io "zero:-1024:512" verify
	grows_by_zeros
}

it "no old data is left behind the end of a disk: a stream" end_stream
end_stream() {
	need qemu-img qemu-io
	ends_inside
	mkchain cct a.raw d.qcow2
	msg cct stream
	job_done cct
	io verify
	grows_by_zeros
}

it "a disk that ends inside a block of its device is refused" end_block
end_block() {
	local dev

	need qemu-img
	SECTORS=2048
	head -c $((SECTORS * 512)) /dev/urandom >a.raw
	fresh d.qcow2 $((2049 * 512))
	truncate -s %4096 d.qcow2
	dev=$(losetup --find --show --sector-size 4096 d.qcow2)
	LOOP[d.qcow2]=$dev
	layers a.raw d.qcow2
	refuse_create EINVAL "size is 2049 sectors, which is not a multiple of logical blocks"
	losetup -d "$dev"
	# a whole number of them is not
	fresh d.qcow2 $((2056 * 512))
	truncate -s %4096 d.qcow2
	dev=$(losetup --find --show --sector-size 4096 d.qcow2)
	LOOP[d.qcow2]=$dev
	layers a.raw d.qcow2
	create cct
	cowio /dev/mapper/cct write:-8k:8k:1 read:0:1M
	remove cct
	losetup -d "$dev"
}

it "subclusters smaller than a block of the device below are refused" small_subclusters
small_subclusters() {
	local dev

	need qemu-img
	SECTORS=2048
	head -c $((SECTORS * 512)) /dev/urandom >a.raw
	qemu-img create -q -f qcow2 -b a.raw -F raw -o extended_l2=on b.qcow2
	fresh d.qcow2 $((SECTORS * 512))
	qcow2poke d.qcow2 backing b.qcow2 qcow2
	truncate -s %65536 b.qcow2 d.qcow2
	dev=$(losetup --find --show --read-only --sector-size 4096 a.raw)
	LOOP[a.raw]=$dev
	layers a.raw b.qcow2 d.qcow2
	refuse_create EINVAL "its subclusters of 2048 bytes are smaller than logical blocks of 4096"
	losetup -d "$dev"
}

# ---- how bios travel ----

it "write zeroes without unmap keep the space" nounmap
nounmap() {
	local before

	use ext
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	io write:1M:2M:1
	sync d.data
	before=$(stat -c %b d.data)
	blkdiscard -z -o 1M -l 2M "$DEV"
	eq "$(stat -c %b d.data)" "$before" "blocks of the data file"
	io zero:1M:2M verify
	retire cct d.qcow2
}

# Prints the bytes that a cgroup has read from, or written to, the loop device of FILE.
bytes_of() {
	local nr=${LOOP[$1]#/dev/loop}

	sed -nE "s/^7:$nr .*$2=([0-9]+).*/\\1/p" "$CGROUP/io.stat"
}

# make_cgroup CONTROLLER...: sets CGROUP to a cgroup
make_cgroup() {
	CGROUP=$T/cgroup
	mkdir "$CGROUP"
	mount -t cgroup2 none "$CGROUP" || skip "needs cgroups"
	echo "${*/#/+}" >"$CGROUP/cgroup.subtree_control" || skip "needs the controllers $*"
	CGROUP+=/cct
	mkdir "$CGROUP"
}

drop_cgroup() {
	rmdir "$CGROUP"
	umount "${CGROUP%/cct}"
}

it "bios that a worker submits stay in the cgroup of their submitter" cgroup
cgroup() {
	make_cgroup io
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	(
		echo "$BASHPID" >"$CGROUP/cgroup.procs"
		# cold, and in part
		exec cowio "$DEV" read:4500k:64k write:8193k:512:1
	)
	[ "$(bytes_of a.raw rbytes)" -ge 65536 ] || fail "the reads are not in the cgroup: $(<"$CGROUP/io.stat")"
	[ "$(bytes_of d.qcow2 wbytes)" -ge 512 ] || fail "the write is not in the cgroup: $(<"$CGROUP/io.stat")"
	remove cct
	drop_cgroup
}

# The process that maps the bios is not in that cgroup. All of them go to a worker, since each is a part of a
# subcluster of 64 KiB.
it "what is written back stays in the cgroup that has dirtied it" writeback
writeback() {
	local i

	make_cgroup io memory
	use tops base.raw top-2M.qcow2
	mkchain cct base.raw top-2M.qcow2
	(
		echo "$BASHPID" >"$CGROUP/cgroup.procs"
		for i in 1 2 3 4; do
			tr '\0' "$i" </dev/zero | dd of="$DEV" bs=4k count=1 iflag=fullblock seek=$((i * 16 + 3)) conv=notrunc status=none
		done
	)
	sync "$DEV"
	[ "$(bytes_of top-2M.qcow2 wbytes)" -ge 16384 ] ||
		fail "the writes are not in the cgroup: $(<"$CGROUP/io.stat")"
	remove cct
	drop_cgroup
}

# polled_disk NAME BYTES: makes a disk in memory that supports polled I/O; POLLED is its path
polled_disk() {
	local dir=/sys/kernel/config/nullb/$1

	mkdir "$dir" || skip "needs null_blk"
	echo 1 >"$dir/memory_backed"
	echo $(($2 >> 20)) >"$dir/size"
	echo 1 >"$dir/submit_queues"
	echo 1 >"$dir/poll_queues" || skip "needs null_blk with polling"
	echo 1 >"$dir/power"
	POLLED=/dev/$1
}

no_polled_disks() {
	local dir

	for dir in /sys/kernel/config/nullb/cct*; do
		[ ! -d "$dir" ] || rmdir "$dir"
	done
}

it "polled I/O" polled
polled() {
	local f

	need fio
	modprobe -q null_blk nr_devices=0 2>/dev/null || skip "needs null_blk"
	[ -d /sys/kernel/config ] && grep -q configfs /proc/mounts ||
		mount -t configfs none /sys/kernel/config || skip "needs configfs"
	use abcd
	for f in a.raw b.qcow2 c.qcow2 d.qcow2; do
		polled_disk "cct${f%.*}" $(($(stat -c %s $f) + (1 << 20)))
		dd if=$f of="$POLLED" bs=64k status=none
		LOOP[$f]=$POLLED
	done
	# the raw layer is larger than the others now, which is allowed
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	create cct
	DEV=/dev/mapper/cct
	f=$(dmsetup info -c --noheadings -o minor cct)
	if [ "$(<"/sys/block/dm-$f/queue/io_poll")" = 0 ]; then
		[[ $(uname -r) != 6.1.* ]] || fail "polling is gone"
		# polled reads fail with a clear error, and others work
		cowio "$DEV" read:0:64k
		remove cct
		no_polled_disks
		return
	fi
	# cold and warm ranges; first writes to subclusters, partial and whole, which it reads back
	for f in --rw=randread --rw=randread "--rw=randwrite --bs=512 --verify=crc32c" \
		"--rw=randwrite --verify=crc32c" "--rw=randread --force_async=1"; do
		# shellcheck disable=SC2086	# words
		timeout 120 fio --name=polled --filename="$DEV" --size=14M --io_size=2M --direct=1 --bs=4k \
			--ioengine=io_uring --hipri=1 --iodepth=4 $f >out 2>&1 || fail "fio $f: $(<out)"
	done
	remove cct
	no_polled_disks
}

# Thousands of pieces, of which all but two need metadata that the device does not return.
it "a large discard holds up no other I/O, and what it queues is bounded" flood
flood() {
	local pid

	need_target delay
	SECTORS=$((4160 * 65536))
	use tops base.raw huge.qcow2
	layers base.raw huge.qcow2
	over huge.qcow2 "0 $(sectors huge.qcow2) linear @ 0"
	words base.raw huge.qcow2
	TABLE="0 $SECTORS cowchain 0 2 $WORDS"
	create cct
	DEV=/dev/mapper/cct
	cowio "$DEV" read:0:4k read:32M:4k
	change huge.qcow2 "0 $(sectors huge.qcow2) delay @ 0 100000 @ 0 0"
	blkdiscard --force "$DEV" &
	pid=$!
	wait_for 60 throttled $pid
	timeout 80 cowio "$DEV" zeros:1M:4k write:32M:4k:2 fua:1M:4k:3 flush || fail "a discard holds up other I/O"
	throttled $pid || fail "the discard has been queued as a whole"
	change huge.qcow2 "0 $(sectors huge.qcow2) linear @ 0"
	wait "$pid"
	cowio "$DEV" zeros:0:1M zeros:9G:1M zeros:129G:1M
	remove cct
}

# throttled PID: does the process wait until its discards have room in the queue?
throttled() { grep -q cc_throttle_wait "/proc/$1/stack"; }

# ---- a top that is being sealed ----

sealing_chain() {
	use abcd
	use spare single.qcow2
	mv single.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	attach e.qcow2
	over d.qcow2 "0 $(sectors d.qcow2) linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:1
}

has_identity() { head -c 4096 "$1" | grep -a -q CwId; }

# Flushes do not end, so that the snapshot waits; meanwhile another chain tries to read the old top.
it "until a snapshot is done, no other chain can use the old top" sealing
sealing() {
	local pid n

	need_target delay
	sealing_chain
	n=$(sectors d.qcow2)
	change d.qcow2 "0 $n delay @ 0 0 @ 0 0 @ 0 20000"
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - &
	pid=$!
	# the new top has its identity: the old one has been claimed, and its seal waits for a flush
	wait_for 60 has_identity e.qcow2
	words a.raw b.qcow2 c.qcow2 d.qcow2
	TABLE="0 $SECTORS cowchain 0 4 $WORDS"
	refuse_create EBUSY "in use by another chain" --readonly
	kill -0 "$pid" || fail "the snapshot is over already"
	change d.qcow2 "0 $n linear @ 0"
	wait "$pid"
	[[ $(dmsetup table cct) == *" cowchain 0 5 "* ]] || fail "no snapshot: $(dmsetup table cct)"
	create cct2 --readonly
	cowio -m "$T/model.raw" /dev/mapper/cct2 verify
	remove cct2
	io random:20:2 verify
	retire cct e.qcow2
}

it "after a snapshot that failed, its chain still has the old top" sealing_failed
sealing_failed() {
	need_target error
	sealing_chain
	# or a commit meets the errors first, and the chain is read-only
	io flush
	change d.qcow2 "0 $(sectors d.qcow2) error"
	refuse_msg EIO cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	change d.qcow2 "0 $(sectors d.qcow2) linear @ 0"
	words a.raw b.qcow2 c.qcow2 d.qcow2
	TABLE="0 $SECTORS cowchain 0 4 $WORDS"
	refuse_create EBUSY "in use by another chain" --readonly
	remove cct
	create cct2 --readonly
	remove cct2
}

it "a new top that needs stable pages is refused" stable
stable() {
	local queue

	sealing_chain
	queue=/sys/block/${LOOP[e.qcow2]#/dev/}/queue/stable_writes
	[ -w "$queue" ] || skip "no $queue"
	echo 1 >"$queue"
	refuse_msg EINVAL cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	logged "stable pages"
	echo 0 >"$queue"
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:20:2 verify
	retire cct e.qcow2
}

run_cases
