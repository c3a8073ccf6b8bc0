# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of the tool share.

# tool_fails STATUS REGEX ARGUMENT...: expects this exit status of the tool and output that matches
tool_fails() {
	local want=$1 regex=$2 out rc=0

	shift 2
	out=$(cowchain "$@" 2>&1) || rc=$?
	eq $rc "$want" "exit status of cowchain $*: $out"
	matches "$out" "$regex" "output of cowchain $*"
}

# Attaches a chain of four layers as DEV.
attached() {
	need cowchain
	use abcd
	cowchain attach cct "$T/d.qcow2"
	# shellcheck disable=SC2034	# for io
	DEV=/dev/mapper/cct
}

# Has the target released all loop devices of the case?
no_loops() { [ -z "$(mkloop -l "$T")" ]; }

# Detaches; nothing may be left then, neither the device nor loop devices.
detached() {
	cowchain detach cct
	[ ! -e /dev/mapper/cct ] || fail "the device is still there"
	wait_for 30 no_loops
	keep check d.qcow2
}

# qemu_img LINE: from now on qemu-img runs this line of shell first
qemu_img() {
	local real

	real=$(command -v qemu-img) || skip "needs qemu-img"
	mkdir -p bin
	printf '#!/bin/sh\n%s\nexec %s "$@"\n' "$1" "$real" >bin/qemu-img
	chmod +x bin/qemu-img
	export COWCHAIN_QEMU_IMG=$T/bin/qemu-img
}
