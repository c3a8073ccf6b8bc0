#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tool's verb stream for layers below the top, and its verb snapshot while a stream runs.
# Seconds: 30
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

# with_e: a <- b <- c <- d <- e, attached anew, so that d is attached for reading only; d.model is what it shows
with_e() {
	attached
	io random:40:1
	cp model.raw d.model
	cowchain snapshot cct e.qcow2
	io random:40:2
	cowchain detach cct
	wait_for 30 no_loops
	cowchain attach cct e.qcow2
}

# right: both images are what they have to be
right() {
	cowchain detach cct
	wait_for 30 no_loops
	keep check d.qcow2
	keep compare d.qcow2 d.model
	keep check e.qcow2
	keep compare e.qcow2 model.raw
	cowchain attach cct e.qcow2
	io verify
	cowchain detach cct
}

it "into a layer below the top, with a base and without one" lower
lower() {
	with_e
	tool_fails 1 "cannot be the base" stream cct --top d.qcow2 --base 3
	tool_fails 1 "is not one of its layers" stream cct --top x.qcow2
	cowchain stream cct --top d.qcow2 --base b.qcow2 --wait --quiet
	status cct
	eq "$S_LAYERS/$S_TOP" 4/3 "layers, and that of the job"
	eq "$(cowchain status cct --noheadings | awk '{ print $9, $NF }')" "1 3" "base and top that status shows"
	matches "$(cowchain job cct info --json)" '"top": 3[^0-9]' "the same in JSON"
	eq "$(qcow2poke d.qcow2 backing)" b.qcow2 "backing file"
	io verify random:40:3 verify
	rm c.qcow2
	cowchain stream cct --top 2 --base none --wait --quiet
	status cct
	eq "$S_LAYERS" 2 layers
	rm a.raw b.qcow2
	right
}

it "an interrupted one goes on when the chain is attached again" interrupted
interrupted() {
	local out

	with_e
	cowchain stream cct --top 3 --base a.raw --speed 16K
	wait_for 60 some_copied
	cowchain detach cct
	wait_for 30 no_loops
	out=$(cowchain attach cct e.qcow2 2>&1)
	matches "$out" "an interrupted stream into layer 3 continues" "attach"
	cowchain job cct speed 0
	cowchain wait cct --quiet
	status cct
	eq "$S_LAYERS" 3 layers
	eq "$(qcow2poke d.qcow2 backing)" a.raw "backing file"
	right
}

it "a snapshot while a stream runs" snapshot
snapshot() {
	attached
	cowchain stream cct --base none --speed 16K
	wait_for 60 some_copied
	io random:40:1
	cowchain snapshot cct e.qcow2
	cp model.raw d.model
	io random:40:2
	cowchain job cct speed 0
	cowchain wait cct --quiet
	status cct
	eq "$S_LAYERS" 2 layers
	right
}

run_cases
