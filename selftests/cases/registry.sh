#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Which chains may use a layer: one that writes and no other, or any number that read.
# Quick: two_writers|claimed
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

two_chains() {
	use abcd
	use spare single.qcow2
	mv single.qcow2 e.qcow2
	qcow2poke e.qcow2 backing c.qcow2 qcow2
	cp model.raw e.model
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
}

it "two chains share the layers below" shared
shared() {
	two_chains
	layers a.raw b.qcow2 c.qcow2 e.qcow2
	create cct2
	io random:40:1 verify
	cowio -m e.model /dev/mapper/cct2 random:40:2 verify
	io verify
	retire cct2 e.qcow2 e.model
	retire cct d.qcow2
	untouched abcd a.raw b.qcow2 c.qcow2
}

it "two writers are refused" two_writers
two_writers() {
	two_chains
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	refuse_create EBUSY
	io random:20:1 verify
}

it "a reader beside a writer is refused" reader_beside_writer
reader_beside_writer() {
	two_chains
	layers a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	refuse_create EBUSY
	remove cct
	create cct
}

it "a writer beside readers is refused" writer_beside_reader
writer_beside_reader() {
	two_chains
	remove cct
	# the loop device of c.qcow2 has to be writable for this
	detach c.qcow2
	attach c.qcow2
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	create cct
	layers a.raw b.qcow2 c.qcow2
	refuse_create EBUSY
	remove cct
	create cct
}

it "a data file has one writer, too" data_file
data_file() {
	use ext
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	TABLE="0 $SECTORS cowchain 0 1 raw ${LOOP[d.data]} -"
	refuse_create EBUSY . --readonly
	TABLE="0 $SECTORS cowchain 0 2 raw ${LOOP[d.data]} - qcow2 ${LOOP[c.qcow2]} -"
	refuse_create EBUSY
}

it "the same image by another path is the same device" other_path
other_path() {
	two_chains
	mknod "$T/alias" b 7 "${LOOP[d.qcow2]#/dev/loop}"
	TABLE="0 $SECTORS cowchain 0 2 raw ${LOOP[a.raw]} - qcow2 $T/alias -"
	refuse_create EBUSY
}

it "a snapshot claims the new top" snapshot_claims
snapshot_claims() {
	two_chains
	attach e.qcow2
	layers a.raw b.qcow2 c.qcow2 e.qcow2
	create cct2
	refuse_msg EBUSY cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	remove cct2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	create cct2 && fail "the new top was given away twice"
	# other chains can read the old top now
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	create cct2 --readonly
	cowio -m model.raw /dev/mapper/cct2 verify
}

it "a finished stream releases the layers that it dropped" stream_releases
stream_releases() {
	two_chains
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	detach b.qcow2
	attach b.qcow2
	layers a.raw b.qcow2
	# it could be written now, if it were prepared; it can be a read-only top
	create cct2 --readonly
	io verify
}

it "the old top after a commit of it, while a table is loaded that reads it" committed_top
committed_top() {
	local was

	use abcd
	attach ro:a.raw ro:b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	was=$TABLE
	layers a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	dmsetup load cct --table "$TABLE"
	msg cct commit top 3 base 2
	job_done cct
	chain_is cct a.raw b.qcow2 c.qcow2
	# as somebody who knows better than the identity, which has been said to be the old one
	dmsetup load cct --table "${was/ cowchain 0 / cowchain 1 ignore_identity }"
	dmsetup clear cct
	io random:20:1 verify
}

it "readers stay readers while another chain streams" reader_and_stream
reader_and_stream() {
	two_chains
	layers a.raw b.qcow2 c.qcow2 e.qcow2
	create cct2
	msg cct stream
	cowio -m e.model /dev/mapper/cct2 random:60:1
	job_done cct
	cowio -m e.model /dev/mapper/cct2 verify
	io verify
	retire cct2 e.qcow2 e.model
	retire cct d.qcow2
}

it "a layer that is exclusively open, as it is by a mount, is refused" claimed
claimed() {
	local pid

	need perl
	use abcd
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	# device-mapper claims it for all of its targets; only others who claim it exclude a chain
	exec 8<>"${LOOP[d.qcow2]}"
	create cct
	exec 8>&-
	remove cct
	perl -MFcntl -e '
		sysopen(my $f, $ARGV[0], O_RDWR | O_EXCL) or die "$ARGV[0]: $!";
		open(my $ready, ">", "claimed") or die;
		close($ready);
		sleep(1000);' "${LOOP[d.qcow2]}" &
	pid=$!
	wait_for 60 test -e claimed
	refuse_create EBUSY 'cannot open .*for writing: error -16'
	kill "$pid"
	wait "$pid" || true
	# there was no other reason
	create cct
	DEV=/dev/mapper/cct
	io verify
}

run_cases
