#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Hostile images: wrong headers, tables and entries, cut files. They lead to clear errors, and nothing worse.
# Seconds: 90
# Quick: header|l2_top|cut_below
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

abcd() {
	use abcd
	layers a.raw b.qcow2 c.qcow2 d.qcow2
}

# bad_header ERRNO REGEX POKE-COMMAND...: expects that d.qcow2 with this change is refused as a top
bad_header() {
	local errno=$1 regex=$2

	shift 2
	qcow2poke d.qcow2 "$@"
	cp d.qcow2 before
	mark bad
	refuse_create "$errno" "$regex"
	cmp before d.qcow2 || fail "a refused image was changed: $*"
	cp "$FIXTURES/abcd/d.qcow2" d.qcow2
}

it "headers that contradict the format" header
header() {
	abcd
	bad_header EMEDIUMTYPE 'qcow2|magic' u32 0 0x12345678
	bad_header EMEDIUMTYPE 'version' set version 1
	bad_header EMEDIUMTYPE 'version' set version 4
	bad_header EMEDIUMTYPE 'cluster' set cluster_bits 8
	bad_header EMEDIUMTYPE 'cluster' set cluster_bits 22
	bad_header EMEDIUMTYPE 'cluster' set cluster_bits 0xffffffff
	bad_header EINVAL 'size|L1' set size 1T
	bad_header EFBIG 'size|disk|length' set size 8M
	bad_header EINVAL 'size' set size 0xffffffffffffffff
	bad_header EOPNOTSUPP 'crypt' set crypt_method 1
	bad_header EOPNOTSUPP 'crypt|method' set crypt_method 7
	bad_header EINVAL 'L1' set l1_size 0
	bad_header EFBIG 'L1' set l1_size 0x1000000
	bad_header EINVAL 'L1' set l1_table_offset 0
	bad_header EINVAL 'L1' set l1_table_offset 393217
	bad_header EINVAL 'L1' set l1_table_offset 0x7fffffffffff0000
	bad_header EINVAL 'L1' set l1_table_offset 0xffffffffffff0000
	bad_header EINVAL 'refcount' set refcount_table_offset 131073
	bad_header EINVAL 'refcount' set refcount_table_offset 0x7ffffffffffe0000
	bad_header EFBIG 'refcount' set refcount_table_clusters 0x1000000
	bad_header EMEDIUMTYPE 'snapshot' set nb_snapshots 1
	bad_header EINVAL 'header' set header_length 96
	bad_header EINVAL 'header' set header_length 108
	bad_header EINVAL 'header' set header_length 0x40000
	bad_header EINVAL 'header' set header_length 0xfffffff8
	bad_header EINVAL 'backing|name' set backing_file_size 1024
	bad_header EINVAL 'backing|name' set backing_file_size 0xffffffff
	bad_header EINVAL 'backing|name' set backing_file_offset 131071
	bad_header EINVAL 'backing|name' set backing_file_offset 0xffffffffffffff00
	create cct
}

it "a feature that must not be ignored is named" features
features() {
	abcd
	bad_header EMEDIUMTYPE 'dirty' set incompatible_features 0x11
	bad_header EMEDIUMTYPE 'corrupt' set incompatible_features 0x12
	bad_header EINVAL 'data file|data device' set incompatible_features 0x14
	bad_header EMEDIUMTYPE 'extended|prepared' set incompatible_features 0
	bad_header EINVAL 'compression type 0' set incompatible_features 0x18
	bad_header EOPNOTSUPP 'bit.* 5|0x20' set incompatible_features 0x30
	bad_header EOPNOTSUPP 'bit.* 37|0x2000000000' set incompatible_features 0x2000000010
	bad_header EOPNOTSUPP 'bit.* 63|0x8000000000000000' set incompatible_features 0x8000000000000010
	bad_header EMEDIUMTYPE 'autoclear' set autoclear_features 1
	bad_header EMEDIUMTYPE 'autoclear' set autoclear_features 0x8000000000000000
	create cct
}

it "unknown features in a layer below" features_below
features_below() {
	local bits

	abcd
	for bits in 0x20 0x30 0x8000000000000000; do
		qcow2poke c.qcow2 set incompatible_features $bits
		mkloop -x "${LOOP[c.qcow2]}"
		unset "LOOP[c.qcow2]"
		layers a.raw b.qcow2 c.qcow2 d.qcow2
		refuse_create EOPNOTSUPP 'bit|feature'
	done
}

it "images of kinds that are not supported" kinds
kinds() {
	local f

	SECTORS=2048
	use refused
	layers base.raw luks.qcow2
	refuse_create EOPNOTSUPP 'encrypted'
	for f in other.vmdk snap.qcow2 bitmap.qcow2; do
		layers base.raw $f
		refuse_create EMEDIUMTYPE
	done
	# not an image at all, and an empty one
	truncate -s 1M empty.qcow2
	layers empty.qcow2
	refuse_create EMEDIUMTYPE 'not a qcow2 image'
	head -c 1M /dev/urandom >noise.qcow2
	layers base.raw noise.qcow2
	refuse_create EMEDIUMTYPE 'not a qcow2 image'
}

# refuses_or_eio OFFSET: expects that the table is refused, or that I/O there fails with EIO and a line in the log
refuses_or_eio() {
	cp d.qcow2 before
	mark bad
	if dmsetup create cct --table "$TABLE" 2>/dev/null; then
		cowio /dev/mapper/cct "EIO!read:$1:4k" "EIO!write:$1:512:1" "EIO!write:$1:4k:1"
		logged "cowchain: .{8}"
		remove cct
	fi
	logged "cowchain: .{8}"
}

# The entries of section 2 of the design, in a layer that is only read. c.qcow2 holds data in the
# first subcluster of cluster 1 (128k); the rest of that cluster comes from below.
# entry EXPECTATION WORD0 WORD1: data, EIO
entry() {
	cp "$FIXTURES/abcd/c.qcow2" c.qcow2
	qcow2poke c.qcow2 l2 1 "$2" "$3"
	attach ro:c.qcow2
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	create cct
	mark entry
	case $1 in
	data) cowio -m model.raw /dev/mapper/cct read:128k:128k ;;
	EIO)
		cowio /dev/mapper/cct EIO!read:128k:4k
		logged "cowchain: .{8}"
		;;
	esac
	# other entries are not affected
	cowio -m model.raw /dev/mapper/cct read:0:128k read:256k:1M read:12M:1M
	remove cct
	detach c.qcow2
}

it "bad L2 entries in a layer below" l2_below
l2_below() {
	local w0 off

	use abcd
	read -r w0 _ < <(qcow2poke c.qcow2 l2 1)
	off=$((w0 & 0x00fffffffffffe00))
	entry data - -
	entry data $off -				# without COPIED: data for QEMU
	entry data $((w0 | 1)) -			# bit 0: ignored
	entry data $((w0 | 0x100)) -			# reserved bits: data for QEMU
	entry data $((w0 | 1 << 57)) -
	entry EIO - 0x0000000100000001			# allocated and zero
	entry EIO 0 0x0000000000000001			# allocated without an offset
	entry EIO $((1 << 63)) 0x0000000000000001
	entry EIO $((w0 + 512)) -			# unaligned
	entry EIO $((w0 + 65536)) -
	entry EIO $((w0 | 1 << 62)) -			# compressed, but it is not
	entry EIO $(((1 << 63) | (1 << 40))) -		# beyond the device
	entry EIO 0x80fffffffffe0000 -
	untouched abcd a.raw b.qcow2
}

it "a device that fails often does not silence another" not_silenced
not_silenced() {
	local i

	use abcd
	qcow2poke c.qcow2 l2 1 0 0x0000000000000001
	attach ro:c.qcow2
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	create cct
	for ((i = 0; i < 15; i++)); do
		cowio /dev/mapper/cct EIO!read:128k:4k
	done
	remove cct
	create cct
	mark other
	cowio /dev/mapper/cct EIO!read:128k:4k
	logged "cowchain: .*guest offset"
}

it "zero bits are valid without an offset, too" zero_without_offset
zero_without_offset() {
	use abcd
	qcow2poke c.qcow2 l2 1 0 0xffffffff00000000
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	cowio "$DEV" zeros:128k:128k
}

# top_entry WORD0 WORD1: puts this into the entry of cluster 2 of the top, and expects that it is refused
top_entry() {
	cp "$FIXTURES/abcd/d.qcow2" d.qcow2
	qcow2poke d.qcow2 l2 2 "$1" "$2"
	refuses_or_eio 256k
	eq "$(qcow2poke d.qcow2 l2 2)" "$(qcow2poke before l2 2)" "the bad entry afterwards"
	keep_going
}

# After a bad entry was repaired, everything works.
keep_going() {
	cp "$FIXTURES/abcd/d.qcow2" d.qcow2
	create cct
	cowio -m model.raw /dev/mapper/cct verify
	remove cct
}

it "bad L2 entries in the top" l2_top
l2_top() {
	local w0

	abcd
	read -r w0 _ < <(qcow2poke d.qcow2 l2 2)
	top_entry 0 0					# freed, e.g. by QEMU's discard
	top_entry 0 0x0000000000000001
	top_entry $((w0 & ~(1 << 63))) -		# without COPIED
	top_entry - 0x0000000100000001
	top_entry $((w0 + 512)) -
	top_entry $((w0 | 1 << 62)) -
	top_entry $((w0 | 0x2)) -
	top_entry $(((1 << 63) | (1 << 40))) -
	# onto the L2 table with this entry
	top_entry "$(qcow2poke d.qcow2 l1 0)" -
	untouched abcd a.raw b.qcow2 c.qcow2
}

it "a freed cluster is reported as not prepared for writing" not_prepared
not_prepared() {
	abcd
	qcow2poke d.qcow2 l2 2 0 0
	refuse_create EMEDIUMTYPE 'guest offset 0x40000: .*not prepared'
	cp "$FIXTURES/spare/unprepared.qcow2" d.qcow2
	refuse_create EMEDIUMTYPE prepared
	cp "$FIXTURES/spare/standard.qcow2" d.qcow2
	refuse_create EMEDIUMTYPE 'prepared|extended'
}

it "with an external data file only the offset of the guest is accepted" data_file_offset
data_file_offset() {
	use ext
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	qcow2poke d.qcow2 l2 2 0x8000000000060000 0x1
	refuses_or_eio 256k
	cp "$FIXTURES/ext/d.qcow2" d.qcow2
	# the first cluster has offset 0: fine
	qcow2poke d.qcow2 l2 0 0x8000000000000000 0
	create cct
	DEV=/dev/mapper/cct
	io write:0:4k:1 verify
	retire cct d.qcow2
}

it "bad L1 entries in the top" l1_top
l1_top() {
	local l1

	abcd
	l1=$(qcow2poke d.qcow2 l1 0)
	bad_header EMEDIUMTYPE 'L1|L2' l1 0 0
	bad_header EMEDIUMTYPE 'L1|L2' l1 0 $((l1 & ~(1 << 63)))
	bad_header EMEDIUMTYPE 'L1|L2' l1 0 $((l1 + 512))
	bad_header EMEDIUMTYPE 'L1|L2' l1 0 $(((1 << 63) | (1 << 50)))
	bad_header EMEDIUMTYPE 'L1|L2' l1 0 0x80fffffffffe0000
	# onto the header, the refcount table, the L1 table
	bad_header EMEDIUMTYPE 'L1|L2' l1 0 $((1 << 63))
	bad_header EMEDIUMTYPE 'L1|L2' l1 0 $(((1 << 63) | 131072))
	bad_header EMEDIUMTYPE 'L1|L2' l1 0 $(((1 << 63) | $(qcow2poke d.qcow2 get l1_table_offset)))
	create cct
}

it "two L1 entries for one table" l1_twice
l1_twice() {
	SECTORS=5120000
	use tops large.raw large-top.qcow2
	layers large.raw large-top.qcow2
	qcow2poke large-top.qcow2 l1 1 "$(qcow2poke large-top.qcow2 l1 0)"
	refuse_create EMEDIUMTYPE 'L1|L2'
}

it "bad L1 entries in a layer below" l1_below
l1_below() {
	local entry

	use abcd
	for entry in $(((1 << 63) | (1 << 50))) $((0x8000000000000200)) 0x80fffffffffe0000; do
		cp "$FIXTURES/abcd/c.qcow2" c.qcow2
		qcow2poke c.qcow2 l1 0 "$entry"
		attach ro:c.qcow2
		layers a.raw b.qcow2 c.qcow2 d.qcow2
		mark bad
		if dmsetup create cct --table "$TABLE"; then
			cowio /dev/mapper/cct EIO!read:128k:4k
			remove cct
		fi
		logged "cowchain: .{8}"
		detach c.qcow2
	done
}

it "cut images as a top" cut_top
cut_top() {
	local size errno

	use abcd
	# the header, the L1 table, the L2 table: none of them may be cut
	for size in 512:EIO 4096:EINVAL 65536:EINVAL 131072:EINVAL 262144:EINVAL 400000:EMEDIUMTYPE \
		524288:EMEDIUMTYPE; do
		errno=${size#*:} size=${size%:*}
		cp "$FIXTURES/abcd/d.qcow2" d.qcow2
		truncate -s "$size" d.qcow2
		layers a.raw b.qcow2 c.qcow2 d.qcow2
		refuse_create "$errno"
		mkloop -x "${LOOP[d.qcow2]}"
		unset "LOOP[d.qcow2]"
	done
	# the tables are whole, the data is cut
	cp "$FIXTURES/abcd/d.qcow2" d.qcow2
	truncate -s 8M d.qcow2
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	mark bad
	if dmsetup create cct --table "$TABLE"; then
		cowio /dev/mapper/cct EIO!write:15M:4k
		remove cct
	fi
	logged "cowchain: .{8}"
}

it "cut images below" cut_below
cut_below() {
	local size

	use abcd
	for size in 512 65536 262144 655360 3M; do
		cp "$FIXTURES/abcd/c.qcow2" c.qcow2
		truncate -s $size c.qcow2
		layers a.raw b.qcow2 c.qcow2 d.qcow2
		mark bad
		if dmsetup create cct --table "$TABLE"; then
			cowio /dev/mapper/cct EIO!read:12M:4k
			remove cct
		fi
		logged "cowchain: .{8}"
		mkloop -x "${LOOP[c.qcow2]}"
		unset "LOOP[c.qcow2]"
	done
}

it "a layer whose file ends inside its last cluster: zeros follow" cut_inside
cut_inside() {
	local at

	use abcd
	# of 15808k
	read -r at _ < <(qcow2poke b.qcow2 l2 247)
	at=$((at & 0x00fffffffffffe00))
	eq "$(stat -c %s b.qcow2)" $((at + 65536)) "end of the last cluster"
	truncate -s $((at + 32768)) b.qcow2
	dd if=/dev/zero of=model.raw bs=32k seek=495 count=1 conv=notrunc status=none
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io verify read:15840k:4k write:15848k:512:1 verify
	msg cct stream
	job_done cct
	io verify
	retire cct d.qcow2
}

it "a data file that is too short" short_data
short_data() {
	use ext
	truncate -s 8M d.data
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	mark bad
	if dmsetup create cct --table "$TABLE"; then
		cowio /dev/mapper/cct EIO!write:12M:4k
		remove cct
	fi
	logged "cowchain: .{8}"
}

it "a snapshot onto a damaged layer is refused" snapshot
snapshot() {
	use abcd
	use spare single.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	attach single.qcow2
	for poke in "EMEDIUMTYPE set version 1" "EOPNOTSUPP set incompatible_features 0x30" "EINVAL set l1_size 0" \
		"EMEDIUMTYPE l1 0 0" "EFBIG set size 8M" "EMEDIUMTYPE set nb_snapshots 1" \
		"EMEDIUMTYPE set autoclear_features 1"; do
		# shellcheck disable=SC2086	# words
		qcow2poke single.qcow2 ${poke#* }
		refuse_msg "${poke%% *}" cct snapshot qcow2 "${LOOP[single.qcow2]}" -
		cp "$FIXTURES/spare/single.qcow2" single.qcow2
	done
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io verify write:0:64k:1 verify
	msg cct snapshot qcow2 "${LOOP[single.qcow2]}" -
	io random:20:1 verify
}

# The target limits how often it logs the same message in five seconds.
# flip FILE SEED COUNT LENGTH: changes random bytes within the first LENGTH
flip() {
	perl -e '
		my ($file, $seed, $count, $len) = @ARGV;
		open(my $f, "+<", $file) or die;
		srand($seed);
		for (1 .. $count) {
			seek($f, int(rand($len)), 0);
			print $f chr(int(rand(256)));
		}' "$@"
}

# eio_or_none COMMAND...: it works, or fails with EIO
eio_or_none() {
	local out

	out=$("$@" 2>&1) || [[ $out == *"Input/output error"* ]] || fail "$*: $out"
}

# pib FILE: of an image with clusters of 2 MiB it makes one of 1 PiB, with an L2 table of 2 MiB for each 256 GiB of
# it, as it has to be for a layer that is written. The file is sparse.
pib() {
	local args=(set size 1024T -- set l1_table_offset 64M -- set l1_size 4096) i

	for ((i = 0; i < 4096; i++)); do
		args+=(-- u64 $(((64 << 20) + i * 8)) $((1 << 63 | (34 + i) * 2 << 20)))
	done
	truncate -s 9G "$1"
	qcow2poke "$1" "${args[@]}"
}

it "a layer below the top that is larger than any map" larger_below
larger_below() {
	local c=top-2M.qcow2

	use abcd
	use tops $c
	pib $c
	attach ro:a.raw ro:b.qcow2 $c d.qcow2
	layers a.raw b.qcow2 $c d.qcow2
	create cct
	cowio /dev/mapper/cct read:0:1M
	# it would be read as a whole, written, and become the top
	refuse_msg EFBIG cct commit top 2 base 0 backing-file a.raw raw
	logged 'larger than 64 TiB'
	refuse_msg EFBIG cct stream top 2 base 0 backing-file a.raw raw
	logged 'larger than 64 TiB'
	refuse_msg EFBIG cct commit top 3 base 2
	logged 'larger than 64 TiB'
	cowio /dev/mapper/cct write:0:1M:1
	remove cct
}

it "random damage leads to errors, and to nothing worse" damage
# What the damaged image reads like is anybody's guess. But no other error comes of it than EIO, and nothing but
# the top is written.
damage() {
	local i f accepted=0

	abcd
	for ((i = 1; i <= 24; i++)); do
		f=c.qcow2
		[ $((i % 2)) -eq 0 ] || f=d.qcow2
		case $((i % 4)) in
		0 | 1) flip $f $i 2 104 ;;		# the header
		2) flip $f $i 6 600 ;;			# with its extensions
		3) flip $f $i 4000 655360 ;;		# all tables
		esac
		cp c.qcow2 before
		if dmsetup create cct --table "$TABLE" 2>/dev/null; then
			accepted=$((accepted + 1))
			eio_or_none cowio /dev/mapper/cct read:0:16M
			eio_or_none cowio /dev/mapper/cct random:30:$i
			if msg cct stream on-error report 2>/dev/null; then
				wait_state cct concluded
				matches "$S_ERR" '^(0|5|30)$' "errno of a stream, damage $i"
			fi
			remove cct
		fi
		cmp c.qcow2 before || fail "damage $i: a layer below was written"
		cp "$FIXTURES/abcd/$f" $f
	done
	note "$accepted of 24 were accepted"
	[[ $accepted -ge 4 && $accepted -lt 24 ]] || fail "$accepted of 24 were accepted"
	untouched abcd a.raw b.qcow2 c.qcow2
	create cct
	cowio -m model.raw /dev/mapper/cct verify
}

it "afterwards nothing is in use, and the module can be unloaded" unload
unload() {
	[ -d /sys/module/dm_cowchain ] || skip "the target is built in"
	eq "$(<"/sys/module/dm_cowchain/refcnt")" 0 "users of the module"
	abcd
	create cct
	cowio -m model.raw /dev/mapper/cct verify
	remove cct
	load_module_again
	create cct
	cowio -m model.raw /dev/mapper/cct verify
}

run_cases
