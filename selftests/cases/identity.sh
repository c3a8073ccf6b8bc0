#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The identity of a layer, and how it names the layers below and above.
# Quick: sealed$|child_of_changed|swapped
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

NOBODY=00000000000000000000000000000000
CHAIN=(a.raw b.qcow2 c.qcow2 d.qcow2)

abcd() {
	use abcd
	mkchain cct "${CHAIN[@]}"
}

# with FEATURES... : sets TABLE again, with these features
with() { TABLE="0 $SECTORS cowchain $# $* ${TABLE#* cowchain 0 }"; }

it "an image of qemu-img gets an identity when it is written" adopted
adopted() {
	local uuid

	abcd
	ident d.qcow2
	uuid=$I_UUID
	[ "$uuid" != - ] || fail "no identity"
	eq "$I_GEN $I_PARENT $I_PGEN $I_FLAGS $I_JOB" "1 $NOBODY 1 0 0" "identity: a parent without one"
	io random:20:1 verify
	remove cct
	keep check d.qcow2
	untouched abcd a.raw b.qcow2 c.qcow2
	# the generation changes with each use, and only then
	create cct
	io verify
	ident d.qcow2
	eq "$I_UUID $I_GEN" "$uuid 2" "identity after a second use"
	dmsetup suspend cct
	dmsetup resume cct
	ident d.qcow2
	eq "$I_GEN" 2 "generation after suspend and resume"
	remove cct
	create cct --readonly
	ident d.qcow2
	eq "$I_GEN" 2 "generation after a read-only use"
	retire cct d.qcow2
}

it "a snapshot seals the old top and is its child" sealed
sealed() {
	local uuid gen

	abcd
	spare e d.qcow2
	io random:20:1
	ident d.qcow2
	uuid=$I_UUID gen=$I_GEN
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	cp d.qcow2 frozen.qcow2
	ident d.qcow2
	eq "$I_UUID $I_GEN $I_FLAGS" "$uuid $gen 1" "the old top"
	ident e.qcow2
	eq "$I_PARENT $I_PGEN $I_FLAGS" "$uuid $gen 0" "the new top"
	io random:20:2 verify
	remove cct
	# the old top can be read, but no longer written
	layers "${CHAIN[@]}"
	refuse_create EMEDIUMTYPE allow_sealed
	create cct --readonly
	remove cct
	layers "${CHAIN[@]}" e.qcow2
	create cct
	io verify
	retire cct e.qcow2
	cmp d.qcow2 frozen.qcow2 || fail "the old top has changed"
	keep check frozen.qcow2
}

it "a sealed layer that is written nevertheless: its child is refused" child_of_changed
child_of_changed() {
	abcd
	spare e d.qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	cp model.raw e.model
	remove cct
	detach d.qcow2
	layers "${CHAIN[@]}"
	with allow_sealed
	create cct
	matches "$(dmsetup table cct)" ' 1 allow_sealed 4 ' "table"
	ident d.qcow2
	eq "$I_FLAGS" 0 "flags: not sealed any more"
	remove cct
	# the feature is not needed from now on
	layers "${CHAIN[@]}"
	create cct
	remove cct
	layers "${CHAIN[@]}" e.qcow2
	refuse_create ESTALE ignore_identity
	create cct --readonly
	remove cct
	layers "${CHAIN[@]}" e.qcow2
	with ignore_identity
	create cct
	matches "$(dmsetup table cct)" ' 1 ignore_identity 5 ' "table"
	cowio -m e.model "$DEV" verify
	remove cct
	# its parent is this layer now
	layers "${CHAIN[@]}" e.qcow2
	create cct
	retire cct e.qcow2 e.model
}

it "a lower layer that was exchanged, or is missing" swapped
swapped() {
	local generation

	abcd
	spare e d.qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	remove cct
	use spare single.qcow2
	mv single.qcow2 other.qcow2
	attach other.qcow2
	layers a.raw b.qcow2 c.qcow2 other.qcow2 e.qcow2
	refuse_create ESTALE "layer .*ignore_identity"
	# it is used in the same way, and has an identity, too
	spare g other.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 other.qcow2
	msg cct snapshot qcow2 "${LOOP[g.qcow2]}" -
	remove cct
	ident d.qcow2
	generation=$I_GEN
	ident other.qcow2
	eq "$I_GEN" "$generation" "generation of the other layer"
	layers a.raw b.qcow2 c.qcow2 other.qcow2 e.qcow2
	refuse_create ESTALE "layer .*ignore_identity"
	layers a.raw b.qcow2 c.qcow2 e.qcow2
	refuse_create ESTALE "ignore_identity"
	layers e.qcow2
	refuse_create ESTALE "missing"
	# the same in a lower layer
	spare f e.qcow2
	layers "${CHAIN[@]}" e.qcow2
	create cct
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" -
	remove cct
	layers a.raw b.qcow2 c.qcow2 other.qcow2 e.qcow2 f.qcow2
	refuse_create ESTALE "layer .*ignore_identity"
	layers "${CHAIN[@]}" e.qcow2 f.qcow2
	create cct
	cowio -m model.raw "$DEV" verify
	retire cct f.qcow2
}

it "a layer without an identity that is missing" anonymous_missing
anonymous_missing() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:1M:64k:1
	remove cct
	layers d.qcow2
	refuse_create ESTALE "missing"
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	create cct
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	remove cct
	layers d.qcow2
	refuse_create ESTALE "missing"
	# a raw image has no identity that could be wrong
	layers a.raw d.qcow2
	create cct
	io verify
	msg cct stream
	job_done cct
	remove cct
	layers d.qcow2
	create cct
	io verify
	retire cct d.qcow2
}

it "a sealed layer cannot become the new top" snapshot_onto_sealed
snapshot_onto_sealed() {
	local table

	abcd
	spare e d.qcow2
	spare f d.qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" -
	remove cct
	# e is empty and sealed
	layers "${CHAIN[@]}"
	with allow_sealed
	create cct
	table=$(dmsetup table cct)
	dmsetup load cct --table "${table/1 allow_sealed/0}"
	dmsetup suspend cct
	dmsetup resume cct
	refuse_msg EMEDIUMTYPE cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	ident d.qcow2
	eq "$I_FLAGS" 0 "flags of the top, which is not sealed by that"
	io random:20:1 verify
	retire cct d.qcow2
}

it "a stream makes the base the parent" stream
stream() {
	local uuid gen

	abcd
	spare e d.qcow2
	spare f e.qcow2
	io random:20:1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:20:2
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" -
	ident d.qcow2
	uuid=$I_UUID gen=$I_GEN
	msg cct base 3
	msg cct stream backing-file d.qcow2 qcow2
	job_done cct
	ident f.qcow2
	eq "$I_PARENT $I_PGEN $I_JOB" "$uuid $gen 0" "parent with a base"
	remove cct
	# the layers between are accepted as well, for a table that was loaded before the end
	layers "${CHAIN[@]}" e.qcow2 f.qcow2
	create cct
	io verify
	remove cct
	layers a.raw b.qcow2 c.qcow2 e.qcow2 f.qcow2
	refuse_create ESTALE
	layers "${CHAIN[@]}" f.qcow2
	create cct
	io verify
	msg cct base 1
	msg cct stream backing-file b.qcow2 qcow2
	job_done cct
	ident f.qcow2
	eq "$I_PARENT $I_PGEN $I_JOB" "$NOBODY 1 0" "parent without an identity"
	remove cct
	layers a.raw b.qcow2 f.qcow2
	create cct
	msg cct base none
	msg cct stream
	job_done cct
	ident f.qcow2
	eq "$I_PARENT $I_PGEN $I_JOB" "$NOBODY 0 0" "no parent"
	remove cct
	layers f.qcow2
	create cct
	io verify random:20:3
	retire cct f.qcow2
}

it "reload of the same device, also to another size" reload
reload() {
	local table

	abcd
	io random:20:1
	use spare larger.qcow2
	mv larger.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	attach e.qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	table=$(dmsetup table cct)
	dmsetup load cct --table "$table"
	dmsetup suspend cct
	dmsetup resume cct
	dmsetup load cct --table "0 49152 cowchain${table#*cowchain}"
	dmsetup suspend cct
	dmsetup resume cct
	ident e.qcow2
	eq "$I_GEN" 3 generation
	truncate -s 24M model.raw
	io random:20:2 verify
	retire cct e.qcow2
}

# QEMU keeps the extension whenever it writes the header.
it "QEMU rewrites the header and keeps the identity" by_qemu
by_qemu() {
	local before

	need qemu-img
	abcd
	spare e d.qcow2
	io random:20:1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:20:2
	remove cct
	detach d.qcow2 e.qcow2
	before=$(qcow2poke e.qcow2 ident)
	qemu-img check -q e.qcow2
	qemu-img compare -q e.qcow2 model.raw
	qemu-img rebase -u -b "$T/d.qcow2" -F qcow2 e.qcow2
	eq "$(qcow2poke e.qcow2 ident)" "$before" "identity after rebase -u"
	qemu-img rebase -u -b d.qcow2 -F qcow2 e.qcow2
	qemu-img amend -f qcow2 -o lazy_refcounts=on e.qcow2
	qemu-img amend -f qcow2 -o lazy_refcounts=off e.qcow2
	eq "$(qcow2poke e.qcow2 ident)" "$before" "identity after amend"
	qemu-img check -q e.qcow2
	ident d.qcow2
	eq "$I_FLAGS" 1 "flags of the sealed one"
	layers "${CHAIN[@]}" e.qcow2
	create cct
	io verify random:20:3 verify
	retire cct e.qcow2
}

it "a header without room: no identity, and everything else works" no_room
no_room() {
	use abcd
	fill_header d.qcow2
	layers "${CHAIN[@]}"
	mark no_room
	create cct
	DEV=/dev/mapper/cct
	logged 'without an identity'
	io random:20:1 verify
	msg cct stream
	job_done cct
	io verify
	retire cct d.qcow2
}

# Puts a private extension over the end marker, and the marker at the end of the cluster; the name
# of the backing file moves to the sector before that.
fill_header() {
	perl -e '
		my ($file) = @ARGV;
		open(my $f, "+<", $file) or die;
		my $h; read($f, $h, 131072) == 131072 or die;
		my ($off, $len) = unpack("Q>L>", substr($h, 8, 12));
		my $name = substr($h, $off, $len);
		my $pos = unpack("L>", substr($h, 100, 4));
		while (1) {
			my ($type, $n) = unpack("L>L>", substr($h, $pos, 8));
			last if !$type;
			$pos += 8 + (($n + 7) & ~7);
		}
		my $end = 131072 - 1024 - 8;
		substr($h, $pos, 8) = pack("L>L>", 0x77777777, $end - $pos - 8);
		substr($h, $pos + 8, 131072 - $pos - 8) = "\0" x (131072 - $pos - 8);
		substr($h, $end + 8, $len) = $name;
		substr($h, 8, 8) = pack("Q>", $end + 8);
		seek($f, 0, 0); print $f $h; close($f) or die;' "$1"
}

it "a copy in two halves: a crash after the seal, and before" crash
crash() {
	abcd
	spare e d.qcow2
	io random:20:1
	cp d.qcow2 before.qcow2
	cp e.qcow2 empty.qcow2
	dmsetup suspend cct
	cp d.qcow2 before.qcow2
	dmsetup resume cct
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	remove cct
	detach d.qcow2 e.qcow2
	cp d.qcow2 after.qcow2
	# the child exists, the seal does not: both can be used, but only one of them for writing
	cp before.qcow2 d.qcow2
	layers "${CHAIN[@]}" e.qcow2
	create cct
	io verify
	remove cct
	detach d.qcow2
	layers "${CHAIN[@]}"
	create cct
	io verify
	remove cct
	layers "${CHAIN[@]}" e.qcow2
	refuse_create ESTALE
	# the seal exists
	detach d.qcow2
	cp after.qcow2 d.qcow2
	layers "${CHAIN[@]}" e.qcow2
	create cct
	io verify
	retire cct e.qcow2
}

run_cases
