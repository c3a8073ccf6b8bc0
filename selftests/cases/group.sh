#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Group snapshots: several chains at one point in time, all or none.
# Quick: both|in_order|given_up|slow_member
# Seconds: 90
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"

PARAM=/sys/module/dm_cowchain/parameters

# above_a FILE: an empty layer on a.raw
above_a() {
	use spare single.qcow2
	mv single.qcow2 "$1"
	qcow2poke "$1" backing a.raw raw
	attach "$1"
}

# other NAME FILE: a second chain, on a.raw as the first one
other() {
	above_a "$2"
	layers a.raw "$2"
	create "$1"
}

# two: cct with d.qcow2 and cct2 with x.qcow2 as their tops; e.qcow2 and y.qcow2 are to be the next ones
two() {
	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	two_more
}

# two_slow FILE: the same, with the device of d.qcow2 or x.qcow2 on one that can be changed
two_slow() {
	need_target delay
	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
	[ "$1" != d.qcow2 ] || over "$1" "0 $(sectors "$1") linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	above_a x.qcow2
	[ "$1" != x.qcow2 ] || over "$1" "0 $(sectors "$1") linear @ 0"
	two_more
}

two_more() {
	[ -n "${LOOP[x.qcow2]:-}" ] || above_a x.qcow2
	layers a.raw x.qcow2
	create cct2
	shows_a
	spare e d.qcow2
	spare y x.qcow2
}

# The model of cct2, which shows a.raw.
shows_a() {
	cp a.raw model2.raw
	truncate -s $((SECTORS * 512)) model2.raw
}

io2() { cowio -m "$T/model2.raw" /dev/mapper/cct2 "$@"; }

# ready NAME FILE: prepares the snapshot
ready() { msg "$1" snapshot-prepare qcow2 "${LOOP[$2]}" -; }

both_ready() {
	ready cct e.qcow2
	ready cct2 y.qcow2
}

# has NAME LAYERS
has() {
	status "$1"
	eq "$S_LAYERS" "$2" "layers of $1"
}

both_old() {
	has cct 4
	has cct2 2
}

both_new() {
	has cct 5
	has cct2 3
}

# Nothing is sealed, prepared or busy: the chains are attached as they were, and have their snapshots now.
both_as_before() {
	both_old
	io random:10:91 verify
	io2 random:10:92 verify
	remove cct
	remove cct2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	layers a.raw x.qcow2
	create cct2
	io verify
	io2 verify
	both_ready
	msg cct snapshot-commit cct2
	both_new
	io random:10:93 verify
	io2 random:10:94 verify
	retire cct e.qcow2
	retire cct2 y.qcow2 model2.raw
}

# try_commit FILE NAME OTHER: may fail; then FILE has the error
try_commit() { msg "$2" snapshot-commit "$3" 2>"$1" || exit 1; }

number() { dmsetup info -c --noheadings -o major,minor --separator : "$1"; }

it "both are taken, whoever gets the message" both
both() {
	two
	io random:30:1
	io2 random:30:2
	both_ready
	# nothing has changed yet
	both_old
	io random:30:3
	io2 random:30:4
	cp model.raw old.raw
	cp model2.raw old2.raw
	msg cct snapshot-commit cct2
	both_new
	# complete in the files at once
	cp d.qcow2 frozen.qcow2
	cp x.qcow2 frozen2.qcow2
	io verify random:30:5 verify
	io2 verify random:30:6 verify
	ident d.qcow2
	eq "$I_FLAGS" 1 "flags of the old top"
	keep check frozen.qcow2
	keep compare frozen.qcow2 old.raw
	keep check frozen2.qcow2
	keep compare frozen2.qcow2 old2.raw
	# once more, to the other one, and by its number
	spare f e.qcow2
	spare z y.qcow2
	ready cct f.qcow2
	ready cct2 z.qcow2
	msg cct2 snapshot-commit "$(number cct)"
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2 f.qcow2
	chain_is cct2 a.raw x.qcow2 y.qcow2 z.qcow2
	io verify
	io2 verify
	retire cct f.qcow2
	retire cct2 z.qcow2 model2.raw
	cmp d.qcow2 frozen.qcow2 || fail "an old top has changed"
	cmp x.qcow2 frozen2.qcow2 || fail "an old top has changed"
}

it "a group of one, and of two out of three" some
some() {
	two
	other cct3 v.qcow2
	spare w v.qcow2
	both_ready
	ready cct3 w.qcow2
	msg cct3 snapshot-commit
	chain_is cct3 a.raw v.qcow2 w.qcow2
	both_old
	msg cct snapshot-commit cct2
	both_new
	# three at once, one of them with an external data file
	spare e2 e.qcow2 ext
	spare y2 y.qcow2
	spare w2 w.qcow2
	msg cct snapshot-prepare qcow2 "${LOOP[e2.qcow2]}" "${LOOP[e2.data]}"
	ready cct2 y2.qcow2
	ready cct3 w2.qcow2
	msg cct2 snapshot-commit cct3 cct
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2 e2.qcow2,e2.data
	chain_is cct2 a.raw x.qcow2 y.qcow2 y2.qcow2
	chain_is cct3 a.raw v.qcow2 w.qcow2 w2.qcow2
	io random:20:1 verify
	retire cct e2.qcow2
	remove cct3
	retire cct2 y2.qcow2 model2.raw
}

# frozen NAME FILE... : a read-only device of layers that do not change any more
frozen() {
	layers "${@:2}"
	create "$1" --readonly
}

it "what is written to two disks in an order is in the snapshots in that order" in_order
in_order() {
	local i rounds last before=0 d=d x=x pid

	two
	ordered write "$T/stop" /dev/mapper/cct /dev/mapper/cct2 >rounds &
	pid=$!
	for i in 1 2 3 4 5; do
		[ "$i" = 1 ] || spare "e$i" $d.qcow2
		[ "$i" = 1 ] || spare "y$i" $x.qcow2
		if [ "$i" = 1 ]; then
			both_ready
		else
			ready cct "e$i.qcow2"
			ready cct2 "y$i.qcow2"
		fi
		msg cct snapshot-commit cct2
		d=e$i x=y$i
		[ "$i" != 1 ] || d=e x=y
	done
	touch stop
	wait "$pid" || fail "a write failed"
	rounds=$(<rounds)
	note "$rounds rounds"
	last=$(ordered check /dev/mapper/cct /dev/mapper/cct2)
	[ "$last" -gt 0 ] || fail "nothing was written"
	# each of the five
	d=(a.raw b.qcow2 c.qcow2) x=(a.raw)
	for i in 1 2 3 4 5; do
		case $i in
		1) d+=(d.qcow2) x+=(x.qcow2) ;;
		2) d+=(e.qcow2) x+=(y.qcow2) ;;
		*) d+=("e$((i - 1)).qcow2") x+=("y$((i - 1)).qcow2") ;;
		esac
		frozen cct-f1 "${d[@]}"
		frozen cct-f2 "${x[@]}"
		last=$(ordered check /dev/mapper/cct-f1 /dev/mapper/cct-f2) || fail "snapshot $i: $last"
		[ "$last" -ge "$before" ] || fail "snapshot $i has only $last rounds, the one before has $before"
		before=$last
		remove cct-f1
		remove cct-f2
	done
	[ "$before" -gt 0 ] || fail "nothing was written before the last snapshot"
	remove cct
	remove cct2
}

it "a commit that names what is not prepared changes nothing" not_prepared
not_prepared() {
	two
	refuse_msg ENOENT cct snapshot-commit cct2
	refuse_msg ENOENT cct snapshot-abort
	ready cct e.qcow2
	refuse_msg ENOENT cct snapshot-commit cct2
	refuse_msg ENOENT cct2 snapshot-commit cct
	refuse_msg ENOENT cct snapshot-commit cct-none
	refuse_msg ENOENT cct snapshot-commit 7:0
	refuse_msg ENOENT cct snapshot-commit /dev/mapper/cct2
	ready cct2 y.qcow2
	refuse_msg EINVAL cct snapshot-commit cct2 cct2
	refuse_msg EINVAL cct snapshot-commit cct2 "$(number cct2)"
	refuse_msg EINVAL cct snapshot-commit cct cct2
	refuse_msg ENOENT cct snapshot-commit cct2 cct3
	both_old
	# what was prepared still is
	msg cct snapshot-commit cct2
	both_new
	refuse_msg ENOENT cct snapshot-commit cct2
	io verify
	io2 verify
}

it "a chain with a prepared snapshot begins nothing else" excludes
excludes() {
	two
	spare f d.qcow2
	ready cct e.qcow2
	refuse_msg EBUSY cct snapshot-prepare qcow2 "${LOOP[f.qcow2]}" -
	refuse_msg EBUSY cct snapshot qcow2 "${LOOP[f.qcow2]}" -
	refuse_msg EBUSY cct stream
	refuse_msg EBUSY cct commit top 2 base 1
	# nobody else gets what is to be the top
	refuse_msg EBUSY cct2 snapshot-prepare qcow2 "${LOOP[e.qcow2]}" -
	msg cct base 1
	msg cct base none
	io random:20:1 verify
	msg cct snapshot-abort
	msg cct2 snapshot-prepare qcow2 "${LOOP[e.qcow2]}" -
	msg cct2 snapshot-abort
	# a stream goes on, but does not end
	msg cct stream speed 65536
	msg cct snapshot-prepare qcow2 "${LOOP[f.qcow2]}" -
	refuse_msg EBUSY cct stream
	msg cct snapshot-abort
	msg cct job-cancel
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" -
	io verify
	retire cct f.qcow2
}

it "it cannot be prepared: suspended, read-only, not empty, not qcow2" unfit
unfit() {
	two
	refuse_msg EINVAL cct snapshot-prepare raw "${LOOP[e.qcow2]}" -
	use spare used.qcow2
	attach used.qcow2
	refuse_msg EMEDIUMTYPE cct snapshot-prepare qcow2 "${LOOP[used.qcow2]}" -
	dmsetup suspend cct
	refuse_msg EAGAIN cct snapshot-prepare qcow2 "${LOOP[e.qcow2]}" -
	dmsetup resume cct
	remove cct2
	layers a.raw x.qcow2
	create cct2 --readonly
	refuse_msg EROFS cct2 snapshot-prepare qcow2 "${LOOP[y.qcow2]}" -
	ready cct e.qcow2
	msg cct snapshot-commit
	io random:20:1 verify
	retire cct e.qcow2
}

it "it is given up by an abort, the end of its time, a suspend, a reload, a removal" given_up
given_up() {
	local default how

	two
	read -r default <$PARAM/snapshot_prepared_ms
	for how in abort time suspend reload; do
		mark "$how"
		[ $how != time ] || echo 100 >$PARAM/snapshot_prepared_ms
		ready cct e.qcow2
		echo "$default" >$PARAM/snapshot_prepared_ms
		ready cct2 y.qcow2
		case $how in
		abort) msg cct snapshot-abort ;;
		time) wait_for 60 given_up_logged ;;
		suspend) dmsetup suspend cct && dmsetup resume cct ;;
		reload)
			layers a.raw b.qcow2 c.qcow2 d.qcow2
			dmsetup load cct <<<"$TABLE"
			dmsetup suspend cct
			dmsetup resume cct
			;;
		esac
		refuse_msg ENOENT cct2 snapshot-commit cct
		refuse_msg ENOENT cct snapshot-commit cct2
		refuse_msg ENOENT cct snapshot-abort
		msg cct2 snapshot-abort
		# nobody has the new top any more
		ready cct2 e.qcow2
		msg cct2 snapshot-abort
		both_old
		io random:10:1 verify
	done
	both_ready
	remove cct
	refuse_msg ENOENT cct2 snapshot-commit cct
	msg cct2 snapshot-abort
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	both_as_before
}

given_up_logged() {
	klog
	[[ $KLOG == *"was not committed in time"* ]]
}

it "one that does not let its writes through: none is taken, after the limit and when it is killed" slow_member
slow_member() {
	local default write

	two_slow x.qcow2
	read -r default <$PARAM/snapshot_pause_ms
	io random:20:1
	io2 write:5M:64k:1 random:20:2
	both_ready
	slow_writes
	cowio /dev/mapper/cct2 write:5M:64k:2 &
	write=$!
	wait_for 60 waiting 1
	echo 300 >$PARAM/snapshot_pause_ms
	refuse_msg EBUSY cct snapshot-commit cct2
	echo "$default" >$PARAM/snapshot_pause_ms
	# the first one goes on at once
	io random:20:3 verify
	both_old
	repair x.qcow2
	wait "$write" || fail "the slow write went wrong"
	io2 write:5M:64k:2 verify
	wait_for 60 idle
	both_as_before
}

slow_writes() { change x.qcow2 "0 $(sectors x.qcow2) delay @ 0 0 @ 0 100000 @ 0 100000"; }

# Is no snapshot of cct2 being taken or undone? Then none can be aborted, which is ENOENT.
idle() { [[ $(dmsetup message cct2 0 snapshot-abort 2>&1) == *"No such file"* ]]; }

it "the others do not wait for one whose device does not respond, nor does their suspend, their removal" hung_member
hung_member() {
	local pid default

	two_slow x.qcow2
	read -r default <$PARAM/snapshot_pause_ms
	echo 120000 >$PARAM/snapshot_pause_ms
	io random:20:1
	io2 random:20:2 flush
	both_ready
	slow_writes
	try_commit err cct cct2 &
	pid=$!
	wait_for 60 sealed d.qcow2
	# its writes do not wait for the other one's header, and a suspend ends the round
	io random:20:3 verify
	mark suspend
	dmsetup suspend cct
	dmsetup resume cct
	! wait $pid || fail "a snapshot was taken"
	expect_errno EINTR "$(<err)" "snapshot-commit"
	logged 'no snapshot was taken of any of 2 devices'
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:4 verify
	ident d.qcow2
	eq "$I_FLAGS" 0 "flags of the old top"
	# the same, but it is removed
	ready cct e.qcow2
	repair x.qcow2
	wait_for 60 idle
	ready cct2 y.qcow2
	slow_writes
	try_commit err cct2 cct &
	pid=$!
	wait_for 60 sealed d.qcow2
	remove cct
	repair x.qcow2
	! wait $pid || fail "a snapshot was taken"
	has cct2 2
	echo "$default" >$PARAM/snapshot_pause_ms
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	wait_for 60 idle
	both_as_before
}

# sealed FILE: does its header say so? The loop device may have it in its page cache only.
sealed() {
	ident "$1"
	[ "$I_FLAGS" = 1 ]
}

it "the message is killed: none is taken" killed
killed() {
	local pid default

	two_slow x.qcow2
	read -r default <$PARAM/snapshot_pause_ms
	echo 120000 >$PARAM/snapshot_pause_ms
	both_ready
	slow_writes
	msg cct snapshot-commit cct2 &
	pid=$!
	wait_for 60 sealed d.qcow2
	kill -KILL $pid
	! wait $pid || fail "the signal had no effect"
	io random:20:1 verify
	echo "$default" >$PARAM/snapshot_pause_ms
	repair x.qcow2
	wait_for 60 idle
	wait_for 60 idle_first
	both_as_before
}

idle_first() { [[ $(dmsetup message cct 0 snapshot-abort 2>&1) == *"No such file"* ]]; }

it "an inactive table of one would write to the old top: none is taken" inactive
inactive() {
	two
	both_ready
	layers a.raw x.qcow2
	dmsetup load cct2 <<<"$TABLE"
	refuse_msg EBUSY cct snapshot-commit cct2
	logged 'an inactive table would write to it'
	dmsetup clear cct2
	both_as_before
}

it "the metadata of one cannot be written: none is taken, and the other one goes on" fails
fails() {
	need_target flakey
	two_slow x.qcow2
	io random:20:1
	io2 write:1M:64k:1 flush
	both_ready
	io2 write:2M:64k:2
	change x.qcow2 "0 $(sectors x.qcow2) flakey @ 0 0 1000 1 error_writes"
	refuse_msg EIO cct snapshot-commit cct2
	repair x.qcow2
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:3 verify
	ident d.qcow2
	eq "$I_FLAGS" 0 "flags of the old top"
	in_mode cct2 ro || fail "the mode of the one that failed is $S_MODE"
	remove cct2
	cp d.qcow2 before.qcow2
	ready cct e.qcow2
	msg cct snapshot-commit
	io verify
	retire cct e.qcow2
}

it "two commits at once that have a member in common: one of them" overlap
overlap() {
	local i pids taken

	two
	other cct3 v.qcow2
	spare w v.qcow2
	both_ready
	ready cct3 w.qcow2
	pids=()
	try_commit err1 cct cct2 &
	pids+=($!)
	try_commit err2 cct3 cct2 &
	pids+=($!)
	taken=0
	for i in 0 1; do
		! wait "${pids[i]}" || taken=$((taken + 1))
	done
	eq $taken 1 "commits that have succeeded"
	chain_is cct2 a.raw x.qcow2 y.qcow2
	if [ -s err1 ]; then
		expect_errno ENOENT "$(<err1)" "the first commit"
		chain_is cct3 a.raw v.qcow2 w.qcow2
		msg cct snapshot-commit
	else
		expect_errno ENOENT "$(<err2)" "the second commit"
		chain_is cct3 a.raw v.qcow2
		msg cct3 snapshot-abort
	fi
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	io random:20:1 verify
	io2 random:20:2 verify
}

run_cases
