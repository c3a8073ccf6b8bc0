# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests share. A test sources this, names its cases with "it", and calls run_cases.
#
# Every case runs in a subshell of its own, with set -e, in an empty directory $T. What it leaves
# behind (mapped devices, loop devices, processes) is removed, and the kernel log is scanned after
# each case. Processes are dear in an emulated machine: one call does many things wherever possible.
#
# Environment:
#	REQUIRE_ALL=1	a case that cannot run is a failure
#	FIXTURES	images made by make-fixtures; made now if not there
#	EXPORT		directory for layers and models that qemu-img shall judge later, beside that of
#			the fixtures; without it they are judged at the end of each test
#	CASES		regular expression: run these cases only (function names)
#	COWCHAIN_TMP	where the layers live, a tmpfs by preference
#	CASE_TIMEOUT	seconds until a case counts as hanging

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TEST=${0##*/}
TEST=${TEST%.sh}
PATH=$HERE:${COWCHAIN_BIN:-$HERE/../build/selftests}:$HERE/../build/userspace:$PATH
export DM_DISABLE_UDEV=1 LC_ALL=C

: "${REQUIRE_ALL:=0}" "${CASE_TIMEOUT:=300}" "${COWCHAIN_TMP:=/dev/shm}"
: "${FIXTURES:=$HERE/../build/fixtures}"

CASE_LIST=()		# description, function, ...
EXIT_SKIP=4
SECTORS=32768		# of the devices that create makes: the fixtures' 16 MiB
declare -A LOOP		# file name -> device that a table names
declare -A UNDER	# file name -> loop device below that, if there is something between
TABLE=			# made by layers
DEV=			# of the last mkchain

# Reports that make a case fail, wherever they come from.
LOG_BAD='BUG:|WARNING:|Oops|general protection fault|[Uu]nable to handle|K[AC]SAN:|UBSAN:|KFENCE:'
LOG_BAD+='|possible (circular|recursive|irq lock inversion)|inconsistent lock state|held lock freed'
LOG_BAD+='|suspicious RCU usage|bad unlock balance|lock held when returning|scheduling while atomic'
LOG_BAD+='|sleeping function called|refcount_t:|list_(add|del) corruption|unreferenced object'
LOG_BAD+='|trying to register non-static key|turning off the locking|kmemleak:.*(disabled|Cannot)'
LOG_BAD+='|blocked for more than|soft lockup|self-detected stall|workqueue lockup|ODEBUG:'

declare -A ERRNO_TEXT=(
	[EINVAL]='Invalid argument' [EBUSY]='Device or resource busy' [EROFS]='Read-only file system'
	[ENOENT]='No such file or directory' [ENODEV]='No such device' [ENOTBLK]='Block device required'
	[ENXIO]='No such device or address' [EFBIG]='File too large' [EMEDIUMTYPE]='Wrong medium type'
	[EOPNOTSUPP]='Operation not supported' [EIO]='Input/output error' [E2BIG]='Argument list too long'
	[ENOSPC]='No space left on device' [ERANGE]='Numerical result out of range'
	[ENAMETOOLONG]='File name too long' [ENOTEMPTY]='Directory not empty'
	[EACCES]='Permission denied' [EPERM]='Operation not permitted' [ENOMEM]='Cannot allocate memory'
	[ESTALE]='Stale file handle'
)

# ---- results ----

# it DESCRIPTION FUNCTION: a case; its function comes after this. Several cases can share one that takes
# arguments, which follow its name.
it() {
	! declare -F "$2" >/dev/null || { echo "Bail out! there is a function $2 already"; exit 1; }
	CASE_LIST+=("$1" "$2")
}

note() { echo "$*"; }

fail() {
	local i

	echo "FAILED: $*"
	for ((i = 1; i < ${#FUNCNAME[@]} - 1; i++)); do
		[ "${BASH_SOURCE[i]}" = "${BASH_SOURCE[0]}" ] ||
			echo "  at ${BASH_SOURCE[i]##*/}:${BASH_LINENO[i - 1]}"
	done
	exit 1
}

skip() {
	echo "$*" >"$WORK/skip"
	exit $EXIT_SKIP
}

# eq GOT WANT WHAT
eq() { [ "$1" = "$2" ] || fail "$3: got '$1', expected '$2'"; }

# matches TEXT REGEX WHAT
matches() { [[ $1 =~ $2 ]] || fail "$3: got '$1', expected /$2/"; }

need() {
	local cmd

	for cmd; do
		command -v "$cmd" >/dev/null || skip "needs $cmd"
	done
}

# need_target flakey
need_target() {
	modprobe -q "dm-$1" 2>/dev/null || true
	dmsetup targets | grep -q "^$1 " || skip "needs the $1 target"
}

# ---- running cases ----

# Begins a part of the kernel log; logged looks at the last one only.
mark() {
	MARK="cowchain-test $TEST $1 $$.$RANDOM"
	echo "$MARK" >/dev/kmsg
}

# Gets the kernel log since the last mark into KLOG.
klog() {
	KLOG_ALL+=$(klogread)$'\n'
	KLOG=${KLOG_ALL##*"$MARK"}
}

# logged REGEX: a line of the kernel log since the last mark
logged() {
	local line

	klog
	while IFS= read -r line; do
		[[ ! $line =~ $1 ]] || return 0
	done <<<"$KLOG"
	fail "the kernel log has no line for /$1/:$KLOG"
}

# All mapped devices of the tests are named cct-something: DM_LEFT gets those that are there.
mapped_devices() {
	local dir name suspended

	DM_LEFT=()
	for dir in /sys/block/dm-*/dm; do
		read -r name <"$dir/name" || continue
		[[ $name == cct* ]] || continue
		read -r suspended <"$dir/suspended"
		# one that was left suspended cannot be removed
		[ "$suspended" = 0 ] || dmsetup resume "$name"
		DM_LEFT=("$name" "${DM_LEFT[@]}")
	done
} 2>/dev/null

# Some stand on others, in an order that nobody wrote down.
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

# One that never got a table is not in sysfs.
remove_empty() {
	local name

	for name in $(dmsetup ls | sed -n 's/^\(cct[^[:space:]]*\).*/\1/p'); do
		dmsetup remove "$name" || note "FAILED: cannot remove $name"
	done
}

# Removes what the case left, and says so if that goes wrong.
case_cleanup() {
	local rc=$1 left pids

	set +e
	mapfile -t pids < <(jobs -p)
	[ ${#pids[@]} -eq 0 ] || { kill "${pids[@]}"; wait "${pids[@]}"; } 2>/dev/null
	cd /
	unmount_all
	remove_devices
	[ "$rc" -eq 0 ] || remove_empty
	mapfile -t left < <(mkloop -l "$T")
	[ ${#left[@]} -gt 0 ] || return 0
	mkloop -x "${left[@]}"
	# what these devices were on, and what it was on
	unmount_all
	mapfile -t left < <(mkloop -l "$T")
	[ ${#left[@]} -eq 0 ] || note "FAILED: loop devices still busy: ${left[*]}"
}

# The body of a case. Its last word goes through the pipe that the parent waits on.
case_body() {
	local func=$1

	# shellcheck disable=SC2154	# rc is set by the trap itself
	trap 'rc=$?; trap - EXIT; case_cleanup $rc; echo $rc >&"$RESULT"; exit $rc' EXIT
	trap 'exit 143' TERM
	# a position of its own in the kernel log
	exec 9</dev/kmsg
	klogread -s
	set -eE
	trap 'echo "FAILED: \"$BASH_COMMAND\" (status $?)"' ERR
	cd "$T"
	# shellcheck disable=SC2086	# a name and perhaps arguments
	$func
	trap - ERR
}

# Prints how the kernel log speaks against the case.
scan_log() {
	klog
	[[ ! $KLOG =~ ($LOG_BAD) ]] || {
		echo "FAILED: the kernel complained (${BASH_REMATCH[1]}):"
		echo "$KLOG"
	}
}

show_output() {
	local line

	while IFS= read -r line; do
		echo "# $line"
	done <"$WORK/out"
}

run_case() {
	local n=$1 desc=$2 call=$3 func=${3// /-} rc='' pid

	T=$WORK/$func
	mkdir "$T"
	rm -f "$WORK/skip"
	KLOG_ALL=
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
	tap_line "$n" "$desc" "$func" "$rc"
	export_case "$func" "$rc"
}

tap_line() {
	local n=$1 desc=$2 func=$3 rc=$4

	if [ "$rc" -eq 0 ]; then
		echo "ok $n - $desc"
	elif [ "$rc" -eq $EXIT_SKIP ] && [ "$REQUIRE_ALL" = 0 ]; then
		echo "ok $n - $desc # SKIP $(<"$WORK/skip")"
	else
		[ "$rc" -ne $EXIT_SKIP ] || echo "# skipped, but nothing may be: $(<"$WORK/skip")"
		show_output
		echo "not ok $n - $desc"
		FAILED=$((FAILED + 1))
	fi
}

# What was kept goes to where qemu-img will see it.
export_case() {
	if [ "$2" -eq 0 ] && [ -e "$T/manifest" ]; then
		[ -n "$LOCAL_EXPORT" ] || dedupe "$T" "$FIXTURES"
		mv "$T" "$EXPORT/$TEST.$1" || { echo "Bail out! no room in $EXPORT"; exit 1; }
	else
		rm -rf "$T"
	fi
}

test_cleanup() {
	rm -rf "$WORK"
}

prepare() {
	[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit "$REQUIRE_ALL"; }
	command -v cowio mkloop qcow2poke klogread chainstress >/dev/null ||
		{ echo "Bail out! the helpers are not built"; exit 1; }
	modprobe -q dm-cowchain 2>/dev/null || true
	dmsetup targets 2>/dev/null | grep -q '^cowchain ' || {
		echo "1..0 # SKIP no cowchain target"
		exit "$REQUIRE_ALL"
	}
	[ -e "$FIXTURES/stamp" ] || make-fixtures "$FIXTURES"
	# else the kernel drops the marks in its log when they come fast
	echo on >/proc/sys/kernel/printk_devkmsg 2>/dev/null || true
	WORK=$(mktemp -d "$COWCHAIN_TMP/cowchain-$TEST.XXXXXX")
	trap test_cleanup EXIT
	LOCAL_EXPORT=
	[ -n "${EXPORT:-}" ] || { LOCAL_EXPORT=1; EXPORT=$WORK/export; }
	mkdir -p "$EXPORT"
	mkfifo "$WORK/result"
	exec {RESULT}<>"$WORK/result"
	exec 9</dev/kmsg
	klogread -s
}

run_cases() {
	local i n=0 list=()

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
	# no TAP from here: the plan is fulfilled
	if [ -n "$LOCAL_EXPORT" ] && command -v qemu-img >/dev/null; then
		oracle "$EXPORT" >"$WORK/oracle" || FAILED=$((FAILED + 1))
		sed 's/^/# oracle: /' "$WORK/oracle"
	fi
	[ "$FAILED" -eq 0 ]
}

# ---- layers and chains ----

# use DIRECTORY [FILE...]: fixtures to $T
use() {
	local dir=$FIXTURES/$1 f files=()

	shift
	for f; do
		files+=("$dir/$f")
	done
	[ ${#files[@]} -gt 0 ] || files=("$dir/.")
	cp -r "${files[@]}" "$T"
}

# attach [-a] [ro:]FILE... : loop devices for files in $T; LOOP[FILE] says which
attach() {
	local args=() f i devices

	for f; do
		case $f in
		ro:*) args+=("ro:$T/${f#ro:}") ;;
		*) args+=("$T/$f") ;;
		esac
	done
	devices=$(mkloop "${args[@]}")
	mapfile -t devices <<<"$devices"
	for ((i = 0; i < ${#args[@]}; i++)); do
		f=${args[i]#ro:}
		LOOP[${f#"$T/"}]=${devices[i]}
	done
}

detach() {
	local f devices=()

	for f; do
		devices+=("${LOOP[$f]}")
		unset "LOOP[$f]"
	done
	mkloop -x "${devices[@]}"
}

# words FILE[,DATA]... : what a table says about the layers; they have to be attached
words() {
	local f out=()

	for f; do
		case $f in
		*.raw) out+=(raw "${LOOP[$f]}" -) ;;
		*,*) out+=(qcow2 "${LOOP[${f%,*}]}" "${LOOP[${f#*,}]}") ;;
		*) out+=(qcow2 "${LOOP[$f]}" -) ;;
		esac
	done
	WORDS=${out[*]}
}

# layers FILE[,DATA]... : attaches them, the last one writable, and makes TABLE
layers() {
	local f args=() n=$# prefix=ro:

	for f; do
		n=$((n - 1))
		[ $n -gt 0 ] || prefix=
		[ -n "${LOOP[${f%,*}]:-}" ] || args+=("$prefix${f%,*}")
		case $f in
		*,*) [ -n "${LOOP[${f#*,}]:-}" ] || args+=("$prefix${f#*,}") ;;
		esac
	done
	[ ${#args[@]} -eq 0 ] || attach "${args[@]}"
	words "$@"
	TABLE="0 $SECTORS cowchain 0 $# $WORDS"
}

# create NAME [OPTION...]: a device from TABLE
create() {
	local name=$1

	shift
	dmsetup create "$name" "$@" --table "$TABLE"
}

# mkchain NAME FILE[,DATA]...
mkchain() {
	local name=$1

	shift
	layers "$@"
	create "$name"
	# shellcheck disable=SC2034	# for the tests
	DEV=/dev/mapper/$name
}

remove() {
	dmsetup remove "$@"
}

# refuse_create ERRNO[|ERRNO...] [REGEX [OPTION...]]: TABLE is refused, wherever, with a clear line in
# the kernel log, and nothing is left
refuse_create() {
	local out rc=0

	mark refuse
	out=$(dmsetup create cct-no "${@:3}" --table "$TABLE" 2>&1) || rc=$?
	[ $rc -ne 0 ] || fail "accepted: $TABLE"
	expect_errno "$1" "$out" "$TABLE"
	[ ! -e /dev/mapper/cct-no ] || fail "the device is there after all"
	logged "cowchain: .*${2:-.{8\}}"
}

# expect_errno ERRNO[|ERRNO...] OUTPUT WHAT; "any" is any
expect_errno() {
	local e text=

	[ "$1" != any ] || return 0
	for e in ${1//|/ }; do
		text+=${text:+|}${ERRNO_TEXT[$e]:?unknown errno $e}
	done
	[[ $2 =~ ($text) ]] || fail "$3: got '$2', expected $1"
}

# ---- talking to the target ----

# msg NAME WORD...
msg() {
	local name=$1

	shift
	dmsetup message -- "$name" 0 "$@"
}

# refuse_msg ERRNO[|ERRNO...] NAME WORD... : refused with that errno and a line in the log
refuse_msg() {
	local errno=$1 name=$2 out rc=0

	shift 2
	mark refuse
	out=$(dmsetup message -- "$name" 0 "$@" 2>&1) || rc=$?
	[ $rc -ne 0 ] || fail "accepted: $*"
	expect_errno "$errno" "$out" "message $*"
	logged "cowchain: .{8}"
}

# status NAME: fills S_MODE, S_LAYERS, ... ; S_STATE is "" without a job
# shellcheck disable=SC2034	# for the tests
status() {
	local line counts rest

	line=$(dmsetup status "$1")
	read -r _ _ _ S_MODE S_LAYERS S_SUB counts S_WORDS rest <<<"$line"
	S_ALLOC=${counts%/*}
	S_TOTAL=${counts#*/}
	read -r S_TYPE S_STATE S_BASE S_OFF S_LEN S_SPEED S_IO S_ERR rest <<<"$rest"
	[ -z "$rest" ] || fail "too many words in the status: $line"
	case $S_WORDS in
	0) eq "$S_TYPE" "" "job words in '$line'" ;;
	8) [ -n "$S_ERR" ] || fail "too few job words in '$line'" ;;
	*) fail "unexpected number of job words in '$line'" ;;
	esac
}

# wait_for SECONDS COMMAND...: until it succeeds; its time out is a failure
wait_for() {
	local until=$((SECONDS + $1))

	shift
	until "$@"; do
		[ $SECONDS -lt $until ] || fail "not within the time: $*"
		sleep 0.1
	done
}

in_state() {
	status "$1"
	[ "$S_STATE" = "$2" ]
}

# wait_state NAME STATE
wait_state() { wait_for 120 in_state "$1" "$2"; }

counted() {
	status "$1"
	[ "$S_ALLOC" != - ]
}

# wait_counted NAME: until the kernel knows S_ALLOC
wait_counted() { wait_for 60 counted "$1"; }

# job_done NAME [ERRNO-NUMBER]: waits for the job's end, and expects it to be a good one
job_done() {
	wait_state "$1" concluded
	eq "$S_ERR" "${2:-0}" "errno of the job"
}

event_nr() { dmsetup info -c --noheadings -o events "$1"; }

# chain_is NAME FILE[,DATA]... : the table names these layers
chain_is() {
	local name=$1 table dev want

	shift
	table=$(dmsetup table "$name")
	words "$@"
	want=" $# $WORDS"
	for dev in "${LOOP[@]}"; do
		# the table has numbers where we have names
		want=${want//" $dev "/" 7:${dev#/dev/loop} "}
		want=${want/%" $dev"/" 7:${dev#/dev/loop}"}
	done
	[[ $table == *"$want" ]] || fail "the chain is '$table', expected '$want'"
}

# ---- contents ----

# io OP... : to the device and the model, see cowio
io() { cowio -m "$T/model.raw" "$DEV" "$@"; }

# untouched FIXTURE-DIRECTORY FILE... : byte-identical to the fixtures
untouched() {
	local dir=$1 f

	shift
	for f; do
		cmp "$FIXTURES/$dir/$f" "$T/$f" || fail "$f has changed"
	done
}

# ident FILE: fills I_UUID, I_GEN, I_PARENT, I_PGEN, I_FLAGS (1: sealed), I_JOB (1: a stream), I_BASE and
# I_SPEED; I_UUID is "-" without an identity
# shellcheck disable=SC2034	# for the tests
ident() {
	read -r I_UUID I_GEN I_PARENT I_PGEN I_FLAGS I_JOB I_BASE I_SPEED <<<"$(qcow2poke "$1" ident)"
}

# keep check FILE | compare FILE MODEL | identical FILE FILE: for qemu-img, later
keep() { echo "$*" >>"$T/manifest"; }

# retire NAME TOP [MODEL]: removes the device; TOP and what is below has to be sound and equal MODEL
retire() {
	remove "$1"
	keep check "$2"
	keep compare "$2" "${3:-model.raw}"
}

# ---- layers that are slow or fail ----

# over FILE TABLE-LINE...: puts a mapped device over FILE's loop device, which then is its LOOP.
# "@" in a line stands for the loop device.
over() {
	local file=$1 name=cct-over-${1//[^a-z0-9]/-} dev=${LOOP[$1]}

	shift
	printf '%s\n' "${@//@/$dev}" | dmsetup create "$name"
	LOOP[$file]=/dev/mapper/$name
	UNDER[$file]=$dev
}

# change FILE TABLE-LINE...: another table for what over made
change() {
	local name=cct-over-${1//[^a-z0-9]/-} dev=${UNDER[$1]}

	shift
	printf '%s\n' "${@//@/$dev}" | dmsetup load "$name"
	dmsetup suspend --noflush --nolockfs "$name"
	dmsetup resume "$name"
}

# dm_stat NAME FIELD: of /sys/block/.../stat, from 0 on; 8 is how many I/Os are under way
dm_stat() {
	local minor stat

	minor=$(dmsetup info -c --noheadings -o minor "$1")
	read -r -a stat <"/sys/block/dm-$minor/stat"
	echo "${stat[$2]}"
}

# sectors FILE: length of its loop device
sectors() { echo $(($(stat -c %s "$T/$1") / 512)); }
