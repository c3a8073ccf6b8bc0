#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Chains that come and go: many at once over the same layers, and with a tool that is killed at any moment.
# Seconds: 150
#
# From the environment (make check-cycles):
#	CYCLES	attach and detach so often, by eight shells together (default: 40)
#	KILLS	kill the tool so often (default: 20)
#	SEED	of the moments at which it is killed
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

: "${CYCLES:=40}" "${KILLS:=20}" "${SEED:=$RANDOM}"

files() { find . -type f ! -name '*.log' | sort; }

# tops N: t1.qcow2 to tN.qcow2, over c.qcow2; sets FILES to the names of all files
tops() {
	local i

	need cowchain
	use abcd
	for ((i = 1; i <= $1; i++)); do
		cp d.qcow2 "t$i.qcow2"
	done
	FILES=$(files)
}

# The names of the chains of the case.
chains() { dmsetup ls --target cowchain | sed -n 's/^\(cct[^[:space:]]*\).*/\1/p'; }

# Is a lock of a chain held? The empty files of the locks remain.
locks_held() {
	local file

	for file in /run/cowchain/*; do
		[ ! -e "$file" ] || flock -n "$file" true || return 0
	done
	return 1
}

# nothing_left N: neither devices, loop devices, locks nor files; the layers below are as before, and each of N tops
# can be attached, so that the kernel has no claim to any of them
nothing_left() {
	local i

	eq "$(chains)" '' "chains"
	eq "$(find /dev/mapper -name 'cct*')" '' "nodes"
	wait_for 30 no_loops
	! locks_held || fail "a lock is held"
	eq "$(files)" "$FILES" "files"
	untouched abcd a.raw b.qcow2 c.qcow2
	for ((i = 1; i <= $1; i++)); do
		cowchain attach cct "t$i.qcow2"
		cowchain detach cct
		keep check "t$i.qcow2"
	done
}

# shell N TIMES: one of those that run at once
shell() {
	local i

	for ((i = 1; i <= $2; i++)); do
		cowchain attach "cct$1" "t$1.qcow2" || return
		cmp "/dev/mapper/cct$1" model.raw || return
		cowchain detach "cct$1" || return
	done
}

it "eight shells attach and detach at once, and nothing is left" at_once
at_once() {
	local i pids=()

	tops 8
	for i in 1 2 3 4 5 6 7 8; do
		shell "$i" $(((CYCLES + 7) / 8)) >"$i.log" 2>&1 &
		pids+=($!)
	done
	for i in 1 2 3 4 5 6 7 8; do
		wait "${pids[i - 1]}" || fail "shell $i: $(<"$i.log")"
	done
	nothing_left 8
}

it "layers that other chains have are shared, and stay as long as one of them" shared
shared() {
	local i

	tops 3
	for i in 1 2 3; do
		cowchain attach "cct$i" "t$i.qcow2"
	done
	eq "$(mkloop -l "$T" | wc -l)" 6 "loop devices of three layers below three tops"
	cowio -m model.raw /dev/mapper/cct2 verify
	for i in 1 2; do
		cowchain detach "cct$i"
		cmp /dev/mapper/cct3 model.raw
	done
	# another one beside it, of layers that were shared before
	cowchain attach cct1 t1.qcow2
	eq "$(mkloop -l "$T" | wc -l)" 5 "loop devices below two tops"
	cp model.raw t1.raw
	cowio -m t1.raw /dev/mapper/cct1 random:20:1 verify
	cmp /dev/mapper/cct3 model.raw
	cowchain detach cct1
	cowchain detach cct3
	keep compare t1.qcow2 t1.raw
}

# milliseconds COMMAND...: sets MS to the time that it takes
milliseconds() {
	local begin=${EPOCHREALTIME/./}

	"$@"
	MS=$(((${EPOCHREALTIME/./} - begin) / 1000 + 1))
}

# killed VERB ARGUMENT...: the tool gets a SIGKILL within the time that it takes
killed() {
	local pid

	cowchain "$@" >said.log 2>&1 &
	pid=$!
	sleep "$(printf '%d.%03d' $((RANDOM % MS / 1000)) $((RANDOM % MS % 1000)))"
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
}

exists() { dmsetup info cct >/dev/null 2>&1; }

# Whatever there is of the device goes away. There is no udev here, so libdevmapper removes the node, after the
# device: between these, a SIGKILL leaves one that leads nowhere, as it does with dmsetup, which has a verb for that.
detach_rest() {
	! exists || cowchain detach cct || fail "what was left by the SIGKILL cannot be detached"
	! exists || fail "it is still there"
	[ ! -e /dev/mapper/cct ] || dmsetup mknodes cct
	[ ! -e /dev/mapper/cct ] || fail "its node is still there"
	wait_for 30 no_loops
}

it "the tool is killed at any moment: detach removes what is left" killed_anywhere
killed_anywhere() {
	local i half=0 MS

	note "SEED=$SEED"
	RANDOM=$SEED
	tops 1
	milliseconds cowchain attach cct t1.qcow2
	cowchain detach cct
	for ((i = 0; i < KILLS; i++)); do
		killed attach cct t1.qcow2
		! exists || half=$((half + 1))
		detach_rest
		cowchain attach cct t1.qcow2
		killed detach cct
		detach_rest
	done
	note "$half devices of $KILLS were there after the SIGKILL"
	nothing_left 1
}

run_cases
