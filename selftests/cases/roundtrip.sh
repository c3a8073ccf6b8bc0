#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Round trips: QEMU and the kernel write to the same images alternately.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# qemu IMAGE COMMAND...: lets QEMU write to the image, and does the same to the model
qemu() {
	local file=$1 args=() cmd

	shift
	for cmd; do
		args+=(-c "$cmd")
	done
	qemu-io -d ignore -f qcow2 "${args[@]}" "$file" >/dev/null
	qemu-io -f raw "${args[@]}" model.raw >/dev/null
}

sound() {
	qemu-img check -q -f qcow2 "$1"
	qemu-img compare -q -f qcow2 -F raw "$1" model.raw || fail "$1 is not what was written"
}

# rounds FIXTURE TOP: writes several times, alternately with QEMU
rounds() {
	local i

	need qemu-io qemu-img
	use "$1"
	for i in 1 2 3; do
		mkchain cct a.raw b.qcow2 c.qcow2 "$2"
		io verify random:60:$i verify
		remove cct
		mkloop -x "${LOOP[@]}"
		LOOP=()
		sound d.qcow2
		qemu d.qcow2 "write -P $i $((i * 700))k 100k" "write -P 9 $((i * 3001))k 1k" \
			"write -z ${i}M 64k" "write -z $((i * 4000))k 5k" "write -P 7 $((i * 4))M 512k" \
			"write -P 8 $((i * 13 * 512)) 512"
	done
	mkchain cct a.raw b.qcow2 c.qcow2 "$2"
	io verify
	retire cct d.qcow2
}

it "a single file" single
single() { rounds abcd d.qcow2; }
it "an external data file" external
external() { rounds ext d.qcow2,d.data; }

it "after a stream with a base, QEMU writes, and a stream without a base follows" streamed
streamed() {
	need qemu-io qemu-img
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:40:1
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	remove cct
	mkloop -x "${LOOP[@]}"
	LOOP=()
	rm b.qcow2 c.qcow2
	sound d.qcow2
	# QEMU rewrites the header in its own way
	qemu-img rebase -u -f qcow2 -b ./a.raw -F raw d.qcow2
	qemu d.qcow2 "write -P 3 5M 1M" "write -P 4 300k 3k"
	mkchain cct a.raw d.qcow2
	io verify random:40:2
	msg cct stream
	job_done cct
	retire cct d.qcow2
	sound d.qcow2
	qemu-img amend -f qcow2 -o lazy_refcounts=on d.qcow2
	mkloop -x "${LOOP[@]}"
	LOOP=()
	mkchain cct2 d.qcow2
	io_on cct2 verify
}

io_on() { cowio -m "$T/model.raw" "/dev/mapper/$1" "${@:2}"; }

it "what QEMU's discard frees is not prepared for writing, and not corrupted" discard
discard() {
	need qemu-io qemu-img
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:1M:1M:1
	remove cct
	mkloop -x "${LOOP[@]}"
	LOOP=()
	qemu-io -d unmap -f qcow2 -c "discard 1M 512k" d.qcow2 >/dev/null
	qemu-io -f raw -c "write -z 1M 512k" model.raw >/dev/null
	cp d.qcow2 discarded.qcow2
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	refuse_create EMEDIUMTYPE 'not prepared'
	cmp d.qcow2 discarded.qcow2 || fail "the image was changed"
	sound d.qcow2
	# it can be a layer that is only read
	use spare single.qcow2
	mv single.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	mkloop -x "${LOOP[d.qcow2]}"
	unset "LOOP[d.qcow2]"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	io verify random:30:1 verify
	retire cct e.qcow2
}

it "what QEMU's discard does to an image with an external data file" discard_external
discard_external() {
	need qemu-io qemu-img
	use ext
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	io write:1M:1M:1
	remove cct
	mkloop -x "${LOOP[@]}"
	LOOP=()
	qemu-io -d unmap -f qcow2 -c "discard 1M 512k" d.qcow2 >/dev/null
	qemu-io -f raw -c "write -z 1M 512k" model.raw >/dev/null
	# every cluster has a fixed offset there, so nothing is lost
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	io verify write:1M:64k:2 write:1200k:512:3 random:30:1 verify
	retire cct d.qcow2
}

it "a layer that QEMU commits and rebases" rebased
rebased() {
	need qemu-io qemu-img
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:30:1
	remove cct
	mkloop -x "${LOOP[@]}"
	LOOP=()
	# the safe way: QEMU copies what differs
	qemu-img rebase -f qcow2 -b b.qcow2 -F qcow2 d.qcow2
	rm c.qcow2
	mkchain cct a.raw b.qcow2 d.qcow2
	io verify random:30:2 verify
	retire cct d.qcow2
}

run_cases
