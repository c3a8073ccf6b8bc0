#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Random chains, and streams, commits and snapshots on them while a guest writes. QEMU has done the same with copies
# of the images: make-chains. Afterwards oracle compares the two: the chain, what each of its layers reads like, and
# the model of the guest's disk. "make check-differential" has many, "make check" few.
# Seconds: 60
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

[ -e "$FIXTURES/stamp" ] || make-fixtures "$FIXTURES"

SLOW=4096	# bytes per second, of a job beside which the guest writes

# ---- the two ways: messages to the target, or the tool; see plan.py for the steps ----

# on_devices FILE[,DATA]...: a device of these layers. All can be written, for commits.
on_devices() {
	local f files=()

	for f in "${@//,/ }"; do
		# shellcheck disable=SC2206	# a data file is a word of its own
		files+=($f)
	done
	for f in "${files[@]}"; do
		[ -n "${LOOP[$f]:-}" ] || attach "$f"
	done
	mkchain cct "$@"
}

# top_of FILE[,DATA]...: sets TOP to the file of the last one
top_of() {
	TOP=${!#}
	TOP=${TOP%,*}
}

messages_layers() { on_devices "$@"; }

messages_again() {
	remove cct
	on_devices "$@"
}

messages_snapshot() {
	local file=${1%,*} data=-

	attach "$file"
	if [ "$1" != "$file" ]; then
		data=${1#*,}
		attach "$data"
		data=${LOOP[$data]}
	fi
	msg cct snapshot qcow2 "${LOOP[$file]}" "$data"
}

# messages_stream BASE NAME FORMAT SPEED
messages_stream() {
	local names=()

	[ "$1" = none ] || names=(backing-file "$2" "$3")
	msg cct base "$1"
	# shellcheck disable=SC2086	# none or one
	msg cct stream speed "$4" $VERIFY "${names[@]}"
}

messages_commit() {
	status cct
	# shellcheck disable=SC2086	# none or one
	msg cct commit top $((S_LAYERS - 2)) base "$1" speed "$4" $VERIFY backing-file "$2" "$3"
}

messages_active() {
	status cct
	# shellcheck disable=SC2086	# none or one
	msg cct commit top $((S_LAYERS - 1)) base "$1" speed "$2" $VERIFY
}

messages_end() {
	chain_is cct "$@"
	remove cct
}

tool_layers() {
	need cowchain
	top_of "$@"
	cowchain attach cct "$TOP"
	DEV=/dev/mapper/cct
}

tool_again() {
	cowchain detach cct
	wait_for 30 no_loops
	tool_layers "$@"
}

tool_snapshot() {
	local data=()

	[[ $1 != *,* ]] || data=(--data-file "${1#*,}")
	cowchain snapshot cct "${1%,*}" "${data[@]}"
}

tool_stream() {
	cowchain stream cct --base "$1" --speed "$4" ${VERIFY:+--verify}
}

tool_commit() {
	cowchain commit cct --base "$1" --speed "$4" ${VERIFY:+--verify}
}

tool_active() {
	cowchain commit cct --active --base "$1" --speed "$2" ${VERIFY:+--verify}
}

# The tool names data files by their paths, which are others where the images are judged.
tool_end() {
	local f

	cowchain detach cct
	wait_for 30 no_loops
	for f; do
		[[ $f != s*,* ]] || qcow2poke "${f%,*}" ext 0x44415441 "${f#*,}"
	done
}

# ---- the steps of a plan ----

# What the guest writes while the job runs; a job without that has no limit.
meanwhile() {
	[ $# -eq 0 ] || io "$@"
	[ $# -eq 0 ] || msg cct job-set-speed 0 2>/dev/null || in_state cct concluded
	job_done cct
	io verify
}

speed_with() { [ $# -gt 0 ] && SPEED=$SLOW || SPEED=0; }

do_sectors() { SECTORS=$1; }

do_way() {
	WAY=$1
	VERIFY=${2#-}
}

do_layers() {
	"${WAY}_layers" "$@"
	io verify
}

do_again() {
	"${WAY}_again" "$@"
	io verify
}

do_io() { io "$@" verify; }

do_snapshot() {
	"${WAY}_snapshot" "$@"
	io verify
}

do_stream() {
	speed_with "${@:4}"
	"${WAY}_stream" "$1" "$2" "$3" "$SPEED"
	meanwhile "${@:4}"
}

do_commit() {
	speed_with "${@:4}"
	"${WAY}_commit" "$1" "$2" "$3" "$SPEED"
	meanwhile "${@:4}"
}

do_active() {
	speed_with "${@:2}"
	"${WAY}_active" "$1" "$SPEED"
	meanwhile "${@:2}"
}

do_cancel() {
	msg cct base none
	msg cct stream speed $SLOW
	[ $# -eq 0 ] || io "$@"
	msg cct job-cancel
	io verify
}

do_refused() {
	refuse_msg "$1" cct "${@:2}"
	io verify
}

do_end() { "${WAY}_end" "$@"; }

chain() {
	local verb words=() n=0

	use "differential-$1"
	while read -r -a words; do
		verb=${words[0]}
		n=$((n + 1))
		echo "line $n: ${words[*]}"
		"do_$verb" "${words[@]:1}"
	done <plan
	keep differential "$1"
}

for dir in "$FIXTURES"/differential-*; do
	it "chain ${dir##*-}, by $(sed -n 's/^way \([a-z]*\).*/\1/p' "$dir/plan")" "chain ${dir##*-}"
done

run_cases
