#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tool's verb commit.
# Seconds: 20
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

it "the layer below the top, then all" shallow
shallow() {
	attached
	io random:60:1
	cp model.raw was.raw
	cowchain snapshot cct e.qcow2
	io random:60:2
	tool_fails 1 "cannot be the top" commit cct --active
	tool_fails 1 "leave --top out" commit cct --active --top 3
	tool_fails 2 "is for --active" commit cct --keep
	tool_fails 2 "keep-overlay" commit cct --active --keep-overlay
	tool_fails 1 "cannot be the base" commit cct --base 3
	tool_fails 2 "exclude" commit cct --base 1 --shallow
	cowchain commit cct --shallow --wait --quiet
	status cct
	eq "$S_LAYERS" 4 layers
	io verify random:60:3 verify
	cowchain detach cct
	wait_for 30 no_loops
	keep check c.qcow2
	keep compare c.qcow2 was.raw
	keep check e.qcow2
	keep compare e.qcow2 model.raw
	rm d.qcow2
	cowchain attach cct e.qcow2
	io verify
	cowchain commit cct --wait --quiet
	status cct
	eq "$S_LAYERS" 2 layers
	io verify
	cowchain detach cct
	cmp -n $((16 << 20)) a.raw was.raw || fail "the base differs"
}

it "the top, into the layer below it" active
active() {
	local out

	attached
	io random:60:1
	out=$(cowchain commit cct --active --shallow --wait --quiet 2>&1)
	matches "$out" "/c.qcow2 is the top.*/d.qcow2 has nothing" "commit"
	status cct
	eq "$S_LAYERS" 3 layers
	io verify random:60:2 verify
	cowchain detach cct
	wait_for 30 no_loops
	keep check c.qcow2
	keep compare c.qcow2 model.raw
	tool_fails 1 "was committed into" attach cct d.qcow2
	cowchain attach cct c.qcow2
	io verify
	tool_fails 1 "no job|ended" job cct complete
}

it "the top, kept and interrupted, attached again, and completed" kept
kept() {
	local out

	attached
	io random:60:1
	cowchain commit cct --active --shallow --keep --speed 16K 2>/dev/null
	tool_fails 1 "not ready" job cct complete
	wait_for 60 some_copied
	cowchain detach cct
	wait_for 30 no_loops
	tool_fails 1 "has not ended" attach cct c.qcow2
	out=$(cowchain attach cct d.qcow2 2>&1)
	matches "$out" "an interrupted commit continues" "attach"
	cowchain job cct speed 0
	out=$(cowchain wait cct --quiet 2>&1)
	matches "$out" "is ready" "wait"
	io random:60:2
	cowchain job cct complete
	cowchain wait cct --quiet
	status cct
	eq "$S_LAYERS" 3 layers
	io verify
	cowchain detach cct
	wait_for 30 no_loops
	keep check c.qcow2
	keep compare c.qcow2 model.raw
}

it "interrupted, and attached again" interrupted
interrupted() {
	local out

	attached
	io random:60:1
	cowchain snapshot cct e.qcow2
	io random:60:2
	cowchain commit cct --shallow --speed 16K
	wait_for 60 some_copied
	cowchain detach cct
	wait_for 30 no_loops
	out=$(cowchain attach cct e.qcow2 2>&1)
	matches "$out" "an interrupted commit continues" "attach"
	cowchain job cct speed 0
	cowchain wait cct --quiet
	status cct
	eq "$S_LAYERS" 4 layers
	io verify
	cowchain detach cct
	wait_for 30 no_loops
	keep check e.qcow2
	keep compare e.qcow2 model.raw
}

# ---- a raw base that is shorter ----

size_is() { eq "$(stat -c %s "$1")" "$2" "size of $1"; }

# shorter: [s] of 4 MiB [m] [t] of 16 MiB, and another image for s
shorter() {
	need cowchain
	head -c 4M /dev/urandom >s.raw
	cp s.raw model.raw
	truncate -s 16M model.raw
	cowchain create m.qcow2 -b s.raw -F raw --size 16M
	cowchain create u.qcow2 -b s.raw -F raw --size 16M
	cowchain create t.qcow2 -b m.qcow2 -F qcow2
	cowchain attach cct "$T/m.qcow2"
	# shellcheck disable=SC2034	# for io
	DEV=/dev/mapper/cct
	io write:15M:1M:1 write:3M:2M:2 random:60:1
	cowchain snapshot cct t.qcow2
	io random:60:2
}

# longer TOP: nothing is lost, and images that were made for the shorter base are refused
longer() {
	size_is s.raw $((16 << 20))
	io verify random:60:3 verify
	cowchain detach cct
	wait_for 30 no_loops
	keep check "$1"
	keep compare "$1" model.raw
	tool_fails 1 "had 4194304 bytes" attach cct u.qcow2
	cowchain attach cct "$1"
	io verify
	cowchain detach cct
}

it "a raw base that is shorter is enlarged" enlarged
enlarged() {
	local out

	shorter
	out=$(cowchain commit cct --dry-run)
	matches "$out" "truncate -s 16777216 .*/s.raw" "dry run"
	size_is s.raw $((4 << 20))
	out=$(cowchain commit cct --wait --quiet 2>&1)
	matches "$out" "enlarged to 16777216 bytes" "commit"
	longer t.qcow2
}

it "a raw base that was enlarged, interrupted, and attached again" enlarged_again
enlarged_again() {
	shorter
	cowchain commit cct --speed 16K
	wait_for 60 some_copied
	size_is s.raw $((16 << 20))
	cowchain detach cct
	wait_for 30 no_loops
	cowchain attach cct t.qcow2
	io verify
	cowchain job cct speed 0
	cowchain wait cct --quiet
	longer t.qcow2
}

it "a raw base is as short as before if there is no commit" not_enlarged
not_enlarged() {
	shorter
	cowchain stream cct --speed 16K
	tool_fails 1 "running" commit cct
	size_is s.raw $((4 << 20))
	cowchain job cct cancel
	io verify
	cowchain detach cct
	wait_for 30 no_loops
	cowchain attach cct u.qcow2
	cowchain detach cct
	cowchain attach cct t.qcow2
	io verify
}

run_cases
