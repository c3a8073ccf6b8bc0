#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Layers in files that are no whole number of sectors.
# Seconds: 30
# Quick: odd_raw|odd_packed
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# odd NAME: a chain on it: reads, fills, a stream; the file stays as it is
odd() {
	local layers=("$1.qcow2")

	use tails "$1.model" top.qcow2
	case $1 in
	raw) layers=(raw.raw); use tails raw.raw ;;
	external) layers=(base.raw "external.qcow2,external.data"); use tails base.raw external.qcow2 external.data ;;
	*) layers=(base.raw "$1.qcow2"); use tails base.raw "$1.qcow2" ;;
	esac
	mv "$1.model" model.raw
	if [ "$1" = raw ]; then
		qcow2poke top.qcow2 backing raw.raw raw
	else
		qcow2poke top.qcow2 backing "$1.qcow2" qcow2
	fi
	layers "${layers[@]}" top.qcow2
	tails "${layers[@]}" top.qcow2
	create cct
	DEV=/dev/mapper/cct
	io verify read:-512:512 read:-4k:4k write:-1k:512:1 random:40:${#1} verify
	TABLE=$(dmsetup table cct)
	remove cct
	# as it was printed
	create cct
	io verify
	msg cct stream
	job_done cct
	io verify
	untouched tails "$1".[rq]*
	retire cct top.qcow2
}

it "a raw disk" odd_raw
odd_raw() { odd raw; }

it "an image that has just been made: a part of the L1 table" odd_fresh
odd_fresh() { odd fresh; }

it "data, and nothing of the cluster behind it" odd_data
odd_data() { odd data; }

it "an L2 table that ends behind its last entry" odd_table
odd_table() { odd table; }

it "a compressed cluster" odd_packed
odd_packed() { odd packed; }

it "clusters that were preallocated behind the end" odd_prealloc
odd_prealloc() { odd prealloc; }

it "an external data file" odd_external
odd_external() { odd external; }

it "a tail without a place, or that is none" refused
refused() {
	local words long

	use abcd a.raw b.qcow2
	use spare single.qcow2
	layers a.raw b.qcow2 single.qcow2
	long=$(printf '%01024d' 0)
	while read -r words; do
		TABLE="0 $SECTORS cowchain $(wc -w <<<"$words") $words 3 $WORDS"
		refuse_create EINVAL "tail|feature"
	done <<-END
		tail 0 0
		tail 0 0g
		tail 0 $long
		tail x 00
		tail 255 00
		tail 3 00
		tail 2 00
		tail 0 00 tail 0 00
		data_tail 1 00
		tail 0
		tail
	END
}

run_cases
