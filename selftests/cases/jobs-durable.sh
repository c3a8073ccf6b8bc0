#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A stream continues after its table was removed: detach, reload, crash.
# Quick: detached|crashes|base_missing
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

CHAIN=(a.raw b.qcow2 c.qcow2 d.qcow2)

# begin: makes a chain, and starts a slow stream that has copied something
begin() {
	use abcd
	mkchain cct "${CHAIN[@]}"
	io random:30:1
	msg cct stream speed 262144
	wait_for 30 has_copied
	recorded 1
}

has_copied() {
	status cct
	[ "$S_OFF" -gt 0 ]
}

# recorded TYPE: expects this job in the header of d.qcow2
recorded() {
	ident d.qcow2
	eq "$I_JOB" "$1" "job in the header"
}

# again [FEATURE...]: creates the device again
again() {
	layers "${CHAIN[@]}"
	TABLE="0 $SECTORS cowchain $# $* ${TABLE#* cowchain 0 }"
	mark again
	create cct
}

# finish FILE...: expects that the job that continues ends with this chain
finish() {
	io random:20:2
	msg cct job-set-speed 0
	job_done cct
	recorded 0
	chain_is cct "$@"
	io verify random:20:3 verify
	retire cct d.qcow2
}

it "after a detach a stream continues by itself" detached
detached() {
	begin
	remove cct
	recorded 1
	again
	logged "stream.*interrupted"
	status cct
	matches "$S_STATE" 'running|created' "state"
	eq "$S_BASE $S_SPEED" "- 262144" "base and speed"
	finish d.qcow2
}

it "a stream with a base that has no identity, and with a name" with_base
with_base() {
	use abcd
	mkchain cct "${CHAIN[@]}"
	msg cct base 1
	msg cct stream speed 262144 on-error report backing-file sub/b.qcow2 qcow2
	remove cct
	ident d.qcow2
	eq "$I_JOB $I_BASE $I_SPEED" "1 1 262144" "what is recorded"
	again
	status cct
	eq "$S_BASE $S_SPEED" "1 262144" "base and speed"
	io random:20:1
	msg cct job-set-speed 0
	job_done cct
	chain_is cct a.raw b.qcow2 d.qcow2
	io verify
	remove cct
	eq "$(qcow2poke d.qcow2 backing)" sub/b.qcow2 "backing file"
	recorded 0
	mkdir sub
	ln -s ../b.qcow2 sub
	ln -s ../a.raw sub
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "the base is found by its identity, also at another place" base_moves
base_moves() {
	local f

	use abcd
	for f in e f; do
		use spare single.qcow2
		mv single.qcow2 $f.qcow2
	done
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	qcow2poke f.qcow2 backing e.qcow2 qcow2
	mkchain cct "${CHAIN[@]}"
	io random:20:1
	attach e.qcow2 f.qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:20:2
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" -
	msg cct base 3
	msg cct stream backing-file d.qcow2 qcow2 speed 65536
	remove cct
	# d.qcow2 is layer 2 of a chain whose first two layers have become one raw image
	qemu-img convert -f qcow2 -O raw c.qcow2 flat.raw
	layers flat.raw d.qcow2 e.qcow2 f.qcow2
	TABLE="0 $SECTORS cowchain 1 no_auto_resume ${TABLE#* cowchain 0 }"
	create cct
	status cct
	eq "$S_STATE $S_BASE" "created 1" "state and base of one that waits"
	remove cct
	layers flat.raw d.qcow2 e.qcow2 f.qcow2
	create cct
	status cct
	eq "$S_BASE" 1 "base"
	msg cct job-set-speed 0
	job_done cct
	chain_is cct flat.raw d.qcow2 f.qcow2
	io verify
}

it "a base that is missing is reported, and the chain works" base_missing
base_missing() {
	use abcd
	mkchain cct "${CHAIN[@]}"
	msg cct base 1
	msg cct stream backing-file b.qcow2 qcow2 speed 65536
	remove cct
	qemu-img convert -f qcow2 -O raw c.qcow2 flat.raw
	layers flat.raw d.qcow2
	mark missing
	create cct
	logged "base is not in the chain"
	status cct
	eq "$S_STATE $S_LAYERS" "created 2" "state and layers"
	io verify random:20:1
	msg cct job-cancel
	status cct
	eq "$S_STATE" "" "state after the cancel"
	recorded 0
	io verify
}

it "a reload does not lose the stream" reloaded
reloaded() {
	begin
	dmsetup load cct --table "$(dmsetup table cct)"
	dmsetup suspend cct
	dmsetup resume cct
	status cct
	matches "$S_STATE" 'running|created' "state"
	eq "$S_SPEED" 262144 speed
	dmsetup suspend cct
	dmsetup resume cct
	wait_state cct running
	finish d.qcow2
}

it "reload to read-only and back" read_only
read_only() {
	begin
	dmsetup load cct --readonly --table "$(dmsetup table cct)"
	dmsetup suspend cct
	dmsetup resume cct
	recorded 1
	dmsetup load cct --table "$(dmsetup table cct)"
	dmsetup suspend cct
	dmsetup resume cct
	status cct
	eq "$S_SPEED" 262144 speed
	finish d.qcow2
}

it "with no_auto_resume the stream waits, and can be continued or cancelled" by_hand
by_hand() {
	begin
	remove cct
	again no_auto_resume
	matches "$(dmsetup table cct)" ' 1 no_auto_resume 4 ' table
	logged "stream.*interrupted"
	status cct
	eq "$S_STATE $S_SPEED" "created 262144" "state and speed"
	recorded 1
	refuse_msg ENOENT cct job-pause
	use spare single.qcow2
	attach single.qcow2
	refuse_msg EBUSY cct snapshot qcow2 "${LOOP[single.qcow2]}" -
	msg cct job-resume
	status cct
	matches "$S_STATE" 'running|created' "state"
	remove cct
	again no_auto_resume
	msg cct job-cancel
	recorded 0
	status cct
	eq "$S_STATE" "" "state after the cancel"
	refuse_msg ENOENT cct job-cancel
	refuse_msg ENOENT cct job-resume
	remove cct
	again
	status cct
	eq "$S_STATE" "" "state after that"
	io verify
	retire cct d.qcow2
}

it "another stream replaces the recorded one" replaced
replaced() {
	begin
	remove cct
	again no_auto_resume
	msg cct base 0
	msg cct stream backing-file a.raw raw
	job_done cct
	recorded 0
	chain_is cct a.raw d.qcow2
	io verify
	retire cct d.qcow2
}

it "a cancelled stream does not return, also if it is cancelled while suspended" cancelled
cancelled() {
	begin
	msg cct job-cancel
	recorded 0
	eq "$(status cct; echo "$S_STATE")" concluded state
	msg cct stream speed 65536
	recorded 1
	dmsetup suspend cct
	msg cct job-cancel
	recorded 0
	dmsetup resume cct
	remove cct
	again
	status cct
	eq "$S_STATE" "" state
	io verify
	retire cct d.qcow2
}

it "speed and pause are kept, too" speed_and_pause
speed_and_pause() {
	begin
	msg cct job-set-speed 131072
	msg cct job-pause
	remove cct
	again
	wait_state cct paused
	eq "$S_SPEED" 131072 speed
	msg cct job-resume
	remove cct
	again
	wait_state cct running
	finish d.qcow2
}

it "job-resume starts a stream that waits and was paused" resumed_by_hand
resumed_by_hand() {
	begin
	msg cct job-pause
	remove cct
	again no_auto_resume
	msg cct job-resume
	wait_state cct running
	finish d.qcow2
}

# Only the pause by a user is recorded.
it "a stream that an error has stopped is tried again" stopped
stopped() {
	local n

	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
	n=$(sectors b.qcow2)
	over b.qcow2 "0 $n linear @ 0"
	mkchain cct "${CHAIN[@]}"
	msg cct stream speed 262144 on-error stop
	msg cct job-pause
	change b.qcow2 "0 $n error"
	msg cct job-resume
	wait_state cct paused
	eq "$S_IO" failed io-status
	msg cct job-set-speed 262145
	remove cct
	change b.qcow2 "0 $n linear @ 0"
	again
	wait_state cct running
	eq "$S_SPEED" 262145 speed
	finish d.qcow2
}

# After a crash the image has what is on its device now, or less.
it "crashes during a stream" crashes
crashes() {
	local i off=0

	begin
	for i in 1 2 3; do
		wait_for 60 copied_more "$off"
		off=$S_OFF
		dmsetup suspend --nolockfs cct
		cp d.qcow2 crash$i.qcow2
		cp model.raw crash$i.raw
		dmsetup resume cct
		io random:10:1$i
	done
	msg cct job-set-speed 0
	job_done cct
	remove cct
	detach d.qcow2
	for i in 1 2 3; do
		cp crash$i.qcow2 d.qcow2
		cp crash$i.raw model.raw
		again
		msg cct job-set-speed 0
		job_done cct
		chain_is cct d.qcow2
		io verify
		remove cct
		detach d.qcow2
		keep check crash$i.qcow2
		keep compare crash$i.qcow2 crash$i.raw
	done
}

copied_more() {
	status cct
	[ "$S_STATE" = running ] && [ "$S_OFF" -gt "$1" ]
}

it "a crash at the change of the header: both chains are valid" around_the_switch
around_the_switch() {
	use abcd
	mkchain cct "${CHAIN[@]}"
	io random:30:1
	msg cct base 0
	msg cct stream backing-file a.raw raw speed 65536
	cp d.qcow2 running.qcow2
	msg cct job-set-speed 0
	job_done cct
	remove cct
	eq "$(qcow2poke d.qcow2 backing)" a.raw "backing file"
	# all is copied, and recorded as such; the header names c.qcow2 still, or a.raw already
	set_copied d.qcow2
	layers a.raw d.qcow2
	create cct
	job_done cct
	recorded 0
	io verify
	retire cct d.qcow2
}

# set_copied FILE: makes the identity what it was between the last copy and the end of the job
set_copied() {
	need perl
	perl -e '
		my ($file) = @ARGV;
		open(my $f, "+<", $file) or die;
		my $h; read($f, $h, 131072) == 131072 or die;
		my $pos = index($h, pack("L>L>", 0x43774964, 480)) + 8;
		my ($best, $seq) = (-1, 0);
		for my $i (0 .. 2) {
			my ($magic, $v, $s) = unpack("L>L>Q>", substr($h, $pos + 160 * $i, 16));
			($best, $seq) = ($i, $s) if $magic == 0x6377696d && $s > $seq;
		}
		my $slot = substr($h, $pos + 160 * $best, 160);
		# copied, and another parent is accepted, too: none; a stream, base 0
		substr($slot, 32, 16) = "\x55" x 16;
		substr($slot, 64, 8) = pack("L>L>", 12, 1);
		substr($slot, 124, 24) = "\0" x 24;
		substr($slot, 72, 4) = pack("L>", 0);
		my $crc = 0xffffffff;
		for my $c (unpack("C*", substr($slot, 0, 156))) {
			$crc ^= $c;
			$crc = $crc & 1 ? $crc >> 1 ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
		}
		substr($slot, 156, 4) = pack("L>", $crc ^ 0xffffffff);
		seek($f, $pos + 160 * $best, 0); print $f $slot; close($f) or die;' "$1"
}

it "a job that failed does not return" failed
failed() {
	local n

	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
	n=$(sectors b.qcow2)
	over b.qcow2 "0 $n linear @ 0"
	mkchain cct "${CHAIN[@]}"
	msg cct stream speed 65536 on-error report
	# paused first, or it might meet the error before its speed is set
	msg cct job-pause
	recorded 1
	change b.qcow2 "0 $n error"
	msg cct job-set-speed 0
	msg cct job-resume
	wait_state cct concluded
	recorded 0
	change b.qcow2 "0 $n linear @ 0"
	io verify
}

run_cases
