#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tool cowchain: maps of live chains, and devices of their lower layers.
# Quick: ^top_now|^export_layer
# Seconds: 90
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

# What qemu-img prints. Before version 8.2 it has no key "compressed".
map_json() { cowchain map "$@" --json | sed -E 's/, "compressed": [a-z]+//'; }
qemu_map() { (cd "$(dirname "$1")" && qemu-img map -U --output=json "${@:2}" "$(basename "$1")") | sed -E 's/, "compressed": [a-z]+//'; }

# same_map FILE FORMAT OPTION...: the map of the device is that of the file, and the tool's is that of qemu-img
same_map() {
	map_json cct "${@:3}" >live
	qemu_map "$1" -f "$2" >qemu
	diff qemu live || fail "the map of the device is not that of $1"
	[ "$(wc -l <live)" -gt 1 ] || fail "a map of one extent tests nothing: $(<live)"
}

# kinds DIRECTORY FILE...: read-only chains on these
same_kinds() {
	local f

	need cowchain qemu-img
	use "$1"
	for f in "${@:2}"; do
		note "$f"
		cowchain attach cct "$T/$f" --read-only
		same_map "$f" qcow2
		cowchain detach cct
	done
}

it "the map of a device is that of its files: layers of every kind" kinds
kinds() {
	same_kinds kinds v2.qcow2 v3-512.qcow2 ext-16k.qcow2 prepared.qcow2 data-std.qcow2 data-ext.qcow2 \
		snapshots.qcow2 comp-64k.qcow2 comp-ext.qcow2 odd.qcow2
}

it "files of any length" odd_length
odd_length() { same_kinds tails data.qcow2 table.qcow2 packed.qcow2 external.qcow2; }

it "layers that end before the disk does" shorter
shorter() { same_kinds shorter c.qcow2 n.qcow2; }

it "a lower layer, and what has changed" layers_of_it
layers_of_it() {
	attached
	need qemu-img
	same_map b.qcow2 qcow2 --layer 1
	same_map a.raw raw --layer "$T/a.raw"
	map_json cct --between 1 c.qcow2 >live
	map_json d.qcow2 --no-lock --between b.qcow2 2 >file
	diff file live || fail "what has changed is not the same in the files"
	[ "$(map_json cct --between 2 3)" = "[]" ] || fail "the top is empty"
	detached
}

it "the map of the top has what was just written" top_now
top_now() {
	local out

	attached
	need qemu-img
	io write:5M:8k:1 zero:9M:64k
	out=$(LD_PRELOAD=$COWCHAIN_BIN/dm-step.so DM_STEP_LOG=$T/log map_json cct --between 2 3)
	# a second later, it would be on disk without that
	matches "$(<log)" "fsync /dev/mapper/cct" "what was done"
	matches "$out" '"start": 5242880, "length": 8192, "depth": 0, "present": true, "zero": false, "data": true, ' \
		"what was written"
	matches "$out" '"start": 9437184, "length": 65536, "depth": 0, "present": true, "zero": true, "data": false' \
		"what was zeroed"
	tool_fails 1 "d.qcow2: is the top of cct, .*'cowchain map cct'" map "$T/d.qcow2"
	io random:30:1
	map_json cct >before
	detached
	qemu_map d.qcow2 -f qcow2 >after
	diff after before || fail "the map of the device was not that of the file"
	keep compare d.qcow2 model.raw
}

it "while the disk is written, and layers come and go" meanwhile
meanwhile() {
	local i

	attached
	io random:20:1
	cowchain snapshot cct "$T/e.qcow2"
	map_json cct --between 2 3 >sealed
	io random:400:2 &
	for ((i = 0; i < 10; i++)); do
		map_json cct >now || fail "the map of a disk that is written"
		map_json cct --between 2 3 | diff sealed - || fail "a sealed layer has another map"
	done
	wait $! || fail "I/O fails"
	cowchain stream cct --base 1 --wait --quiet
	tool_fails 1 "'3' is not one of its layers" map cct --layer 3
	io verify
}

it "a device that is suspended is not flushed" suspended
suspended() {
	attached
	io write:5M:8k:1
	dmsetup suspend cct
	matches "$(map_json cct --between 2 3)" '"start": 5242880, "length": 8192' "what a suspended device has"
	dmsetup resume cct
	detached
}

it "what is wrong is said" wrong
wrong() {
	attached
	tool_fails 1 "'4' is not one of its layers" map cct --layer 4
	tool_fails 1 'is not below' map cct --between 2 1
	tool_fails 1 "no-such-device: No such file" map no-such-device
	# shellcheck disable=SC2016	# for perl
	matches "$(perl -e '$< = $> = 65534; exec @ARGV' cowchain map cct 2>&1)" 'by root only' \
		"a user without privileges"
	qcow2poke c.qcow2 l2 3 0x8000000000001200
	tool_fails 1 'cct: layer 2, .*/c.qcow2: guest offset 393216: cluster offset is not aligned' map cct
	tool_fails 1 'guest offset 393216' map cct --between 1 2 --json
	map_json cct --layer 1 >/dev/null || fail "a layer below it"
	map_json cct --between 2 3 >/dev/null || fail "a layer above it"
}

it "export makes a device of a layer that does not change, whatever becomes of the chain" export_layer
export_layer() {
	attached
	io random:20:1
	cp model.raw frozen.raw
	tool_fails 1 "layer 3 is the top, which is being written: take a snapshot first, 'cowchain snapshot cct NEW'" \
		export cct 3 --as cct-bak
	[ ! -e /dev/mapper/cct-bak ] || fail "a device of the top"
	cowchain snapshot cct "$T/e.qcow2"
	cowchain export cct "$T/d.qcow2" --as cct-bak
	cmp /dev/mapper/cct-bak frozen.raw || fail "it is not the disk as it was"
	eq "$(dmsetup table cct | cut -d ' ' -f 6-17)" "$(dmsetup table cct-bak | cut -d ' ' -f 6-)" "its layers"
	tool_fails 1 'cct-bak: a device of this name exists' export cct 0 --as cct-bak
	cowchain export cct 2 --as cct-bak2
	cmp /dev/mapper/cct-bak2 "$FIXTURES/abcd/model.raw" || fail "the layer below that"
	cowchain detach cct-bak2
	io random:20:2
	cowchain snapshot cct "$T/f.qcow2"
	io random:20:3
	# all layers that are exported are dropped, and their files removed
	cowchain stream cct --base none --wait --quiet
	rm a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:4 verify
	echo 3 >/proc/sys/vm/drop_caches
	cmp /dev/mapper/cct-bak frozen.raw || fail "it has changed"
	cowchain detach cct
	cmp /dev/mapper/cct-bak frozen.raw || fail "it has changed with the end of the chain"
	cowchain detach cct-bak
	wait_for 30 no_loops
	keep check f.qcow2
	keep compare f.qcow2 model.raw
}

# dropping STEP ARGUMENT...: runs the tool. After this call of device-mapper, a stream drops the layers, and another file
# gets the number of the loop device of the lowest one.
dropping() {
	cp --sparse=always "$FIXTURES/faults/d.qcow2" .
	cowchain attach cct "$T/d.qcow2" 2>/dev/null
	LD_PRELOAD=$COWCHAIN_BIN/dm-step.so DM_STEP=$1 DM_STEP_AFTER=1 DM_STEP_DONE=$T/happened \
		DM_STEP_DO="dmsetup message cct 0 stream && cowchain wait cct --quiet && mkloop $T/other/raw >/dev/null" \
		cowchain "${@:2}"
}

it "layers that a stream drops meanwhile: those that were meant are shown, or none" dropped
dropped() {
	local n rc out good=0 bad=0 left

	need cowchain
	use faults a.raw b.qcow2 c.qcow2
	mkdir other
	trash other/raw $((2 << 20))
	for ((n = 1; ; n++)); do
		rm -f happened
		rc=0
		out=$(dropping $n export cct 0 --as cct-bak 2>&1) || rc=$?
		[ -e happened ] || break
		note "step $n: ${out:-done}"
		if [ $rc -eq 0 ]; then
			cmp /dev/mapper/cct-bak a.raw || fail "another disk"
			cowchain detach cct-bak
			good=$((good + 1))
		else
			matches "$out" 'cct: .*(changed meanwhile|cannot be opened: try again|is the top)' "step $n"
			bad=$((bad + 1))
		fi
		cowchain detach cct
		mapfile -t left < <(mkloop -l "$T/other")
		mkloop -x "${left[@]}"
		wait_for 30 no_loops
	done
	[ $bad -gt 0 ] || fail "nothing was dropped in time"
	[ $good -gt 0 ] || fail "nothing was shown"
}

it "export: a layer cannot be written meanwhile, but can be afterwards" not_written
not_written() {
	attached
	cowchain snapshot cct "$T/e.qcow2"
	cowchain export cct 3 --as cct-bak
	cowchain detach cct
	tool_fails 1 'd.qcow2: already attached as' attach cct "$T/d.qcow2" --allow-sealed
	cowchain attach cct "$T/e.qcow2"
	io random:20:1 verify
	cowchain detach cct
	cowchain detach cct-bak
	wait_for 30 no_loops
	cowchain attach cct "$T/d.qcow2" --allow-sealed
}

it "export of a raw disk of any length, of an external data file, and of names with spaces" export_kinds
export_kinds() {
	need cowchain
	mkdir 'a b'
	use tails raw.raw raw.model external.qcow2 external.data external.model base.raw
	mv raw.raw external.* base.raw 'a b'
	cowchain attach cct "$T/a b/raw.raw" --format raw --overlay "$T/a b/new top.qcow2"
	cowchain export cct 0 --as 'cct-bak 1'
	cmp '/dev/mapper/cct-bak\x201' raw.model || fail "the raw disk"
	cowchain detach 'cct-bak 1'
	cowchain detach cct
	cowchain attach cct "$T/a b/external.qcow2" --overlay "$T/a b/other top.qcow2"
	cowchain export cct "$T/a b/external.qcow2" --as cct-bak
	cmp /dev/mapper/cct-bak 'a b/external.model' || fail "the external data file"
	map_json cct --layer 1 >live
	map_json cct-bak >bak
	diff live bak || fail "its map is another one"
	# a chain that is read-only has no top that is written
	cowchain export cct-bak 1 --as cct-bak2
	cowchain detach cct-bak
	cmp /dev/mapper/cct-bak2 'a b/external.model' || fail "a device of a device's layers"
}

run_cases
