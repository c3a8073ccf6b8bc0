#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Signals at each step of the verbs of the tool that suspend devices or load tables: nothing is half done.
# Seconds: 130
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

# Is the device complete: active, and with no other table?
complete() {
	local info

	info=$(dmsetup info cct 2>/dev/null) || return 0
	matches "$info" 'State: +ACTIVE' "after $1, the state"
	matches "$info" 'Tables present: +LIVE[[:space:]]' "after $1, the tables"
}

# signalled SIGNAL STEP VERB ARGUMENT...: runs the tool, which gets the signal before its call STEP of
# device-mapper, or, if AFTER is set, when the kernel has done that call. Sets RC. Fails if there is no
# such call.
signalled() {
	local number pid

	number=$(kill -l "$1")
	rm -f sent
	# A group of its own, whose parent is in another one: else a stop would be ignored.
	set -m
	LD_PRELOAD=$COWCHAIN_BIN/dm-step.so DM_STEP_SIGNAL=$number DM_STEP=$2 DM_STEP_DONE=$T/sent \
		DM_STEP_AFTER=${AFTER-} cowchain "${@:3}" >said 2>&1 &
	pid=$!
	set +m
	RC=0
	wait_for 60 over_or_stopped "$pid"
	if [ -e sent ] && stopped "$pid"; then
		complete "$1 $2 of $3"
		kill -CONT -- "-$pid"
	fi
	wait "$pid" || RC=$?
	complete "$1 $2 of $3"
	[ -e sent ]
}

# state PID: sets STATE to its letter in ps(1); Z if the process has ended
state() {
	STATE=Z
	{ read -r STATE <"/proc/$1/stat"; } 2>/dev/null || return 0
	STATE=${STATE##*) }
	STATE=${STATE%% *}
}
stopped() { state "$1" && [ "$STATE" = T ]; }
ended() { state "$1" && [ "$STATE" = Z ]; }
over_or_stopped() { state "$1" && [[ $STATE = [TZ] ]]; }

# each_step SIGNAL VERB ARGUMENT...: before each call, and for a signal that ends also after it; has "again"
# called before each
each_step() {
	steps "$@"
	if [ "$1" = TERM ]; then
		AFTER=yes steps "$@"
	fi
}

steps() {
	local step

	for ((step = 1; step < 100; step++)); do
		again
		signalled "$1" "$step" "${@:2}" || break
		case $1:$RC in
		TSTP:0 | TERM:143) ;;
		*) fail "$1 at call $step${AFTER:+, after it,} of $2: status $RC: $(<said)" ;;
		esac
	done
	note "$2: $((step - 1)) calls"
	[ "$step" -gt 3 ] || fail "the signals did not come: $(<said)"
	[ "$RC" = 0 ] || fail "without a signal: status $RC: $(<said)"
}

is_attached() { dmsetup info cct >/dev/null 2>&1; }

it "reload" reload
reload() {
	local signal

	again() { :; }
	attached
	for signal in TERM TSTP; do
		each_step $signal reload cct
		io verify random:10:1
	done
	io verify
	detached
}

it "attach" attach_steps
attach_steps() {
	local signal

	need cowchain
	use abcd
	DEV=/dev/mapper/cct
	again() { ! is_attached || cowchain detach cct; }
	for signal in TERM TSTP; do
		each_step $signal attach cct d.qcow2
	done
	io verify
	detached
}

it "attach with a new top: it stays if the device does" overlay_steps
overlay_steps() {
	local signal

	need cowchain
	use abcd
	again() {
		if is_attached; then
			[[ -e n.qcow2 && -e n.raw ]] || fail "attached, but the new top is not there"
			cowchain detach cct
		else
			[[ ! -e n.qcow2 && ! -e n.raw ]] || fail "not attached, but the new top is there"
		fi
		rm -f n.qcow2 n.raw
	}
	for signal in TERM TSTP; do
		each_step $signal attach cct b.qcow2 --overlay n.qcow2 --data-file n.raw
	done
	again
	wait_for 30 no_loops
	untouched abcd a.raw b.qcow2
}

# A block device, on which qemu-img cannot make anything new: what it has written is taken back.
it "a snapshot and a copy onto a block device that end while qemu-img runs" device_new
device_new() {
	local signal verb rc dev

	attached
	truncate -s 32M new.img
	attach new.img
	dev=${LOOP[new.img]}
	# the header and a part of the tables
	qemu_img "$(command -v qemu-img) \"\$@\" || exit
dd if=/dev/zero of=$dev bs=64k seek=8 count=200 conv=fsync status=none
kill -s \$SIGNAL \$PPID
exec sleep 100"
	for signal in INT TERM; do
		for verb in snapshot "copy --pivot"; do
			rc=0
			# shellcheck disable=SC2086	# words
			SIGNAL=$signal env --default-signal cowchain $verb cct "$dev" >said 2>&1 || rc=$?
			eq "$rc" $((128 + $(kill -l $signal))) "$verb: exit status: $(<said)"
			complete "$signal of $verb"
			cmp -n 1048576 "$dev" /dev/zero || fail "$verb: a part of an image is left"
		done
	done
	# what was there before is not taken for a part of it
	mkfs.ext4 -q "$dev"
	cowchain snapshot cct "$dev" >said 2>&1 && fail "a file system is overwritten"
	blkid -p "$dev" >said || fail "the file system is damaged"
	unset COWCHAIN_QEMU_IMG
	wipefs -q -a "$dev"
	dd if=/dev/zero of="$dev" bs=1M count=1 conv=fsync status=none
	io random:10:1
	cowchain snapshot cct "$dev"
	io verify random:10:2 verify
	cowchain detach cct
}

# Up to the message the chain is as it was, and the same command can be given again. After it NEW is the top.
it "a snapshot onto a block device" device_steps
device_steps() {
	local dev

	attached
	cp model.raw first.raw
	truncate -s 32M new.img
	attach new.img
	dev=${LOOP[new.img]}
	again() {
		status cct
		[ "$S_LAYERS" = 5 ] || cowchain snapshot cct "$dev"
		io write:1M:4k:1 verify
		cowchain detach cct
		cp "$FIXTURES/abcd/d.qcow2" d.qcow2
		cp first.raw model.raw
		dd if=/dev/zero of="$dev" bs=1M count=1 conv=fsync status=none
		cowchain attach cct d.qcow2
	}
	steps TERM snapshot cct "$dev"
	again
	cowchain detach cct
}

it "detach, as it is and by force" detach_steps
detach_steps() {
	local signal

	need cowchain
	use abcd
	DEV=/dev/mapper/cct
	again() { is_attached || cowchain attach cct d.qcow2; }
	for signal in TERM TSTP; do
		each_step $signal detach cct
		each_step $signal detach cct --force
	done
	again
	io verify
	detached
}

# The chain of "attached" with a base that changes.
over_changing_base() {
	need cowchain
	need_target delay
	use abcd
	# shellcheck disable=SC2034	# for io
	DEV=/dev/mapper/cct
	attach ro:a.raw
	over a.raw "0 $SECTORS linear @ 0"
	cowchain attach cct --layer "raw:${LOOP[a.raw]}" --layer qcow2:b.qcow2 --layer qcow2:c.qcow2 \
		--layer qcow2:d.qcow2
}

in_suspend() { cat /proc/[0-9]*/stack 2>/dev/null | grep -q '\<dm_wait_for_'; }

# Where I/O hangs, so does the suspend. Whoever gives up must not leave a table behind that some day takes
# the place of the chain.
it "detach --force and reload that are ended while they wait for I/O that hangs" hanging
hanging() {
	local signal verb reader pid rc

	over_changing_base
	for verb in "detach --force" reload; do
		for signal in TERM KILL; do
			change a.raw "0 $SECTORS delay @ 0 100000"
			cowio -m "$T/model.raw" "$DEV" verify &
			reader=$!
			# shellcheck disable=SC2086	# two words
			env --default-signal cowchain $verb cct >said 2>&1 &
			pid=$!
			wait_for 60 in_suspend
			kill -s $signal "$pid"
			wait_for 60 ended "$pid"
			rc=0
			wait "$pid" || rc=$?
			eq "$rc" $((128 + $(kill -l $signal))) "$verb: exit status: $(<said)"
			# The kernel undoes the suspend of a process that was killed a moment later.
			wait_for 60 no_suspend
			[ "$verb $signal" = "reload KILL" ] || complete "$signal of $verb"
			change a.raw "0 $SECTORS linear @ 0"
			wait $reader || fail "the read went wrong"
			dmsetup suspend cct
			dmsetup resume cct
			matches "$(dmsetup table cct)" 'cowchain' "the table after $signal of $verb"
			io verify random:10:1
		done
	done
	io verify
	cowchain detach cct
}
no_suspend() { ! in_suspend; }

run_cases
