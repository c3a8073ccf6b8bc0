#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Images as others make them, as layers: everything that is done above an image of each kind. make-zoo makes
# them; "make check-zoo" has all of them, "make check" few.
# Seconds: 40
# Quick: read
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

[ -e "$FIXTURES/stamp" ] || make-fixtures "$FIXTURES"

# state: prints the lengths and the times of the layers' files
state() { (cd "$T" && stat -c '%n %s %.9Y' "${FILES[@]}"); }

# visit KIND: its images
visit() {
	KIND=$1
	use "zoo-$KIND"
	read -r -a LAYERS <layers
	IFS=' ,' read -r -a FILES <layers
	read -r -a TAILS <tails || true
	read -r SECTORS <sectors
	rm layers about packed tails sectors
	BEFORE=$(state)
}

# chain NAME TOP: a device of the kind's layers with that top
chain() {
	layers "${LAYERS[@]}" "$2"
	TABLE=${TABLE/ cowchain 0 / cowchain ${#TAILS[@]} ${TAILS[*]} }
	create "$1"
	DEV=/dev/mapper/$1
}

# alike: the layers are what they were
alike() {
	eq "$(state)" "$BEFORE" "lengths and times of the layers"
	diff -q --from-file="$FIXTURES/zoo-$KIND" "${FILES[@]}" || fail "a layer has changed"
}

# alone: the same, and then they are gone: nothing may need them
alone() {
	alike
	rm "${FILES[@]}"
}

# Writes of parts, at the start, in the middle, at the end.
parts=(write:512:512:1 write:70k:5k:2 write:1000k:100k:3 discard:1500k:300k zero:2200k:40k write:-1k:512:4)

zoo_read() {
	visit "$1"
	chain cct top.qcow2
	io verify read:512:1k read:33k:70k read:-512:512 read:2M:1M verify
	retire cct top.qcow2
	alike
}

zoo_write() {
	visit "$1"
	chain cct top.qcow2
	io "${parts[@]}" verify random:40:5 verify
	retire cct top.qcow2
	alike
}

zoo_stream() {
	visit "$1"
	chain cct top.qcow2
	io "${parts[@]}"
	msg cct stream
	io random:20:6
	job_done cct
	io verify
	retire cct top.qcow2
	alone
}

zoo_snapshot() {
	visit "$1"
	chain cct top.qcow2
	io "${parts[@]}"
	cp model.raw frozen.raw
	attach snap.qcow2
	msg cct snapshot qcow2 "${LOOP[snap.qcow2]}" -
	io verify random:30:7 verify
	remove cct
	keep check top.qcow2
	keep compare top.qcow2 frozen.raw
	keep check snap.qcow2
	keep compare snap.qcow2 model.raw
	alike
}

zoo_second() {
	visit "$1"
	cp model.raw second.raw
	chain cct top.qcow2
	chain cct-second second.qcow2
	cowio -m second.raw /dev/mapper/cct-second "${parts[@]}" random:20:8
	cowio -m model.raw /dev/mapper/cct random:20:9 verify
	msg cct-second stream
	job_done cct-second
	cowio -m second.raw /dev/mapper/cct-second verify
	cowio -m model.raw /dev/mapper/cct verify
	retire cct-second second.qcow2 second.raw
	retire cct top.qcow2
	alike
}

# With the tool.
zoo_detach() {
	need cowchain
	visit "$1"
	cowchain attach cct "$T/top.qcow2"
	DEV=/dev/mapper/cct
	io verify "${parts[@]}" verify
	cowchain detach cct
	keep check top.qcow2
	keep compare top.qcow2 model.raw
	alike
}

zoo_copy() {
	need cowchain
	visit "$1"
	cowchain attach cct "$T/top.qcow2"
	DEV=/dev/mapper/cct
	io "${parts[@]}"
	cowchain copy cct "$T/new.qcow2" --pivot --wait --quiet
	io verify random:10:10 verify
	cowchain detach cct
	keep check new.qcow2
	keep compare new.qcow2 model.raw
	alone
	rm top.qcow2
}

for kind in "$FIXTURES"/zoo-*; do
	kind=${kind##*/zoo-}
	for op in read write stream snapshot second detach copy; do
		it "$kind: $op" "zoo_$op $kind"
	done
done

run_cases
