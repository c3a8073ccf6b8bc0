#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tool's verb snapshot for several chains, with file systems that are frozen and hooks.
# Seconds: 60
# shellcheck disable=SC2016
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

# both_attached: cct as always, and cct2 with x.qcow2 on a.raw
both_attached() {
	attached
	use spare single.qcow2
	mv single.qcow2 x.qcow2
	qcow2poke x.qcow2 backing a.raw raw
	cowchain attach cct2 x.qcow2
}

# layers_are LAYERS LAYERS: of the two chains
layers_are() {
	status cct
	eq "$S_LAYERS" "$1" "layers of cct"
	status cct2
	eq "$S_LAYERS" "$2" "layers of cct2"
}

# Nothing is prepared, and no new file is there.
nothing_left() {
	local name

	for name in cct cct2; do
		matches "$(dmsetup message $name 0 snapshot-abort 2>&1)" "No such file" "an abort of $name"
	done
	[[ ! -e e.qcow2 && ! -e y.qcow2 ]] || fail "a new image was left behind"
}

it "two chains at once" two
two() {
	both_attached
	io random:30:1
	cp model.raw was.raw
	tool_fails 1 "named twice" snapshot cct=e.qcow2 cct=y.qcow2
	tool_fails 1 "no such device" snapshot cct=e.qcow2 cct3=y.qcow2
	nothing_left
	cowchain snapshot cct=e.qcow2 cct2=y.qcow2
	layers_are 5 3
	io verify random:30:2 verify
	# a group of one, and by the path of the device
	cowchain snapshot /dev/mapper/cct2=z.qcow2
	layers_are 5 4
	cowchain detach cct2
	cowchain attach cct2 z.qcow2
	cowchain detach cct2
	cowchain detach cct
	wait_for 30 no_loops
	keep check d.qcow2
	keep compare d.qcow2 was.raw
	keep check e.qcow2
	keep compare e.qcow2 model.raw
	keep check z.qcow2
}

it "one of them cannot: none is taken, and nothing is left behind" none
none() {
	both_attached
	# in the first step, and when the message comes to the kernel
	use spare used.qcow2
	tool_fails 1 "backing file" snapshot cct=e.qcow2 cct2=used.qcow2
	nothing_left
	layers_are 4 2
	cowchain commit cct --active --shallow --keep --speed 64K
	tool_fails 1 "a commit is running" snapshot cct=e.qcow2 cct2=y.qcow2
	msg cct job-cancel
	nothing_left
	layers_are 4 2
	# in the second one
	tool_fails 1 "an inactive table" snapshot cct=e.qcow2 cct2=y.qcow2 --hook '[ "$1" = thaw ] || dmsetup load cct2 --table "$(dmsetup table cct2)"'
	dmsetup clear cct2
	nothing_left
	layers_are 4 2
	io random:20:1 verify
	cowchain snapshot cct=e.qcow2 cct2=y.qcow2
	layers_are 5 3
	io verify
}

# A file system on cct.
file_system() {
	need mkfs.ext4 dumpe2fs
	modprobe -q ext4 || true
	mkfs.ext4 -q "$DEV"
	mkdir -p mnt
	mount "$DEV" mnt
}

# needs_recovery LAYER: would the file system, as the chain up to this layer has it, replay its journal?
needs_recovery() {
	cowchain export cct "$1" --as cct-was
	dumpe2fs -h /dev/mapper/cct-was >super 2>&1 || fail "no file system: $(<super)"
	cowchain detach cct-was
	grep -q needs_recovery super
}

# Is mnt not frozen?
writable() { timeout 5 sh -c 'echo again >mnt/file && sync -f mnt/file'; }

it "file systems are frozen, and thawed" frozen
frozen() {
	both_attached
	file_system
	echo one >mnt/file
	cowchain snapshot cct=e.qcow2 cct2=y.qcow2
	needs_recovery 3 || fail "without --freeze, the file system should not be clean"
	echo two >mnt/file
	cowchain snapshot cct=f.qcow2 cct2=z.qcow2 --freeze
	! needs_recovery 4 || fail "the file system in the snapshot is not clean"
	writable || fail "the file system is still frozen"
	# by a single name, and after an error
	cowchain snapshot cct g.qcow2 --freeze
	! needs_recovery 5 || fail "the file system in the snapshot is not clean"
	writable || fail "the file system is still frozen"
	tool_fails 1 "an inactive table" snapshot cct=h.qcow2 cct2=v.qcow2 --quiesce --hook '[ "$1" = thaw ] || dmsetup load cct2 --table "$(dmsetup table cct2)"'
	writable || fail "the file system is still frozen"
	dmsetup clear cct2
	layers_are 7 4
	umount mnt
}

it "a file system on a device that is made of it" stacked
stacked() {
	both_attached
	dmsetup create cct-part --table "0 $SECTORS linear $DEV 0"
	need mkfs.ext4 dumpe2fs
	modprobe -q ext4 || true
	mkfs.ext4 -q /dev/mapper/cct-part
	mkdir -p mnt
	mount /dev/mapper/cct-part mnt
	cowchain snapshot cct=e.qcow2 cct2=y.qcow2 --freeze
	! needs_recovery 3 || fail "the file system in the snapshot is not clean"
	writable || fail "the file system is still frozen"
	# another one is mounted over it
	mount -t tmpfs none mnt
	tool_fails 1 "cannot be reached" snapshot cct=f.qcow2 cct2=z.qcow2 --freeze
	writable || fail "what is mounted over it is frozen"
	umount mnt
	writable || fail "the file system is frozen"
	layers_are 5 3
	umount mnt
	remove cct-part
}

it "the hook: before and after, with its limit, and when it fails" hook
hook() {
	both_attached
	cowchain snapshot cct=e.qcow2 cct2=y.qcow2 --hook "echo \$1 \$(dmsetup status cct | cut -d ' ' -f 5) >>said"
	eq "$(<said)" "freeze 4
thaw 5" "what the hook has said"
	layers_are 5 3
	rm said
	tool_fails 1 "'freeze' has failed with status 3" snapshot cct=f.qcow2 cct2=z.qcow2 \
		--hook 'echo $1 >>said; [ $1 = thaw ] || exit 3'
	eq "$(<said)" "freeze
thaw" "what the hook has said"
	tool_fails 1 "'freeze' has not ended after 1 seconds" snapshot cct=f.qcow2 cct2=z.qcow2 \
		--hook '[ $1 = thaw ] || { sleep 1000 & sleep 1000; }' --hook-timeout 1
	layers_are 5 3
	[[ ! -e f.qcow2 && ! -e z.qcow2 ]] || fail "a new image was left behind"
	# when the guest cannot be thawed, the snapshots stand
	tool_fails 1 "'thaw' has failed.*were taken nevertheless" snapshot cct=f.qcow2 cct2=z.qcow2 \
		--hook '[ $1 = freeze ]'
	layers_are 6 4
	[[ -e f.qcow2 && -e z.qcow2 ]] || fail "the new images are gone"
}

it "a signal while the hook runs: it is ended, and thaws, and nothing is left behind" signal
signal() {
	local pid rc=0

	both_attached
	file_system
	cowchain snapshot cct=e.qcow2 cct2=y.qcow2 --freeze \
		--hook 'echo $1 >>said; [ $1 = thaw ] || sleep 1000' &
	pid=$!
	wait_for 60 test -e said
	kill -TERM $pid
	wait $pid || rc=$?
	eq $rc 143 "exit status"
	eq "$(<said)" "freeze
thaw" "what the hook has said"
	writable || fail "the file system is frozen"
	nothing_left
	layers_are 4 2
	umount mnt
}

# frozen_and_killed STEP: kills the tool, and its process group, before its call STEP of device-mapper. False if
# there is no such call.
frozen_and_killed() {
	rm -f sent
	LD_PRELOAD=$COWCHAIN_BIN/dm-step.so DM_STEP_SIGNAL=9 DM_STEP=$1 DM_STEP_DONE=$T/sent \
		setsid --wait cowchain snapshot "cct=n$1.qcow2" "cct2=m$1.qcow2" --freeze \
		--hook 'echo $1 >>said' >/dev/null 2>&1 || true
	[ -e sent ]
}

thawed() { [ "$(tail -n 1 said 2>/dev/null)" = thaw ]; }

it "it is killed, at each step: the file system is thawed by the guard, and so is the guest" killed
killed() {
	local step name frozen=0

	both_attached
	file_system
	for ((step = 1; step < 100; step++)); do
		rm -f said
		frozen_and_killed $step || break
		if [ -e said ]; then
			wait_for 60 thawed
			frozen=$((frozen + 1))
		fi
		writable || fail "killed before call $step: the file system is frozen"
		for name in cct cct2; do
			dmsetup message $name 0 snapshot-abort 2>/dev/null || true
		done
		layers_are 4 2
	done
	note "$((step - 1)) calls, $frozen of them while it was frozen"
	[ $frozen -gt 0 ] || fail "it was never killed while it was frozen"
	layers_are 5 3
	umount mnt
}

run_cases
