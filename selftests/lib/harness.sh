# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs the cases of a test, cleans up after each of them, and prints TAP.

CASE_LIST=()		# description, function, ...

# it DESCRIPTION FUNCTION: registers a case. Its function is defined after this line. Several cases can
# share a function that takes arguments; they follow its name.
it() {
	! declare -F "$2" >/dev/null || { echo "Bail out! there is a function $2 already"; exit 1; }
	CASE_LIST+=("$1" "$2")
}

# ---- cleaning up ----

# Lists the mapped devices that exist, in DM_LEFT. Those of the tests are all named cct-something.
mapped_devices() {
	local dir name suspended

	DM_LEFT=()
	for dir in /sys/block/dm-*/dm; do
		read -r name <"$dir/name" || continue
		[[ $name == cct* ]] || continue
		read -r suspended <"$dir/suspended"
		# a suspended device cannot be removed
		[ "$suspended" = 0 ] || dmsetup resume "$name"
		DM_LEFT=("$name" "${DM_LEFT[@]}")
	done
} 2>/dev/null

# no_delay: makes linear lines of the delay lines of a table
no_delay() {
	local start length kind dev offset rest

	while read -r start length kind dev offset rest; do
		[ "$kind" != delay ] || kind=linear rest=
		echo "$start $length $kind $dev $offset $rest"
	done
}

# I/O that a device holds back goes on, and it holds back no more. All at once: what goes on in one may come to
# another.
let_io_go() {
	local name table waiting=()

	mapped_devices
	for name in "${DM_LEFT[@]}"; do
		table=$(dmsetup table "$name" 2>/dev/null)
		[[ $table == *" delay "* ]] || continue
		no_delay <<<"$table" | dmsetup load "$name"
		{ dmsetup suspend --noflush --nolockfs "$name" && dmsetup resume "$name"; } &
		waiting+=($!)
	done
	[ ${#waiting[@]} -eq 0 ] || wait "${waiting[@]}"
}

# Some devices use others, in an order that is not known here, so try several times.
remove_devices() {
	local round name

	for round in 1 2 3 4; do
		mapped_devices
		[ ${#DM_LEFT[@]} -gt 0 ] || return 0
		for name in "${DM_LEFT[@]}"; do
			if [ "$round" -lt 4 ]; then
				dmsetup remove "$name" 2>/dev/null
			else
				dmsetup remove "$name" || note "FAILED: cannot remove $name"
			fi
		done
	done
}

unmount_all() {
	local where

	while read -r _ where _; do
		[[ $where != "$T"/* ]] || umount "$where"
	done </proc/mounts
}

# Removes devices that never got a table: sysfs does not show them.
remove_empty() {
	local name

	for name in $(dmsetup ls | sed -n 's/^\(cct[^[:space:]]*\).*/\1/p'); do
		dmsetup remove "$name" || note "FAILED: cannot remove $name"
	done
}

# Removes what the case left behind, and prints a failure if something cannot be removed. A test may define
# before_cleanup for what only it has.
case_cleanup() {
	local rc=$1 left pids

	set +e
	! declare -F before_cleanup >/dev/null || before_cleanup
	mapfile -t pids < <(jobs -p)
	[ "$rc" -eq 0 ] || let_io_go
	# what waits there may hold a lock
	[ ! -w /sys/module/cct_stall/parameters/at ] || echo - >/sys/module/cct_stall/parameters/at
	[ ${#pids[@]} -eq 0 ] || { kill "${pids[@]}"; wait "${pids[@]}"; } 2>/dev/null
	cd /
	unmount_all
	remove_devices
	[ "$rc" -eq 0 ] || { remove_empty; rm -rf /dev/cct-*; }
	mapfile -t left < <(mkloop -l "$T")
	[ ${#left[@]} -gt 0 ] || return 0
	mkloop -x "${left[@]}"
	# a file system on these devices, and the devices of files on that
	unmount_all
	mapfile -t left < <(mkloop -l "$T")
	[ ${#left[@]} -eq 0 ] || note "FAILED: loop devices still busy: ${left[*]}"
}

# ---- running cases ----

# Says so at once: a kernel that fails badly may not survive the cleanup.
case_fails() {
	[ "$1" -eq 0 ] || [ "$1" -eq "$EXIT_SKIP" ] || echo "# ${T##*/} fails" >&"$REPORT"
}

# The body of a case. Its exit status goes through the pipe on which the parent waits.
case_body() {
	local func=$1

	# shellcheck disable=SC2154	# rc is set by the trap itself
	trap 'rc=$?; trap - EXIT; case_fails $rc; case_cleanup $rc; echo $rc >&"$RESULT"; exit $rc' EXIT
	trap 'exit 143' TERM
	# a position in the kernel log that is not shared with the parent
	exec 9</dev/kmsg
	klogread -s
	set -eE
	trap 'echo "FAILED: \"$BASH_COMMAND\" (status $?)"' ERR
	cd "$T"
	# shellcheck disable=SC2086	# a name, and its arguments if there are any
	$func
	trap - ERR
}

show_output() {
	local line

	while IFS= read -r line; do
		echo "# $line"
	done <"$WORK/out"
}

run_case() {
	local n=$1 desc=$2 call=$3 func=${3// /-} rc='' pid start=${EPOCHREALTIME/./}

	T=$WORK/$func
	mkdir "$T"
	rm -f "$WORK/skip"
	mark "$func"
	case_body "$call" >"$WORK/out" 2>&1 </dev/null &
	pid=$!
	if ! read -r -t "$CASE_TIMEOUT" -u "$RESULT" rc; then
		echo w >/proc/sysrq-trigger 2>/dev/null || true
		{ echo "no end after $CASE_TIMEOUT seconds"; dmesg | tail -n 100; } >>"$WORK/out"
		show_output
		echo "not ok $n - $desc"
		echo "Bail out! $func hangs"
		exit 1
	fi
	wait "$pid" || true
	scan_log >>"$WORK/out"
	[[ $(<"$WORK/out") != *FAILED:* ]] || rc=1
	[ -z "${CASE_TIMES:-}" ] || echo "# $(((${EPOCHREALTIME/./} - start) / 1000)) ms $TEST.$func"
	tap_line "$n" "$desc" "$func" "$rc"
	export_case "$func" "$rc"
}

tap_line() {
	local n=$1 desc=$2 func=$3 rc=$4

	if [ "$rc" -eq 0 ]; then
		echo "ok $n - $desc"
	elif [ "$rc" -eq "$EXIT_SKIP" ] && [ "$REQUIRE_ALL" = 0 ]; then
		echo "ok $n - $desc # SKIP $(<"$WORK/skip")"
	else
		[ "$rc" -ne "$EXIT_SKIP" ] || echo "# skipped, but REQUIRE_ALL=1 forbids that: $(<"$WORK/skip")"
		show_output
		echo "not ok $n - $desc"
		FAILED=$((FAILED + 1))
	fi
}

# Leaves out what need not be copied out of a virtual machine: files that have not changed, and the contents
# of space that holds nothing.
make_small() {
	local f

	dedupe "$T" "$FIXTURES"
	for f in "$T"/*.qcow2; do
		[ ! -f "$f" ] || [ -L "$f" ] || [ "$(stat -c %s "$f")" -gt $((1 << 30)) ] ||
			qcow2poke "$f" punch >/dev/null 2>&1 || true
	done
}

# Moves what the case kept to where qemu-img will look at it.
export_case() {
	if [ "$2" -eq 0 ] && [ -e "$T/manifest" ]; then
		[ -n "$LOCAL_EXPORT" ] || make_small
		echo "$TEST.$1" >>"$EXPORT/kept"
		mv "$T" "$EXPORT/$TEST.$1" || { echo "Bail out! no room in $EXPORT"; exit 1; }
	else
		rm -rf "$T"
	fi
}

test_cleanup() {
	rm -rf "$WORK"
}

prepare() {
	[ "$EUID" = 0 ] || { echo "1..0 # SKIP needs root"; exit "$REQUIRE_ALL"; }
	command -v cowio mkloop qcow2poke klogread chainstress >/dev/null ||
		{ echo "Bail out! the helpers are not built"; exit 1; }
	[ -d /sys/module/dm_cowchain ] || modprobe -q dm-cowchain 2>/dev/null || true
	[ -d /sys/module/dm_cowchain ] || dmsetup targets 2>/dev/null | grep -q '^cowchain ' || {
		echo "1..0 # SKIP no cowchain target"
		exit "$REQUIRE_ALL"
	}
	[ -e "$FIXTURES/stamp" ] || make-fixtures "$FIXTURES"
	# or the kernel would drop some of the marks in its log when they follow one another fast
	echo on >/proc/sys/kernel/printk_devkmsg 2>/dev/null || true
	WORK=$(mktemp -d "$COWCHAIN_TMP/cowchain-$TEST.XXXXXX")
	trap test_cleanup EXIT
	LOCAL_EXPORT=
	[ -n "${EXPORT:-}" ] || { LOCAL_EXPORT=1; EXPORT=$WORK/export; }
	mkdir -p "$EXPORT"
	mkfifo "$WORK/result"
	exec {RESULT}<>"$WORK/result" {REPORT}>&1
	exec 9</dev/kmsg
	klogread -s
}

run_cases() {
	local i n=0 list=()

	[ -z "${QUICK:-}" ] || : "${CASES:=$(sed -n 's/^# Quick: //p' "$0")}"
	for ((i = 0; i < ${#CASE_LIST[@]}; i += 2)); do
		[[ ! ${CASE_LIST[i + 1]} =~ ${CASES:-.} ]] || list+=("${CASE_LIST[@]:i:2}")
	done
	FAILED=0
	prepare
	echo "1..$((${#list[@]} / 2))"
	for ((i = 0; i < ${#list[@]}; i += 2)); do
		n=$((n + 1))
		run_case $n "${list[i]}" "${list[i + 1]}"
	done
	# comments only from here: the plan of the TAP is complete
	if [ -n "$LOCAL_EXPORT" ] && [ -e "$EXPORT/kept" ] && command -v qemu-img >/dev/null; then
		oracle "$EXPORT" >"$WORK/oracle" || FAILED=$((FAILED + 1))
		sed 's/^/# oracle: /' "$WORK/oracle"
	fi
	[ "$FAILED" -eq 0 ]
}
