#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Jobs that read back what they have copied: a device that loses a write without a word is found out before
# the chain depends on it.
# Quick: lost_by_|unnoticed
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/injector.sh
. "$HERE/lib/injector.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"
# shellcheck source=selftests/lib/stall.sh
. "$HERE/lib/stall.sh"

DATA=15728640		# an offset where b has data, and no layer above it
PLACE=$((DATA + 1536))	# of the sector that is lost

# lossy FILE SECTOR: this sector of its device stays as it is, whatever is written there
lossy() {
	local end=$(($2 + 1))

	need_target flakey
	change "$1" "0 $2 linear @ 0" "$2 1 flakey @ $2 0 3600 1 drop_writes" \
		"$end $(($(sectors "$1") - end)) linear @ $end"
}

# sector_of FILE OFFSET: prints where a prepared image has this offset of the disk
sector_of() {
	local at

	read -r at _ < <(qcow2poke "$1" l2 $(($2 / 131072)))
	echo $((((at & 0x00fffffffffffe00) + $2 % 131072) / 512))
}

# found_out TYPE FILE SECTOR OFFSET: the job has stopped, and the line names layer, device and place
found_out() {
	wait_state cct paused
	eq "$S_TYPE $S_IO $S_ERR $S_MODE" "$1 failed 84 rw" "job, io-status, errno, mode"
	logged "layer [0-9:]+: verify: offset $4 of the disk: device $(devno "$2"), sector $3: what is read is not what the $1 wrote there"
	eq "$(dmsetup table cct)" "$BEFORE" "the chain"
	io verify write:1M:64k:1 verify
}

# devno FILE: of the device that the chain has of it
devno() { dmsetup info -c --noheadings --separator : -o major,minor "${LOOP[$1]#/dev/mapper/}"; }

# start WORD...: sends the message, of a job that stops on an error
start() {
	mark start
	BEFORE=$(dmsetup table cct)
	msg cct "$@" on-error stop verify
}

# resumed LAYERS: the device is as it was, and the job copies again what was lost
resumed() {
	msg cct job-resume
	job_done cct
	[ "$S_VERIFIED" -gt 0 ] || fail "nothing was read back"
	eq "$S_LAYERS" "$1" layers
	io verify random:20:1 verify
}

it "without it, nobody notices that a device has lost a write" unnoticed
unnoticed() {
	changeable d.qcow2
	lossy d.qcow2 "$(sector_of d.qcow2 $PLACE)"
	msg cct stream
	job_done cct
	eq "$S_VERIFIED" - "what was read back"
	! io verify || fail "nothing was lost, so this shows nothing"
}

it "a stream: the top loses a write" lost_by_top
lost_by_top() {
	local at

	changeable d.qcow2
	at=$(sector_of d.qcow2 $PLACE)
	lossy d.qcow2 "$at"
	start stream
	found_out stream d.qcow2 "$at" $PLACE
	eq "$(qcow2poke d.qcow2 backing)" c.qcow2 "backing file"
	# nor does it end otherwise the next time
	msg cct job-cancel
	msg cct stream verify
	job_done cct 84
	eq "$(dmsetup table cct)" "$BEFORE" "the chain"
	start stream
	found_out stream d.qcow2 "$at" $PLACE
	repair d.qcow2
	resumed 1
	retire cct d.qcow2
}

it "a stream: a data file that is to be a raw disk loses zeros" lost_by_data
lost_by_data() {
	use ext
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2 d.data
	over d.data "0 $(sectors d.data) linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	# zeros of b
	lossy d.data $(((3 << 11) + 5))
	start stream
	found_out stream d.data $(((3 << 11) + 5)) $(((3 << 20) + 2560))
	repair d.data
	resumed 1
	retire cct d.qcow2
	cmp d.data model.raw || fail "the data file is not the disk"
}

it "a commit: a raw base loses a write" lost_by_raw
lost_by_raw() {
	use abcd
	attach a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
	over a.raw "0 $(sectors a.raw) linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	lossy a.raw $((PLACE / 512))
	start commit top 2 base 0 backing-file a.raw raw
	found_out commit a.raw $((PLACE / 512)) $PLACE
	eq "$(qcow2poke d.qcow2 backing)" c.qcow2 "backing file"
	repair a.raw
	resumed 2
	retire cct d.qcow2
}

it "a commit: a raw base loses zeros" lost_by_zeroed
lost_by_zeroed() {
	use abcd
	attach a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
	over a.raw "0 $(sectors a.raw) linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	# zeros of b, where a has data
	lossy a.raw $(((3 << 11) + 133))
	start commit top 2 base 0 backing-file a.raw raw
	found_out commit a.raw $(((3 << 11) + 133)) $(((3 << 20) + 68096))
	repair a.raw
	resumed 2
	retire cct d.qcow2
}

# into_c: d goes down into c, which is on a device that can be changed; e is the top
into_c() {
	use abcd
	attach ro:a.raw ro:b.qcow2 c.qcow2 d.qcow2
	over c.qcow2 "0 $(sectors c.qcow2) linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	# a part of what c has, and whole subclusters that it has not
	io write:12584448:1k:3 write:10M:64k:4 zero:11M:64k flush
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
}

it "a commit: a base with clusters loses a part of one" "lost_by_base 12584960"
it "a commit: a base with clusters loses a part of a new one" "lost_by_base 10486784"
lost_by_base() {
	local at

	into_c
	at=$(sector_of c.qcow2 "$1")
	lossy c.qcow2 "$at"
	start commit top 3 base 2 backing-file c.qcow2 qcow2
	found_out commit c.qcow2 "$at" "$1"
	eq "$(qcow2poke e.qcow2 backing)" d.qcow2 "backing file"
	repair c.qcow2
	resumed 4
	retire cct e.qcow2
}

it "a commit of the top: what is copied last, while writes wait, is verified, too" lost_by_rest
lost_by_rest() {
	local at

	need_stall
	use abcd
	attach ro:a.raw ro:b.qcow2 c.qcow2 d.qcow2
	over c.qcow2 "0 $(sectors c.qcow2) linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:1
	start commit top 3 base 2 keep
	wait_state cct ready
	at=$(sector_of c.qcow2 $PLACE)
	lossy c.qcow2 "$at"
	stall_at cc_active_complete
	msg cct job-complete
	wait_for 30 stalled
	io write:$DATA:4k:7
	stall_end
	found_out commit c.qcow2 "$at" $PLACE
	repair c.qcow2
	resumed 3
	remove cct
	keep check c.qcow2
	keep compare c.qcow2 model.raw
}

it "what is copied is read back, all of it and nothing else" amount
amount() {
	local b c

	use abcd
	attach a.raw
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	read -r _ b c _ <provides
	msg cct commit top 2 base 0 backing-file a.raw raw verify
	job_done cct
	eq "$S_VERIFIED" $(((b + c) * 4096)) "bytes that were read back"
	# zeros get a bit, and what the top has is not copied
	io write:0:16M:1
	msg cct base none
	msg cct stream verify
	job_done cct
	eq "$S_VERIFIED" 0 "bytes that were read back"
	io verify
	retire cct d.qcow2
}

it "what was written cannot be read" unreadable
unreadable() {
	faulty_chain
	io read:0:2M
	mark unreadable
	echo "8 1 1 1 5 0" >$PLAN
	msg cct stream verify on-error stop
	wait_state cct paused
	eq "$S_IO $S_ERR" "failed 5" "io-status and errno"
	logged "verify: offset [0-9]+ of the disk: device [0-9:]+, sector [0-9]+: cannot read what the stream wrote there: error -5"
	io verify
	msg cct job-resume
	job_done cct
	io verify
}

it "an interrupted stream still verifies when it continues" "interrupted stream"
it "an interrupted commit still verifies when it continues" \
	"interrupted commit top 2 base 0 backing-file a.raw raw"
interrupted() {
	use abcd
	attach a.raw
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct "$@" verify speed 4096
	wait_for 60 some_copied
	remove cct
	TABLE=${TABLE/ cowchain 0 / cowchain 1 no_auto_resume }
	create cct
	status cct
	eq "$S_STATE $S_VERIFIED" "created 0" "state, and what was read back"
	msg cct job-resume
	msg cct job-set-speed 0
	job_done cct
	[ "$S_VERIFIED" -gt 0 ] || fail "the job that was continued has not read back what it copied"
	io verify
	retire cct d.qcow2
}

run_cases
