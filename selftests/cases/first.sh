#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Parts that a stream copies first: job-first.
# Seconds: 40
# Quick: early
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# plain: a disk of 16 MiB that the base has, and nothing of it is zero
plain() {
	use abcd d.qcow2
	head -c 16M /dev/zero | tr '\0' A >a.raw
	cp a.raw model.raw
	mkchain cct a.raw d.qcow2
}

# from_base OFFSET LENGTH: reads that; prints the sectors for which the base was read. The job holds still.
from_base() {
	local before after counts="/sys/block/${LOOP[a.raw]#/dev/}/stat"

	read -r _ _ before _ <"$counts"
	dd if="$DEV" of=/dev/null bs=4k skip=$(($1 / 4096)) count=$(($2 / 4096)) iflag=direct status=none
	read -r _ _ after _ <"$counts"
	echo $((after - before))
}

# copied OFFSET LENGTH: is all of it in the top?
copied() {
	local n

	msg cct job-pause
	n=$(from_base "$@")
	msg cct job-resume
	[ "$n" -eq 0 ]
}

it "a part is copied long before the stream gets there" early
early() {
	plain
	# 16 KiB of each quarter of a second: 14 MiB take minutes
	msg cct stream speed 65536
	msg cct job-pause
	[ "$(from_base 14680064 65536)" -eq 128 ] || fail "the top has it before anything was copied"
	msg cct job-first 28672 128 1000 1
	msg cct job-resume
	wait_for 60 copied 14680064 65536
	# of the sector, a whole subcluster
	wait_for 60 copied 512000 4096
	status cct
	[ "$S_OFF" -lt 14680064 ] || fail "the stream has got there by itself"
	msg cct job-pause
	[ "$(from_base 14745600 1048576)" -eq 2048 ] || fail "more than the part was copied"
	msg cct job-resume
	msg cct job-set-speed 0
	job_done cct
	io verify
	retire cct d.qcow2
}

# parts SEED: prints 32 parts a line, which are of all lengths, lie anywhere, and have much in common
parts() {
	awk -v seed="$1" 'BEGIN {
		srand(seed)
		for (i = 0; i < 40; i++) {
			line = "job-first"
			for (j = 0; j < 32; j++)
				line = line " " int(rand() * 32768) " " int(exp(rand() * 9)) + 1
			print line
		}
	}'
}

it "parts of all sizes, again and again, under a guest that writes" many
many() {
	local line writer

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stream
	msg cct job-pause
	while read -r line; do
		# shellcheck disable=SC2086	# words
		msg cct $line
	done < <(parts 1)
	io random:200:5 verify &
	writer=$!
	msg cct job-resume
	job_done cct
	wait $writer || fail "the guest's I/O has failed"
	io verify
	retire cct d.qcow2
	rm a.raw b.qcow2 c.qcow2
}

it "what the base has is not copied, whoever asks for it" base_stays
base_stays() {
	local b c alloc zero

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	read -r _ b c _ <provides
	msg cct base 0
	msg cct stream speed 65536 backing-file a.raw raw
	msg cct job-first 0 32768
	msg cct job-set-speed 0
	job_done cct
	remove cct
	read -r alloc zero _ < <(qcow2poke d.qcow2 counts)
	eq $((alloc + zero)) $((b + c)) "subclusters in the top"
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "into a layer below the top, and after a snapshot" lower
lower() {
	local line

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	msg cct stream speed 65536
	msg cct job-first 28672 4096 0 100
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	cp model.raw d.model
	while read -r line; do
		# shellcheck disable=SC2086	# words
		msg cct $line
	done < <(parts 2)
	io random:60:3
	msg cct job-set-speed 0
	job_done cct
	chain_is cct d.qcow2 e.qcow2
	io verify
	retire cct e.qcow2
	keep check d.qcow2
	keep compare d.qcow2 d.model
}

it "as many as have a place" full
full() {
	local i eight=""

	plain
	refuse_msg ENOENT cct job-first 0 1
	msg cct stream
	msg cct job-pause
	for ((i = 0; i < 32; i++)); do
		eight+=" $((i * 8)) 8"
	done
	for ((i = 0; i < 128; i++)); do
		# shellcheck disable=SC2086	# words
		msg cct job-first $eight
	done
	refuse_msg ENOSPC cct job-first 0 1
	logged "4096 parts wait already"
	# a part that begins behind the disk; one that ends there is as long as the disk is
	refuse_msg EINVAL cct job-first 32768 1
	msg cct job-resume
	wait_for 60 has_place
	job_done cct
	io verify
	retire cct d.qcow2
}

# A job that has ended has places for everything.
has_place() { msg cct job-first 32767 100 2>/dev/null || in_state cct concluded; }

it "a commit has no order" commit
commit() {
	use abcd
	attach a.raw
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct commit top 2 base 0 speed 65536 backing-file a.raw raw
	refuse_msg EINVAL cct job-first 0 8
	logged "job-first is for a stream"
	msg cct job-set-speed 0
	job_done cct
	io verify
	retire cct d.qcow2
}

it "after a crash the stream goes on without them" forgotten
forgotten() {
	plain
	msg cct stream speed 65536
	msg cct job-first 28672 128
	remove cct
	create cct
	wait_state cct running
	msg cct job-first 28672 128
	msg cct job-set-speed 0
	job_done cct
	io verify
	retire cct d.qcow2
}

run_cases
