#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Compressed clusters: how often they are decompressed, what is damaged, and what is slow or short of memory. That
# they read right is tested in read.sh.
# Seconds: 70
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"

LIMIT=/sys/module/dm_cowchain/parameters/unpacked_kib

# unpacked NAME: sets HITS and MISSES of a chain; other counters follow
unpacked() { read -r _ HITS _ MISSES _ <<<"$(dmsetup message "$1" 0 stats)"; }

# on KIND [NAME]: a chain with a top over a layer of that kind
on() {
	use kinds "$1.qcow2" base.raw
	cp "$FIXTURES/kinds/$1.model" model.raw
	use spare single.qcow2
	qcow2poke single.qcow2 backing "$1.qcow2" qcow2
	mkchain "${2:-cct}" base.raw "$1.qcow2" single.qcow2
}

it "a sequential reader decompresses each cluster once" sequential
sequential() {
	local i reads=()

	on comp-64k
	# 2 MiB of compressed clusters, 4 KiB each time
	for ((i = 0; i < 512; i++)); do
		reads+=("read:$((8192 + i * 4))k:4k")
	done
	io "${reads[@]}"
	unpacked cct
	eq "$MISSES" 32 "clusters that were decompressed"
	io read:8M:2M read:9000k:512
	unpacked cct
	eq "$MISSES" 32 "clusters that were decompressed"
	[ "$HITS" -ge 512 ] || fail "$HITS hits"
	retire cct single.qcow2
}

it "readers at the same time share one decompression" shared_read
shared_read() {
	local i pid pids=()

	on comp-2M
	for i in 0 1 2 3 4 5 6 7; do
		cowio -m model.raw "$DEV" "read:$((8 * 1024 + i * 100))k:64k" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	unpacked cct
	eq "$MISSES" 1 "clusters that were decompressed"
	retire cct single.qcow2
}

it "two chains on one image share what was decompressed" shared_base
shared_base() {
	on comp-64k
	cp "$FIXTURES/spare/single.qcow2" other.qcow2
	qcow2poke other.qcow2 backing comp-64k.qcow2 qcow2
	mkchain cct-other base.raw comp-64k.qcow2 other.qcow2
	cowio -m model.raw /dev/mapper/cct read:8M:1M
	cowio -m model.raw /dev/mapper/cct-other read:8M:1M
	unpacked cct
	eq "$MISSES" 16 "clusters that the first has decompressed"
	unpacked cct-other
	eq "$MISSES" 0 "clusters that the second has decompressed"
	remove cct
	cowio -m model.raw /dev/mapper/cct-other read:8M:1M write:8M:512:1
	unpacked cct-other
	eq "$MISSES" 0 "clusters that the second has decompressed"
	remove cct-other
}

it "the cache is bounded" bounded
bounded() {
	local old

	old=$(cat $LIMIT)
	on comp-64k
	echo 1024 >$LIMIT
	io read:8M:4M read:8M:4M
	unpacked cct
	echo 0 >$LIMIT
	io read:8M:1M read:8M:1M random:30:5 verify
	echo "$old" >$LIMIT
	[ "$MISSES" -gt 64 ] || fail "only $MISSES clusters were decompressed: the cache was larger"
	retire cct single.qcow2
}

it "memory that is wanted back is given" shrinks
shrinks() {
	on comp-64k
	io read:8M:4M
	unpacked cct
	eq "$MISSES" 64 "clusters that were decompressed"
	echo 2 >/proc/sys/vm/drop_caches
	echo 2 >/proc/sys/vm/drop_caches
	io read:8M:4M
	unpacked cct
	[ "$MISSES" -gt 64 ] || fail "nothing was given back"
	retire cct single.qcow2
}

it "a stream, and what it leaves behind" streamed
streamed() {
	local sum

	on comp-zstd
	sum=$(cksum <comp-zstd.qcow2)
	msg cct stream
	io random:40:9
	job_done cct
	io verify
	eq "$(cksum <comp-zstd.qcow2)" "$sum" "the layer"
	retire cct single.qcow2
}

# damage FILE CLUSTER KIND: what the compressed data of a cluster of 64 KiB becomes
damage() {
	perl -MCompress::Raw::Zlib -e '
		my ($file, $cluster, $kind) = @ARGV;
		open(my $f, "+<", $file) or die "$file: $!";
		my $get = sub { seek($f, $_[0], 0); read($f, my $b, $_[1]); $b };
		my $l1 = unpack("Q>", $get->(40, 8));
		my $l2 = unpack("Q>", $get->($l1, 8)) & 0x00fffffffffffe00;
		my $entry = unpack("Q>", $get->($l2 + 8 * $cluster, 8));
		$entry >> 62 & 1 or die "cluster $cluster is not compressed";
		my $at = $entry & ((1 << 54) - 1);
		my %len = (other => 65536, short => 65535, long => 65537, bomb => 8 << 20);
		my $data = $get->($at, 30);
		if ($kind eq "bits") {
			$data = ~$data;
		} elsif ($kind eq "outside") {
			seek($f, $l2 + 8 * $cluster, 0);
			print $f pack("Q>", $entry & ~((1 << 54) - 1) | 1 << 45);
			exit;
		} else {
			my ($d) = new Compress::Raw::Zlib::Deflate(-WindowBits => -12, -AppendOutput => 1);
			$data = "";
			$d->deflate("Z" x $len{$kind}, $data);
			$d->flush($data);
		}
		seek($f, $at, 0);
		print $f $data;
	' "$@"
}

it "what is damaged, too short, or a bomb, is an error there, and nowhere else" damaged
damaged() {
	use kinds comp-64k.qcow2 base.raw
	cp "$FIXTURES/kinds/comp-64k.model" model.raw
	use spare single.qcow2
	qcow2poke single.qcow2 backing comp-64k.qcow2 qcow2
	damage comp-64k.qcow2 130 bits
	damage comp-64k.qcow2 140 short
	damage comp-64k.qcow2 150 long
	damage comp-64k.qcow2 160 bomb
	damage comp-64k.qcow2 170 outside
	mkchain cct base.raw comp-64k.qcow2 single.qcow2
	mark damaged
	# what is behind it, in the same read, is good, and nothing of this is in memory
	cowio -m model.raw "$DEV" "EIO!read:$((130 * 64))k:128k"
	for i in 130 140 150 160 170; do
		cowio -m model.raw "$DEV" "EIO!read:$((i * 64 + 60))k:4k" "EIO!write:$((i * 64))k:512:1" \
			"read:$((i * 64 - 64))k:64k" "read:$((i * 64 + 64))k:64k" "write:$((i * 64))k:64k:$i" \
			"read:$((i * 64))k:64k"
	done
	logged "cowchain: .*layer .*: the compressed cluster at 0x.* is damaged"
	logged "cowchain: .*layer .*: guest offset 0x.*: compressed cluster lies outside the device"
	msg cct stream on-error report
	job_done cct
	retire cct single.qcow2
}

it "what was decompressed does not outlive its device" replaced
# It would be found by a device whose structure is where one was in memory. Of so many there is always such a one.
replaced() {
	local i names=()

	SECTORS=4096
	use faults-packed a.raw b.qcow2
	for i in {1..12}; do
		cp b.qcow2 "b$i.qcow2"
		names+=("cct-$i")
	done
	read_only_chains
	dd if=/dev/mapper/cct-1 of=model.raw bs=1M iflag=direct status=none
	for i in {1..12}; do
		cowio -m model.raw "/dev/mapper/cct-$i" read:64k:64k
	done
	remove "${names[@]}"
	# the same descriptor, but other data
	for i in {1..12}; do
		damage "b$i.qcow2" 1 other
	done
	perl -e 'print "Z" x 65536' | dd of=model.raw conv=notrunc bs=64k seek=1 status=none
	read_only_chains
	for i in {1..12}; do
		cowio -m model.raw "/dev/mapper/cct-$i" verify
	done
	remove "${names[@]}"
}

read_only_chains() {
	local i

	for i in {1..12}; do
		layers a.raw "b$i.qcow2"
		create "cct-$i" --readonly
	done
}

it "a read of a compressed cluster that failed works when it is tried again" tried_again
tried_again() {
	use kinds comp-64k.qcow2 base.raw
	cp "$FIXTURES/kinds/comp-64k.model" model.raw
	use spare single.qcow2
	qcow2poke single.qcow2 backing comp-64k.qcow2 qcow2
	attach ro:comp-64k.qcow2
	over comp-64k.qcow2 "0 $(sectors comp-64k.qcow2) linear @ 0"
	mkchain cct base.raw comp-64k.qcow2 single.qcow2
	# tables
	io read:8M:4k
	change comp-64k.qcow2 "0 $(sectors comp-64k.qcow2) error"
	cowio -m model.raw "$DEV" "EIO!read:9M:4k"
	repair comp-64k.qcow2
	io read:9M:4k verify
	retire cct single.qcow2
}

it "neighbours with the same compressed data" same_entry
same_entry() {
	local i

	use kinds comp-64k.qcow2 base.raw
	cp "$FIXTURES/kinds/comp-64k.model" model.raw
	use spare single.qcow2
	qcow2poke single.qcow2 backing comp-64k.qcow2 qcow2
	perl -e '
		my ($file, $cluster) = @ARGV;
		open(my $f, "+<", $file) or die "$file: $!";
		my $get = sub { seek($f, $_[0], 0); read($f, my $b, $_[1]); $b };
		my $l1 = unpack("Q>", $get->(40, 8));
		my $at = (unpack("Q>", $get->($l1, 8)) & 0x00fffffffffffe00) + 8 * $cluster;
		my $entry = $get->($at, 8);
		seek($f, $at + 8, 0);
		print $f $entry x 3;' comp-64k.qcow2 130
	for i in 131 132 133; do
		dd if=model.raw of=model.raw conv=notrunc bs=64k skip=130 seek=$i count=1 status=none
	done
	mkchain cct base.raw comp-64k.qcow2 single.qcow2
	io read:8256k:512k read:8381k:100k write:8447k:1k:7 verify
	msg cct stream
	job_done cct
	io verify
	retire cct single.qcow2
}

it "a layer that does not answer delays who needs it" slow_packed
slow_packed() {
	local pid

	use kinds comp-64k.qcow2 base.raw
	cp "$FIXTURES/kinds/comp-64k.model" model.raw
	use spare single.qcow2
	qcow2poke single.qcow2 backing comp-64k.qcow2 qcow2
	attach ro:comp-64k.qcow2
	over comp-64k.qcow2 "0 $(sectors comp-64k.qcow2) linear @ 0"
	mkchain cct base.raw comp-64k.qcow2 single.qcow2
	# tables, and a cluster that stays in memory
	io read:8M:4k
	slow comp-64k.qcow2
	cowio -m model.raw "$DEV" read:9M:4k &
	pid=$!
	wait_for 60 waiting 1
	io read:8200k:4k write:10M:64k:1 flush read:6M:4k
	kill -0 $pid || fail "it was not slow"
	repair comp-64k.qcow2
	wait $pid
	io verify
	retire cct single.qcow2
}

it "a read that must not wait, of pieces of which a later one has to" nowait_pieces
# io_uring asks so first. It tries again after EAGAIN, but not if that comes when a part has ended already.
nowait_pieces() {
	local i pieces=()

	need fio
	on comp-64k
	# every second cluster is data in the top
	for ((i = 128; i < 192; i += 2)); do
		pieces+=("write:$((i * 64))k:64k:$i")
	done
	io "${pieces[@]}"
	timeout 120 fio --name=pieces --filename="$DEV" --offset=8M --size=4M --rw=read --bs=128k --direct=1 \
		--ioengine=io_uring --iodepth=1 >out 2>&1 || fail "fio: $(<out)"
	timeout 120 fio --name=pieces --filename="$DEV" --size=8M --rw=write --bs=192k --direct=1 --verify=crc32c \
		--ioengine=io_uring --iodepth=4 >out 2>&1 || fail "fio: $(<out)"
	remove cct
}

run_cases
