#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Messages: each of them in all wrong forms, and in the right ones.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

it "each malformed message is refused" malformed
malformed() {
	local bad

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	while read -r bad; do
		# shellcheck disable=SC2086	# words
		refuse_msg EINVAL cct $bad
	done <<-END
		frobnicate
		STREAM
		base 0 1
		base -1
		base 4
		base 3
		base x
		base 0x
		base 99999999999999999999
		stream speed
		stream speed x
		stream speed -1
		stream speed 1k
		stream speed 99999999999999999999
		stream on-error
		stream on-error ignore
		stream on-error stop on-error
		stream backing-file
		stream backing-file a.raw
		stream backing-file a.raw vmdk
		stream verify verify on-error
		stream verify=1
		stream verify 1
		stream frobnicate
		stream top
		stream top x
		stream top 4
		stream top 0
		stream top -1
		stream top 2 base
		stream top 2 base 2
		stream top 2 base 3
		job-first
		job-first 0
		job-first 0 0
		job-first 0 -1
		job-first x 1
		job-first 0 1 8
		job-first 18446744073709551615 1
		job-first 1 18446744073709551615
		stream top 2 base x
		stream top 2 device /dev/null
		stream top 2 backing-file a.raw raw
		stream base 3
		stream device /dev/null -
		stream speed 1 frobnicate
		snapshot
		snapshot qcow2
		snapshot qcow2 /dev/null
		snapshot raw /dev/null -
		snapshot vmdk /dev/null -
		snapshot qcow2 /dev/null - extra
		snapshot-prepare
		snapshot-prepare qcow2 /dev/null
		snapshot-prepare raw /dev/null -
		snapshot-prepare qcow2 /dev/null - extra
		snapshot-abort now
		job-pause now
		job-resume now
		job-cancel now
		job-set-speed
		job-set-speed x
		job-set-speed -1
		job-set-speed 1 2
		stats maybe
		stats ON
		stats on off
		stats reset now
	END
	# none of them has left anything behind
	status cct
	eq "$S_STATE" "" "job"
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io verify
	remove cct
	untouched abcd a.raw b.qcow2 c.qcow2
}

it "a name too long for the header is refused" long_name
long_name() {
	local name

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct base 0
	printf -v name '%01024d' 7
	refuse_msg "EINVAL|EFBIG|ENAMETOOLONG" cct stream backing-file "$name" raw
	status cct
	eq "$S_STATE" "" "job"
}

it "job messages without a job" no_job
no_job() {
	local m

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	for m in job-pause job-resume job-cancel "job-set-speed 5"; do
		# shellcheck disable=SC2086	# words
		refuse_msg ENOENT cct $m
	done
	# nor after there was one
	msg cct base 2
	msg cct stream
	job_done cct
	for m in job-pause job-resume job-cancel "job-set-speed 5"; do
		# shellcheck disable=SC2086	# words
		refuse_msg ENOENT cct $m
	done
}

it "a snapshot onto unusable devices is refused" snapshot_unusable
snapshot_unusable() {
	local f errno

	use abcd
	use spare
	use refused compressed.qcow2 other.vmdk snap.qcow2 bitmap.qcow2
	# their L1 tables are whole, so that they are refused for what they are
	truncate -s %4096 standard.qcow2 unprepared.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	refuse_msg ENOENT cct snapshot qcow2 /dev/no-such-device -
	refuse_msg "ENODEV|ENXIO" cct snapshot qcow2 7:1048000 -
	refuse_msg ENOTBLK cct snapshot qcow2 /dev/null -
	for f in smaller.qcow2 used.qcow2 standard.qcow2 unprepared.qcow2 compressed.qcow2 \
		other.vmdk snap.qcow2 bitmap.qcow2; do
		attach $f
		errno=EMEDIUMTYPE
		[ $f != smaller.qcow2 ] || errno=EFBIG
		refuse_msg "$errno" cct snapshot qcow2 "${LOOP[$f]}" -
	done
	# a device of the chain itself
	for f in a.raw c.qcow2 d.qcow2; do
		refuse_msg EBUSY cct snapshot qcow2 "${LOOP[$f]}" -
	done
	# two of one
	attach ext.qcow2 ext.data single.qcow2
	refuse_msg EBUSY cct snapshot qcow2 "${LOOP[ext.qcow2]}" "${LOOP[ext.qcow2]}"
	refuse_msg EINVAL cct snapshot qcow2 "${LOOP[ext.qcow2]}" -
	refuse_msg EINVAL cct snapshot qcow2 "${LOOP[single.qcow2]}" "${LOOP[ext.data]}"
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io verify write:0:64k:3 verify
	# none of them is in use
	detach smaller.qcow2 used.qcow2 standard.qcow2 ext.qcow2 ext.data single.qcow2
	retire cct d.qcow2
}

it "messages to a target of several layers name the base in each form" base_forms
base_forms() {
	local n

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	n=${LOOP[b.qcow2]#/dev/loop}
	for base in 1 "7:$n" "${LOOP[b.qcow2]}"; do
		msg cct base "$base"
	done
	for base in "${LOOP[d.qcow2]}" "7:${LOOP[d.qcow2]#/dev/loop}" /dev/null /dev/no-such-device; do
		refuse_msg "EINVAL|ENODEV|ENOENT|ENOTBLK|ENXIO" cct base "$base"
	done
	msg cct base none
	# after all that, the base that was set last is selected
	msg cct base "${LOOP[b.qcow2]}"
	msg cct stream backing-file b.qcow2 qcow2
	job_done cct
	eq "$S_BASE" 1 "base in the status"
	chain_is cct a.raw b.qcow2 d.qcow2
	retire cct d.qcow2
}

it "the words of stream in any order" stream_words
stream_words() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct base 0
	msg cct stream backing-file ./a.raw raw on-error report speed 1073741824
	status cct
	eq "$S_TYPE" stream "type of the job"
	eq "$S_SPEED" 1073741824 speed
	job_done cct
	eq "$(qcow2poke d.qcow2 backing)" ./a.raw "backing file"
	eq "$(qcow2poke d.qcow2 format)" raw "backing format"
	retire cct d.qcow2
}

run_cases
