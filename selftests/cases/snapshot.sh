#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Snapshots: a new layer on top of the live chain.
# Quick: frozen|external|suspended
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

it "the old top is complete and stays as it is" frozen
frozen() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	io random:60:1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	# complete in the file at once, before the removal
	cp d.qcow2 frozen.qcow2
	cp model.raw frozen.raw
	status cct
	eq "$S_LAYERS" 5 layers
	wait_counted cct
	eq "$S_ALLOC" 0 "allocated subclusters of the new top"
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	io verify random:60:2 verify
	retire cct e.qcow2
	cmp d.qcow2 frozen.qcow2 || fail "the old top has changed"
	keep check frozen.qcow2
	keep compare frozen.qcow2 frozen.raw
}

it "onto an external data file, and from one" external
external() {
	use ext
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	spare e d.qcow2 ext
	spare f e.qcow2
	io random:40:1
	cp model.raw d.model
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" "${LOOP[e.data]}"
	io random:40:2
	cp model.raw e.model
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" -
	io random:40:3 verify
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data e.qcow2,e.data f.qcow2
	retire cct f.qcow2
	keep check d.qcow2
	keep check e.qcow2
	keep compare d.qcow2 d.model
	keep compare e.qcow2 e.model
}

it "many snapshots in a row" many
many() {
	local i prev=d.qcow2 chain=(a.raw b.qcow2 c.qcow2 d.qcow2)

	use abcd
	mkchain cct "${chain[@]}"
	for i in 1 2 3 4 5 6 7 8; do
		spare "s$i" $prev
		io random:15:$i
		cp model.raw $prev.model
		msg cct snapshot qcow2 "${LOOP[s$i.qcow2]}" -
		keep check $prev
		keep compare $prev $prev.model
		prev=s$i.qcow2
		chain+=("$prev")
	done
	chain_is cct "${chain[@]}"
	io verify
	retire cct $prev
}

it "the frozen layers are the base of a second chain at once" second_chain
second_chain() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	spare f d.qcow2
	io random:40:1
	cp model.raw second.raw
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	layers a.raw b.qcow2 c.qcow2 d.qcow2 f.qcow2
	create cct2
	cowio -m second.raw /dev/mapper/cct2 verify random:40:2
	io random:40:3 verify
	cowio -m second.raw /dev/mapper/cct2 verify
	cp d.qcow2 frozen.qcow2
	retire cct2 f.qcow2 second.raw
	retire cct e.qcow2
	keep identical d.qcow2 frozen.qcow2
}

it "a larger new top" larger
larger() {
	use abcd
	use spare larger.qcow2
	mv larger.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	attach e.qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	eq "$(blockdev --getsize64 /dev/mapper/cct)" 16777216 "size of the device"
	io random:40:1 verify
	remove cct
	truncate -s 24M model.raw
	keep check e.qcow2
	keep compare e.qcow2 model.raw
}

it "while the device is suspended: refused, and possible afterwards" suspended
suspended() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	io random:20:1
	dmsetup suspend cct
	refuse_msg EAGAIN cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	dmsetup resume cct
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:2 verify
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	io random:20:3 verify
	retire cct e.qcow2
}

it "of a single prepared layer" single
single() {
	use spare single.qcow2
	qcow2poke single.qcow2 backing -
	cp single.qcow2 a.qcow2
	truncate -s 16M model.raw
	mkchain cct a.qcow2
	spare e a.qcow2
	io random:40:1
	cp model.raw frozen.raw
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:40:2 verify
	keep check a.qcow2
	keep compare a.qcow2 frozen.raw
	retire cct e.qcow2
}

it "under load the frozen layer has the contents of one moment" load
load() {
	local i args=()

	use stress a.raw b.qcow2 c.qcow2 model.raw
	SECTORS=72216
	for i in 1 2 3 4 5 6 7 8 9 10; do
		cp "$FIXTURES/stress/spare.qcow2" "s$i.qcow2"
		args+=(--spare "$T/s$i.qcow2")
	done
	mkchain cct a.raw b.qcow2 c.qcow2
	chainstress --name cct --model model.raw --out . --seed 31 --ops 600 --mgmt snapshot "${args[@]}"
	remove cct
	untouched stress a.raw b.qcow2
}

run_cases
