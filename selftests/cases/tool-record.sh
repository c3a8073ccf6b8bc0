#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tool's verb record, and what a stream copies first by it: --first, --promote.
# Seconds: 40
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

TRACING=/sys/kernel/tracing

# plain: a disk of 16 MiB that the base has, and nothing of it is zero
plain() {
	need cowchain
	[ -d $TRACING/instances ] || mount -t tracefs tracefs $TRACING
	use abcd d.qcow2
	head -c 16M /dev/zero | tr '\0' A >a.raw
	cp a.raw model.raw
	qcow2poke d.qcow2 backing a.raw raw
	cowchain attach cct "$T/d.qcow2"
	DEV=/dev/mapper/cct
}

# take OFFSET LENGTH: reads that from the device, in bytes
take() { dd if="$DEV" of=/dev/null bs=4k skip=$(($1 / 4096)) count=$(($2 / 4096)) iflag=direct status=none; }

# follows: does somebody trace?
follows() { [ "$(cat $TRACING/instances/cowchain-reads-*/events/cowchain/cowchain_map/enable 2>/dev/null)" = 1 ]; }
none_follows() { ! ls -d $TRACING/instances/cowchain-reads-* >/dev/null 2>&1; }

# recorded FILE: its lines without comments, in one line
recorded() { grep -v '^#' "$1" | tr '\n' ';'; }

it "what is read is noted in its order, once" order
order() {
	local pid

	plain
	io write:4M:64k:1
	cowchain record cct parts 2>said &
	pid=$!
	wait_for 60 follows
	take 8388608 65536
	take 0 4096
	take 4096 8192
	take 8388608 131072
	# of the top
	take 4194304 4096
	kill -TERM $pid
	wait $pid || fail "a signal is a normal end"
	# a request may reach the target in pieces, so only the parts that are far from each other are known
	matches "$(cat said)" "parts, 144K" "what it says"
	matches "$(recorded parts)" "^8388608 65536;0 12288;8454144 65536;4194304 4096;$" parts
	none_follows || fail "it has left something in tracefs"
	tool_fails 1 "take another name, or --force" record cct parts --seconds 1
	cowchain record cct parts --seconds 1 --force
	eq "$(recorded parts)" "" "nothing was read"
	# the end by a signal has a result, too
	cowchain record cct more --json >said &
	pid=$!
	wait_for 60 follows
	take 8388608 65536
	kill -TERM $pid
	wait $pid || fail "a signal is a normal end, also with --json"
	matches "$(tr -d ' \n' <said)" '"bytes":65536' "its result"
	matches "$(tr -d ' \n' <said)" '"status":0' "its result"
	mkfifo fifo
	tool_fails 1 "neither a regular file" record cct fifo --seconds 1 --force
	tool_fails 1 "is a block device" record cct "$(losetup -j "$T/a.raw" | cut -d: -f1)" --seconds 1 --force
	none_follows || fail "it has left something in tracefs"
	tool_fails 1 "no cowchain device|no such device" record cct2 other --seconds 1
	[ ! -e other ] || fail "a file is left"
	cowchain detach cct
}

it "a stream copies what was noted first" first
first() {
	plain
	printf '%s\n' '# a guest' '12582912 65536' '99999999999 4096' '1000 1' >parts
	echo 1 x >bad
	tool_fails 1 "bad: line 1 is no part of a disk" stream cct --first bad
	tool_fails 1 "no such file|No such file" stream cct --first missing
	mkfifo fifo
	tool_fails 1 "is no regular file" stream cct --first fifo
	in_no_job || fail "a stream was started all the same"
	cowchain stream cct --base none --speed 64K --first parts
	wait_for 60 in_top 12582912
	wait_for 60 in_top 0
	status cct
	[ "$S_OFF" -lt 12582912 ] || fail "the stream has got there by itself"
	cowchain job cct speed 0
	cowchain wait cct --quiet
	io verify
	detached
}

in_no_job() { status cct; [ -z "$S_STATE" ]; }

# in_top OFFSET: does a read of 4 KiB there leave the base alone? The job holds still meanwhile.
in_top() {
	local before after counts

	counts="/sys/block/$(basename "$(losetup -j "$T/a.raw" | cut -d: -f1)")/stat"
	cowchain job cct pause
	read -r _ _ before _ <"$counts"
	take "$1" 4096
	read -r _ _ after _ <"$counts"
	cowchain job cct resume
	[ "$before" = "$after" ]
}

it "what a guest reads from below is copied next" promote
promote() {
	local pid

	plain
	cowchain stream cct --base none --speed 64K --promote --quiet &
	pid=$!
	wait_for 60 follows
	wait_for 60 read_and_there 12582912
	status cct
	[ "$S_OFF" -lt 12582912 ] || fail "the stream has got there by itself"
	cowchain job cct speed 0
	wait $pid || fail "the stream has failed"
	none_follows || fail "it has left something in tracefs"
	io verify
	detached
}

# Reads there, which has it promoted; is it there by now?
read_and_there() {
	take "$1" 4096
	in_top "$1"
}

has_child() { [ -n "$(cat "/proc/$1/task/$1/children")" ]; }

it "what a killed one has left in tracefs is removed by the next" killed
killed() {
	local pid

	plain
	cowchain stream cct --base none --speed 64K --promote --quiet &
	pid=$!
	# before it has that, its instance is left as that below
	wait_for 60 has_child $pid
	wait_for 60 follows
	kill -KILL $pid
	wait $pid && fail "it was not killed"
	# the process beside it sees its end
	wait_for 60 none_follows
	cowchain record cct parts &
	pid=$!
	wait_for 60 follows
	kill -KILL $pid
	wait $pid && fail "it was not killed"
	none_follows && fail "there is nothing to remove"
	cowchain record cct parts2 --seconds 1
	none_follows || fail "it is still there"
	cowchain job cct cancel
	cowchain detach cct
}

run_cases
