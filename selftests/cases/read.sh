#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Reads: layers of every kind, compared with what QEMU reads from them.
# Seconds: 80
# Quick: kind_v3_64k|kind_ext_2M|kind_data_ext|shorter_raw
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# kind NAME: the layer alone as a read-only top, then below a writable one
kind() {
	local data=

	use kinds "$1.qcow2" "$1.model" base.raw
	[ ! -e "$FIXTURES/kinds/$1.data" ] || { use kinds "$1.data"; data=,$1.data; }
	use spare single.qcow2
	mv "$1.model" model.raw
	mv single.qcow2 top.qcow2
	qcow2poke top.qcow2 backing "$1.qcow2" qcow2
	attach "ro:$1.qcow2"
	layers base.raw "$1.qcow2$data"
	create cct-ro --readonly
	cowio -m model.raw /dev/mapper/cct-ro verify read:512:512 read:65024:1024 read:-512:512 \
		read:5M:1M read:1023k:3k
	remove cct-ro
	mkchain cct base.raw "$1.qcow2$data" top.qcow2
	io verify random:60:${#1} verify
	cmp "$FIXTURES/kinds/$1.qcow2" "$1.qcow2"
	retire cct top.qcow2
}

for k in v2 v3-512 v3-4k v3-64k v3-2M ext-16k ext-64k ext-128k ext-2M prepared refcount1 refcount64 \
	lazy data-std data-ext snapshots comp-512 comp-4k comp-64k comp-2M comp-v2 comp-ext comp-zstd \
	comp-zstd-2M comp-snapshots; do
	it "a layer of kind $k" "kind_${k//-/_}"
	eval "kind_${k//-/_}() { kind $k; }"
done

it "a layer without a backing file hides what is below" alone
alone() {
	use kinds alone.qcow2 alone.model
	mv alone.model model.raw
	attach ro:alone.qcow2
	layers alone.qcow2
	create cct --readonly
	cowio -m model.raw /dev/mapper/cct verify
}

it "a size that is no multiple of the subcluster" odd
odd() {
	SECTORS=32755
	use kinds odd.qcow2 odd.model base.raw
	mv odd.model model.raw
	attach ro:odd.qcow2
	layers base.raw odd.qcow2
	create cct --readonly
	eq "$(blockdev --getsize64 /dev/mapper/cct)" 16770560 size
	cowio -m model.raw /dev/mapper/cct verify read:-512:512 read:-4k:4k
}

it "beyond the end of a shorter layer, nothing from below is visible" shorter
shorter() {
	use shorter a.raw b.qcow2 c.qcow2 model.raw
	mkchain cct a.raw b.qcow2 c.qcow2
	io verify zeros:9M:7M read:9214k:4k write:9215k:2k:4 verify
	retire cct c.qcow2
}

it "a raw layer that ends inside a subcluster" shorter_raw
shorter_raw() {
	use shorter short.raw e.qcow2 e.model
	mv e.model model.raw
	mkchain cct short.raw e.qcow2
	io verify read:4880k:8k write:5000704:512:1 write:5000192:1k:2 verify
	retire cct e.qcow2
}

it "a layer between that ends inside a cluster" shorter_between
shorter_between() {
	use shorter a.raw m.qcow2 n.qcow2 n.model
	mv n.model model.raw
	mkchain cct a.raw m.qcow2 n.qcow2
	io verify zeros:8390144:1M write:8389k:4k:1 verify
	retire cct n.qcow2
}

it "more than one L1 entry" large
large() {
	SECTORS=5120000
	use tops large.raw large.qcow2 large-top.qcow2
	truncate -s 2500M model.raw
	# what the fixture wrote, over an empty raw disk
	perl -e 'open(F, "+<", "model.raw"); for ([0x51, 1023, 2], [0x52, 2047, 2], [0x53, 2499, 1]) {
		seek(F, $_->[1] << 20, 0); print F chr($_->[0]) x ($_->[2] << 20); }'
	mkchain cct large.raw large.qcow2 large-top.qcow2
	io read:1022M:4M read:2046M:4M read:-2M:2M write:1048574k:4k:1 write:2097150k:4k:2 \
		discard:1049000k:8k read:1022M:4M read:2046M:4M
	retire cct large-top.qcow2
}

it "32 layers of mixed kinds, of which many have compressed clusters" chain32
chain32() {
	local i list=(l0.raw)

	use chain32
	for ((i = 1; i < 32; i++)); do
		list+=("l$i.qcow2")
	done
	mkchain cct "${list[@]}"
	io verify random:40:32 verify
	retire cct l31.qcow2
}

it "255 layers, and 256 refused" chain255
chain255() {
	local i list=(l0.raw)

	SECTORS=16384
	use chain255
	for ((i = 1; i < 255; i++)); do
		list+=("l$i.qcow2")
	done
	layers "${list[@]}"
	create cct
	DEV=/dev/mapper/cct
	status cct
	eq "$S_LAYERS" 255 layers
	io verify write:1M:40k:1 random:20:255 verify
	attach l255.qcow2
	refuse_msg "EINVAL|E2BIG|EFBIG|ENOSPC|EBUSY" cct snapshot qcow2 "${LOOP[l255.qcow2]}" -
	retire cct l254.qcow2
	TABLE="0 $SECTORS cowchain 0 256 $WORDS qcow2 ${LOOP[l255.qcow2]} -"
	refuse_create "EINVAL|E2BIG"
}

it "reads do not change a layer" stable
stable() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io verify
	remove cct
	untouched abcd a.raw b.qcow2 c.qcow2
	# the contents of the top and its counts, too
	eq "$(qcow2poke d.qcow2 counts)" "0 0 4096" "subclusters of the top"
	keep check d.qcow2
}

run_cases
