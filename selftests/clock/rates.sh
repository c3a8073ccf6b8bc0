#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The speed limit of a stream, to a few percent. It needs a machine whose clock counts instructions (scripts/vm/run
# --icount), because any other clock would judge the machine and its load. scripts/check runs it in one.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# image MIB: a new top on base.raw
image() {
	need qemu-img
	qemu-img create -q -u -f qcow2 -o extended_l2=on,cluster_size=128k,preallocation=metadata \
		-b base.raw -F raw top.qcow2 "$1M"
	SECTORS=$(($1 * 2048))
}

# limited SPEED BYTES: streams base.raw into the top, which takes so many bytes, within 5 % of the time that the
# limit gives them. (The job does not wait after its last piece.)
limited() {
	local speed=$1 bytes=$2 begin ms piece=$(($1 / 4)) least most pause

	[ $piece -lt 1048576 ] || piece=1048576
	least=$(((bytes - piece) * 950 / speed))
	most=$((bytes * 1050 / speed))
	printf -v pause '%d.%03d' $((most / 400000)) $((most / 400 % 1000))
	mkchain cct base.raw top.qcow2
	begin=${EPOCHREALTIME/./}
	msg cct stream speed "$speed"
	until in_state cct concluded; do
		sleep "$pause"
	done
	ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	eq "$S_ERR" 0 "errno of the job"
	note "$bytes bytes at $speed bytes/s: $ms ms, expected $least to $most"
	[[ $ms -ge $least && $ms -le $most ]] || fail "$ms ms for $bytes bytes at $speed bytes/s"
	remove cct
}

# The pieces have a quarter of a second's data.
it "a low limit" low
low() {
	image 32
	head -c 32M /dev/zero | tr '\0' A >base.raw
	limited 1048576 $((32 << 20))
}

# The pieces have 1 MiB, and timers are late by a good part of the time that a piece may take.
it "a high limit" high
high() {
	image 192
	head -c 192M /dev/zero | tr '\0' A >base.raw
	limited $((100 << 20)) $((192 << 20))
}

it "holes do not count" holes
holes() {
	image 32
	truncate -s 32M base.raw
	head -c 4M /dev/zero | tr '\0' A | dd of=base.raw bs=1M seek=20 conv=notrunc status=none
	limited 1048576 $((4 << 20))
}

run_cases
