#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Layers that fail every other second (dm-flakey).
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"

# flakey FILE: one second it works, one second all its I/O fails
flakey() {
	need_target flakey
	change "$1" "0 $(sectors "$1") flakey @ 0 1 1"
}

# try OP...: on the device and the model; false if that failed with EIO, other errors fail the case
try() {
	local out

	out=$(cowio -m "$T/model.raw" "$DEV" "$@" 2>&1) && return 0
	[[ $out == *"Input/output error"* ]] || fail "$out"
	return 1
}

it "a lower layer that fails every other second: reads, and a job that stops and continues" flakey_below
flakey_below() {
	local good=0 bad=0 stops=0

	changeable b.qcow2
	flakey b.qcow2
	while [ $good -lt 3 ] || [ $bad -lt 3 ]; do
		if try read:64k:64k read:8M:64k; then
			good=$((good + 1))
		else
			bad=$((bad + 1))
		fi
		[ $((good + bad)) -lt 2000 ] || fail "$good reads worked, $bad failed"
		# data of the top does not depend on that
		io write:1M:4k:$((good + bad)) read:1M:4k
	done
	msg cct stream on-error stop
	until in_state cct concluded; do
		if [ "$S_STATE" = paused ]; then
			eq "$S_IO" failed io-status
			stops=$((stops + 1))
			msg cct job-resume
		fi
		[ $stops -lt 2000 ] || fail "the job does not get on"
		sleep 0.1
	done
	job_done cct
	eq "$S_MODE" rw mode
	repair b.qcow2
	io random:20:1 verify
	chain_is cct d.qcow2
	retire cct d.qcow2
}

is_rw() {
	status cct
	[ "$S_MODE" = rw ]
}

# Reloads the table, which fails as long as the layer does.
reload_works() {
	dmsetup load cct --table "$(dmsetup table cct)" || return 1
	dmsetup suspend --noflush cct
	dmsetup resume cct || return 1
	is_rw
}

it "a top that fails every other second: what was acknowledged is not lost" flakey_top
flakey_top() {
	local i good=0 bad=0

	changeable d.qcow2
	flakey d.qcow2
	for ((i = 1; good < 8 || bad < 3; i++)); do
		[ $i -lt 2000 ] || fail "$good writes worked, $bad failed"
		if try "fua:$((i % 200 * 68))k:6k:$i"; then
			good=$((good + 1))
			continue
		fi
		bad=$((bad + 1))
		is_rw || wait_for 60 reload_works
		# it may have been written or not: try until it is
		until try "fua:$((i % 200 * 68))k:6k:$i"; do
			is_rw || wait_for 60 reload_works
			sleep 0.2
		done
	done
	repair d.qcow2
	is_rw || reload_works
	io verify random:20:1 verify
	retire cct d.qcow2
}

run_cases
