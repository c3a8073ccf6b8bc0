#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The lines that --dry-run prints do what the verb does.
# Quick: dry_run
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

# what_is: tables, jobs, loop devices and files
what_is() {
	dmsetup table
	dmsetup status
	losetup --list --noheadings --output NAME,BACK-FILE,RO,AUTOCLEAR | sort
	find "$T" -name '*.qcow2' -o -name '*.data' -o -name '*.raw' | sort
}

# plan VERB ARGUMENT...: prints lines and changes nothing; these lines are run.
plan() {
	local before

	before=$(what_is)
	cowchain "$1" --dry-run "${@:2}" >lines
	eq "$(what_is)" "$before" "after cowchain $1 --dry-run"
	sh -e lines >out 2>&1 || fail "lines of cowchain $*: $(<lines): $(<out)"
}

# layers NAME...: the files of the chain
layers() {
	local file names=()

	while read -r file; do
		names+=("${file##*/}")
	done < <(cowchain info cct --json | sed -n 's/^ *"file": "\(.*\)",*$/\1/p')
	eq "${names[*]}" "$*" "the layers"
}

it "dry run of each verb, and its lines" dry_run
dry_run() {
	local name='s 1.qcow2'

	need cowchain
	use abcd
	# shellcheck disable=SC2034	# for io
	DEV=/dev/mapper/cct
	plan attach cct "$T/d.qcow2"
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	matches "$(dmsetup info -c --noheadings -o uuid cct)" '^COWCHAIN-' UUID
	[[ $(losetup --list --noheadings --output AUTOCLEAR) != *0* ]] || fail "loop devices that stay: $(losetup --list)"
	io verify random:20:1
	plan snapshot cct "$name"
	layers a.raw b.qcow2 c.qcow2 d.qcow2 "$name"
	# shellcheck disable=SC2016	# for the hook
	plan snapshot cct=s2.qcow2 --hook 'echo "$1" >>hooks'
	eq "$(tr '\n' ' ' <hooks)" 'freeze thaw ' "runs of the hook"
	layers a.raw b.qcow2 c.qcow2 d.qcow2 "$name" s2.qcow2
	io random:20:2
	plan base cct 4
	plan stream cct --base "$T/$name" --speed 100M
	cowchain wait cct --quiet
	layers a.raw b.qcow2 c.qcow2 d.qcow2 "$name" s2.qcow2
	plan stream cct --base 3
	cowchain wait cct --quiet
	layers a.raw b.qcow2 c.qcow2 d.qcow2 s2.qcow2
	plan commit cct --shallow
	cowchain wait cct --quiet
	layers a.raw b.qcow2 c.qcow2 s2.qcow2
	plan reload cct
	plan export cct 1 --as cct2
	plan detach cct2
	plan copy cct s3.qcow2 --pivot
	cowchain wait cct --quiet
	layers s3.qcow2
	io random:20:3 verify
	exec 8<$DEV
	tool_fails 1 'in use' detach cct --dry-run
	plan detach cct --deferred
	exec 8<&-
	wait_for 30 no_loops
	plan attach cct s3.qcow2 --read-only
	exec 8<$DEV
	plan detach --force cct
	exec 8<&-
	wait_for 30 no_loops
	keep check s3.qcow2
	keep compare s3.qcow2 model.raw
	tool_fails 1 'no such device' detach cct --dry-run
	tool_fails 1 'no such device' stream cct --dry-run
}

run_cases
