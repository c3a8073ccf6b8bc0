#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The table: what is accepted, what is refused, and what is printed.
# Quick: .
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

it "a raw layer alone can be read only" raw_alone
raw_alone() {
	use abcd a.raw
	layers a.raw
	refuse_create EINVAL raw
	create cct --readonly
	status cct
	eq "$S_MODE" ro mode
	eq "$S_LAYERS" 1 layers
	cowio -m a.raw /dev/mapper/cct verify
	remove cct
	untouched abcd a.raw
}

it "status has all its words" status_words
status_words() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	wait_counted cct
	eq "$S_MODE" rw mode
	eq "$S_LAYERS" 4 layers
	eq "$S_SUB" 8 "sectors of a subcluster"
	eq "$S_ALLOC" 0 "allocated subclusters"
	eq "$S_TOTAL" 4096 "total subclusters"
	eq "$S_WORDS" 0 "job words"
	# two whole subclusters, and a part of one
	io write:0:8k zero:64k:4k write:100k:512
	status cct
	eq "$S_ALLOC" 4 "allocated subclusters after writes"
	retire cct d.qcow2
}

it "status counts what the image contains" status_counts
status_counts() {
	local alloc zero

	use abcd a.raw b.qcow2 c.qcow2
	read -r alloc zero _ < <(qcow2poke c.qcow2 counts)
	mkchain cct a.raw b.qcow2 c.qcow2
	wait_counted cct
	eq "$S_ALLOC" $((alloc + zero)) "allocated subclusters"
}

it "the table names the chain and loads again" prints
prints() {
	local table

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	table=$(dmsetup table cct)
	remove cct
	TABLE=$table
	create cct
	eq "$(dmsetup table cct)" "$table" "table, loaded from its own output"
	io verify
	TABLE=$table
	refuse_create EBUSY
}

it "features are accepted and printed" features
features() {
	local table

	use abcd
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	TABLE="0 $SECTORS cowchain 3 no_discard_passdown commit_ms 250 4 $WORDS"
	create cct
	table=$(dmsetup table cct)
	matches "$table" "cowchain 3 .*no_discard_passdown.* 4 raw " "table"
	matches "$table" "commit_ms 250 " "table"
	remove cct
	TABLE=$table
	create cct
	eq "$(dmsetup table cct)" "$table" "table, loaded from its own output"
	DEV=/dev/mapper/cct
	io write:0:64k discard:0:64k verify
}

it "an external data file" external
external() {
	use ext
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	io verify write:5M:1M:3 verify
	retire cct d.qcow2
}

it "a read-only device has a read-only top" readonly_device
readonly_device() {
	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 ro:d.qcow2
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	create cct --readonly
	status cct
	eq "$S_MODE" ro mode
	eq "$(blockdev --getro /dev/mapper/cct)" 1 "read-only flag"
	cowio -m model.raw /dev/mapper/cct verify
	refuse_msg EROFS cct stream
	refuse_msg EROFS cct snapshot qcow2 "${LOOP[d.qcow2]}" -
	remove cct
	untouched abcd a.raw b.qcow2 c.qcow2 d.qcow2
}

it "a top on a read-only device cannot be writable" readonly_top
readonly_top() {
	use abcd
	attach ro:d.qcow2
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	refuse_create "EROFS|EACCES|EPERM"
}

it "each malformed table is refused" malformed
malformed() {
	local a d words

	use abcd
	layers a.raw d.qcow2
	a="raw ${LOOP[a.raw]} -"
	d="qcow2 ${LOOP[d.qcow2]} -"
	for words in "" "0" "x 2 $a $d" "-1 2 $a $d" "0 0" "0 x" "0 -1" "0 2" "0 2 $a" \
		"0 1 $a $d" "0 3 $a $d" "0 2 $a $d extra" "0 2 $a $d -" \
		"0 1 raw ${LOOP[a.raw]}" "0 1 raw" "0 2 $a qcow2 ${LOOP[d.qcow2]}" \
		"0 1 vhdx ${LOOP[a.raw]} -" "0 1 RAW ${LOOP[a.raw]} -" "0 1 - ${LOOP[a.raw]} -" \
		"0 1 raw ${LOOP[a.raw]} ${LOOP[d.qcow2]}" "0 2 $d $a" \
		"1 2 $a $d" "1 frobnicate 2 $a $d" "1 commit_ms 2 $a $d" "2 commit_ms x 2 $a $d" \
		"2 commit_ms -5 2 $a $d" "3 commit_ms 5 bogus 2 $a $d" "1000 2 $a $d" \
		"99999999999999999999 2 $a $d" "0 99999999999999999999 $a $d" "0 4294967297 $a"; do
		TABLE="0 $SECTORS cowchain $words"
		refuse_create EINVAL
	done
	TABLE="0 $SECTORS cowchain 0 2 $a $d"
	create cct
}

it "unusable devices are refused" unusable
unusable() {
	local dev

	use abcd a.raw d.qcow2
	layers a.raw d.qcow2
	for dev in /dev/no-such-device 249:1048000 /dev/null "$T/a.raw" /; do
		TABLE="0 $SECTORS cowchain 0 2 raw $dev - qcow2 ${LOOP[d.qcow2]} -"
		refuse_create "ENODEV|ENXIO|ENOENT|ENOTBLK|EINVAL"
		TABLE="0 $SECTORS cowchain 0 2 raw ${LOOP[a.raw]} - qcow2 $dev -"
		refuse_create "ENODEV|ENXIO|ENOENT|ENOTBLK|EINVAL"
		TABLE="0 $SECTORS cowchain 0 2 raw ${LOOP[a.raw]} - qcow2 ${LOOP[d.qcow2]} $dev"
		refuse_create "ENODEV|ENXIO|ENOENT|ENOTBLK|EINVAL"
	done
}

it "a loop device without a file is no layer of a writable chain" unbound
unbound() {
	use abcd a.raw d.qcow2
	layers a.raw d.qcow2
	detach d.qcow2
	refuse_create ENXIO
}

it "one device cannot be two layers" twice
twice() {
	use ext
	layers a.raw d.qcow2,d.data
	TABLE="0 $SECTORS cowchain 0 2 qcow2 ${LOOP[d.qcow2]} ${LOOP[d.data]} qcow2 ${LOOP[d.qcow2]} ${LOOP[d.data]}"
	refuse_create EINVAL "part of the chain already"
	TABLE="0 $SECTORS cowchain 0 2 raw ${LOOP[d.data]} - qcow2 ${LOOP[d.qcow2]} ${LOOP[d.data]}"
	refuse_create EINVAL "part of the chain already"
	TABLE="0 $SECTORS cowchain 0 2 raw ${LOOP[a.raw]} - qcow2 ${LOOP[d.qcow2]} ${LOOP[d.qcow2]}"
	refuse_create EINVAL "part of the chain already"
}

it "a data file has to be given exactly where the image has one" data_file
data_file() {
	use ext
	attach ro:a.raw c.qcow2 d.qcow2 d.data
	TABLE="0 $SECTORS cowchain 0 2 raw ${LOOP[a.raw]} - qcow2 ${LOOP[d.qcow2]} -"
	refuse_create EINVAL "external data file"
	TABLE="0 $SECTORS cowchain 0 2 raw ${LOOP[a.raw]} - qcow2 ${LOOP[c.qcow2]} ${LOOP[d.data]}"
	refuse_create EINVAL "external data file"
}

it "the length has to fit the top" length
length() {
	use abcd
	SECTORS=32769
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	refuse_create "EINVAL|EFBIG|ENOSPC"
	SECTORS=4194304
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	refuse_create "EINVAL|EFBIG|ENOSPC"
	# a raw top: the device has to be long enough
	SECTORS=32776
	layers a.raw
	refuse_create "EINVAL|EFBIG|ENOSPC"
}

it "a table that failed leaves the layers free" nothing_held
nothing_held() {
	use abcd
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	TABLE+=" rubbish"
	refuse_create EINVAL
	attach d.qcow2
	detach a.raw b.qcow2 c.qcow2
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	create cct
}

# 7:1048576 would be 8:0 in a number of 32 bits.
it "a number that no device can have is no other device" numbers
numbers() {
	use abcd
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	TABLE=${TABLE/"${LOOP[a.raw]}"/7:1048576}
	refuse_create EOVERFLOW "7:1048576 is not a block device: error -75"
}

# The kernel takes such a policy once, and keeps what it has measured until the machine ends.
it "IMA measures the table" ima
ima() {
	local dir=/sys/kernel/security/ima line text

	need perl
	[ -d $dir ] || mount -t securityfs none /sys/kernel/security || skip "needs securityfs"
	echo "measure func=CRITICAL_DATA label=device-mapper template=ima-buf" >$dir/policy || skip "needs IMA"
	use ext
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	TABLE="0 $SECTORS cowchain 1 no_auto_resume ${TABLE#* cowchain 0 }"
	create cct
	line=$(grep ' dm_table_load ' $dir/ascii_runtime_measurements | tail -n 1)
	text=$(perl -e 'print pack("H*", $ARGV[0])' "${line##* }")
	matches "$text" "name=cct,.*target_name=cowchain,target_version=[0-9.]+,no_discard_passdown=n,.*no_auto_resume=y,commit_ms=1000,nr_layers=4,kind_0=raw,dev_0=7:[0-9]+,kind_1=qcow2,.*,dev_3=7:[0-9]+,data_3=7:[0-9]+;" \
		"what was measured"
}

run_cases
