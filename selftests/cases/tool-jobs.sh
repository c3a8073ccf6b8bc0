#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tool cowchain: streams and other jobs, with or without waiting for them.
# Quick: ^stream|interrupted$
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

it "stream with a base; no progress where there is no terminal" stream
stream() {
	local out

	attached
	out=$(cowchain stream cct --base "$T/a.raw" --wait 2>&1)
	eq "$out" "" "output without a terminal"
	status cct
	eq "$S_STATE" concluded state
	eq "$S_LAYERS" 2 layers
	io verify
	wait_for 30 two_loops
	detached
	eq "$(qcow2poke d.qcow2 backing)" a.raw "backing file"
	rm b.qcow2 c.qcow2
	keep compare d.qcow2 model.raw
}

two_loops() { [ "$(mkloop -l "$T" | wc -l)" -eq 2 ]; }

it "base, then stream, then wait" base_stream_wait
base_stream_wait() {
	attached
	cowchain base cct 1
	cowchain stream cct --speed 4M
	io random:20:1
	cowchain wait cct --quiet --timeout 100
	status cct
	eq "$S_BASE" 1 base
	eq "$S_LAYERS" 3 layers
	io verify
	detached
	keep compare d.qcow2 model.raw
}

it "job control" job
job() {
	attached
	cowchain stream cct --speed 64K
	cowchain job cct pause
	wait_state cct paused
	cowchain job cct resume
	cowchain job cct speed 128K
	status cct
	eq "$S_SPEED" 131072 speed
	matches "$(cowchain job cct info)" 'running' "job info"
	cowchain job cct cancel
	wait_state cct concluded
	eq "$S_LAYERS" 4 layers
	tool_fails 1 . job cct cancel
	tool_fails 1 . wait no-such-device
	tool_fails 4 'was cancelled' wait cct
	detached
	keep compare d.qcow2 model.raw
}

it "--verify, of a commit, a stream and a copy" verified
verified() {
	attached
	io random:60:1
	cowchain commit cct --active --shallow --verify --wait --quiet 2>/dev/null
	was_read_back
	cowchain stream cct --base "$T/a.raw" --verify --wait --quiet
	was_read_back
	cowchain copy cct "$T/new.qcow2" --pivot --verify --wait --quiet
	was_read_back
	status cct
	eq "$S_LAYERS" 1 layers
	io verify
	detached
	keep compare new.qcow2 model.raw
}

was_read_back() {
	status cct
	eq "$S_STATE $S_ERR" "concluded 0" "state and errno"
	[ "$S_VERIFIED" -gt 0 ] || fail "nothing was read back"
	matches "$(cowchain job cct info --json --bytes)" "\"verified\": $S_VERIFIED" "job info"
}

it "an interrupted stream continues, and attach reports it" interrupted
interrupted() {
	local out

	attached
	cowchain stream cct --speed 64K
	cowchain detach cct
	wait_for 30 no_loops
	matches "$(cowchain info "$T/d.qcow2" --noheadings)" 'stream' "info"
	out=$(cowchain attach cct "$T/d.qcow2" --no-auto-resume 2>&1)
	matches "$out" 'job cct resume' "output of attach"
	cowchain detach cct
	wait_for 30 no_loops
	out=$(cowchain attach cct "$T/d.qcow2" 2>&1)
	matches "$out" 'continues' "output of attach"
	cowchain job cct speed 0
	cowchain wait cct --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	io verify
	detached
	keep compare d.qcow2 model.raw
}

# again OPTION...: detaches and attaches; OUT gets the output of attach
again() {
	cowchain detach cct
	wait_for 30 no_loops
	OUT=$(cowchain attach cct "$T/d.qcow2" "$@" 2>&1)
}

it "a stream that was paused, or cannot continue: attach reports it, and wait does not hang" interrupted_stays
interrupted_stays() {
	attached
	cowchain stream cct --base "$T/b.qcow2" --speed 64K
	cowchain job cct pause
	wait_state cct paused
	again
	matches "$OUT" 'paused.*job cct resume' "output of attach"
	tool_fails 124 'paused.*job cct resume' wait cct --quiet --timeout 2
	cowchain job cct resume
	wait_state cct running
	again --no-auto-resume
	tool_fails 5 'job cct resume' wait cct --quiet
	# without its base
	cowchain detach cct
	wait_for 30 no_loops
	OUT=$(cowchain attach cct --ignore-identity --layer "raw:$T/model.raw" --layer "qcow2:$T/d.qcow2" 2>&1)
	matches "$OUT" 'cannot be continued.*job cct cancel' "output of attach"
	tool_fails 5 'job cct cancel' wait cct --quiet
	cowchain job cct cancel
	detached
}

it "a base that others select meanwhile does not spoil a copy unnoticed" copy_base
copy_base() {
	local out rc=0 pid

	attached
	while :; do dmsetup message cct 0 base 0 || true; done >/dev/null 2>&1 &
	pid=$!
	out=$(cowchain copy cct "$T/new.qcow2" --pivot --wait --quiet 2>&1) || rc=$?
	kill $pid
	wait $pid || true
	status cct
	if [ $rc -eq 0 ]; then
		eq "$S_LAYERS" 1 layers
	else
		# or the kernel has refused a stream to a base without a name for it
		matches "$out" 'layer 0 was selected as the base|relative to its own directory' \
			"output of copy"
	fi
	io verify
}

it "a base that was selected before is named from the directory of the top" selected
selected() {
	need cowchain
	mkdir sub
	cp "$FIXTURES"/abcd/[ab].* sub
	cowchain create t.qcow2 --backing sub/b.qcow2 --format qcow2
	cowchain attach cct "$T/t.qcow2"
	cowchain base cct "$T/sub/a.raw"
	cowchain stream cct --wait --quiet
	cowchain detach cct
	wait_for 30 no_loops
	eq "$(qcow2poke t.qcow2 backing)" sub/a.raw "backing file"
	cowchain attach cct "$T/t.qcow2"
}

# In each other directory there is another base.raw, and between the two a layer with a relative name.
it "a stream to a base names it so that it is found, wherever the two are" directories
directories() {
	local top base name

	need cowchain
	mkdir -p x/sub a
	ln -s x link
	head -c 1M /dev/zero | tr '\0' A >right
	head -c 1M /dev/zero | tr '\0' X >wrong
	while read -r top base name; do
		rm -f ./*/*.{raw,qcow2} x/sub/*.{raw,qcow2}
		cp wrong x/base.raw
		cp wrong x/sub/base.raw
		cp wrong a/base.raw
		cp right "$base/base.raw"
		cowchain create "$base/b.qcow2" --backing "$base/base.raw" --format raw
		eq "$(qcow2poke "$base/b.qcow2" backing)" base.raw "backing file of the layer between"
		cowchain create "$top/d.qcow2" --backing "$base/b.qcow2" --format qcow2
		cowchain attach cct "$top/d.qcow2" --allow-dir .
		cowchain stream cct --base 0 --wait --quiet
		cowchain detach cct
		wait_for 30 no_loops
		eq "$(qcow2poke "$top/d.qcow2" backing)" "$name" "backing file in $top of a base in $base"
		cowchain attach cct "$top/d.qcow2" --allow-dir .
		cmp /dev/mapper/cct right || fail "another base was taken in $top for $base"
		cowchain detach cct
		wait_for 30 no_loops
	done <<-END
		x x base.raw
		x/sub x $T/x/base.raw
		link a $T/a/base.raw
	END
}

it "a name that does not refer to a layer is not used" wrong_names
wrong_names() {
	local base middle top

	need cowchain losetup
	use abcd
	cowchain create m.qcow2 --backing a.raw --format raw
	cowchain create t.qcow2 --backing m.qcow2 --format qcow2
	{ head -c 4096 /dev/zero; cat a.raw; } >shifted.raw
	base=$(losetup --find --show --read-only --offset 4096 "$T/shifted.raw")
	middle=$(mkloop "ro:$T/m.qcow2")
	top=$(mkloop "$T/t.qcow2")
	dmsetup create cct --table "0 $SECTORS cowchain 0 3 raw $base - qcow2 $middle - qcow2 $top -"
	tool_fails 1 'name it with --backing-file' stream cct --base 0
	cowchain base cct 0
	tool_fails 1 'name it with --backing-file' stream cct
	cowchain stream cct --backing-file a.raw --backing-format raw --wait --quiet
	eq "$(qcow2poke t.qcow2 backing)" a.raw "backing file"
	# the kernel shows a deleted file with this name
	rm t.qcow2
	: >'t.qcow2 (deleted)'
	tool_fails 1 'name it with --backing-file' snapshot cct "$T/e.qcow2"
	cowchain snapshot cct "$T/e.qcow2" --backing-file gone.qcow2
	eq "$(qcow2poke e.qcow2 backing)" gone.qcow2 "backing file"
}

run_cases
