#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Attaches what a power loss left, for writing: it reads as expected, and its job ends.
#
# FIXTURES has the directories that crashreplay exported, one for each recording.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

SECTORS=72216

# One that waits to be told is told. Other jobs end by themselves.
job_ends() {
	status cct
	[ "$S_STATE" != ready ] || msg cct job-complete || true
	[ "$S_STATE" = concluded ]
}

# one_point DIRECTORY
one_point() {
	local chain files left f written=()

	read -r -a chain <"$1/chain"
	cp -r "$1" "$T/p"
	cd "$T/p"
	files=("${chain[@]/#/p/}")
	files=("${files[@]/,/,p/}")
	# also what is below the top, or a commit would not continue
	while read -r -a f; do
		written+=("${f[@]/#/p/}")
	done <written
	attach "${written[@]}"
	layers "${files[@]}"
	create cct
	cowio -m expect.raw /dev/mapper/cct verify
	status cct
	if [ -n "$S_STATE" ]; then
		[ "$S_STATE" != paused ] || msg cct job-resume
		# it may have ended by now
		msg cct job-set-speed 0 || true
		wait_for 120 job_ends
		job_done cct
		cowio -m expect.raw /dev/mapper/cct verify
	fi
	remove cct
	cd "$T"
	mapfile -t left < <(mkloop -l "$T")
	[ ${#left[@]} -eq 0 ] || mkloop -x "${left[@]}"
	LOOP=()
	rm -r "$T/p"
}

points_of() {
	local dir

	for dir in "$1"/p*; do
		note "${dir##*/}: $(<"$dir/point")"
		one_point "$dir"
	done
	note "$(find "$1" -name chain | wc -l) points"
}

for dir in "$FIXTURES"/crash.*; do
	name=${dir##*/crash.}
	eval "attach_$name() { points_of '$dir'; }"
	CASE_LIST+=("points of $name" "attach_$name")
done

run_cases
