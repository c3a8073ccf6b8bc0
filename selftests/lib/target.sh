# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Messages to the target, and what its status and table say.

# msg NAME WORD...: sends a message
msg() {
	local name=$1

	shift
	dmsetup message -- "$name" 0 "$@"
}

# refuse_msg ERRNO[|ERRNO...] NAME WORD... : expects that the message is refused with that error and that a
# line of the kernel log says why
refuse_msg() {
	local errno=$1 name=$2 out rc=0

	shift 2
	mark refuse
	out=$(dmsetup message -- "$name" 0 "$@" 2>&1) || rc=$?
	[ $rc -ne 0 ] || fail "accepted: $*"
	expect_errno "$errno" "$out" "message $*"
	logged "cowchain: .{8}"
}

# status NAME: sets S_MODE, S_LAYERS, ... ; S_STATE is empty without a job
# shellcheck disable=SC2034	# for the tests
status() {
	local line counts rest

	line=$(dmsetup status "$1")
	read -r _ _ _ S_MODE S_LAYERS S_SUB counts S_WORDS rest <<<"$line"
	S_ALLOC=${counts%/*}
	S_TOTAL=${counts#*/}
	read -r S_TYPE S_STATE S_BASE S_OFF S_LEN S_SPEED S_IO S_ERR S_VERIFIED S_TOP rest <<<"$rest"
	[ -z "$rest" ] || fail "too many words in the status: $line"
	case $S_WORDS in
	0) eq "$S_TYPE" "" "job words in '$line'" ;;
	10) [ -n "$S_TOP" ] || fail "too few job words in '$line'" ;;
	*) fail "unexpected number of job words in '$line'" ;;
	esac
}

in_state() {
	status "$1"
	[ "$S_STATE" = "$2" ]
}

# in_mode NAME MODE
in_mode() {
	status "$1"
	[ "$S_MODE" = "$2" ]
}

# wait_state NAME STATE
wait_state() { wait_for 120 in_state "$1" "$2"; }

# some_copied [NAME]: is the job beyond its beginning?
some_copied() {
	status "${1:-cct}"
	[ "$S_OFF" -gt 0 ]
}

counted() {
	status "$1"
	[ "$S_ALLOC" != - ]
}

# wait_counted NAME: waits until the kernel has counted what S_ALLOC says
wait_counted() { wait_for 60 counted "$1"; }

# job_done NAME [ERRNO-NUMBER]: waits for the end of the job and expects success, or that error
job_done() {
	wait_state "$1" concluded
	eq "$S_ERR" "${2:-0}" "errno of the job"
}

event_nr() { dmsetup info -c --noheadings -o events "$1"; }

# chain_is NAME FILE[,DATA]... : expects that the table names exactly these layers
chain_is() {
	local name=$1 table dev want

	shift
	table=$(dmsetup table "$name")
	words "$@"
	want=" $# $WORDS"
	for dev in "${LOOP[@]}"; do
		# the table has device numbers instead of names
		want=${want//" $dev "/" 7:${dev#/dev/loop} "}
		want=${want/%" $dev"/" 7:${dev#/dev/loop}"}
	done
	[[ $table == *"$want" ]] || fail "the chain is '$table', expected '$want'"
}

# load_module_again: unloads the module, and loads that which is being tested
load_module_again() {
	rmmod dm_cowchain
	if [ -n "${DM_COWCHAIN_MODULE:-}" ]; then
		insmod "$DM_COWCHAIN_MODULE"
	else
		modprobe dm-cowchain
	fi
}
