# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The kernel log: what a case expects in it, and what must not be in it.

# Reads kernel-complaints into LOG_BAD, once for all cases and without a process.
read_complaints() {
	local line

	LOG_BAD=
	while IFS= read -r line; do
		[ -z "$line" ] || [[ $line == '#'* ]] || LOG_BAD+=${LOG_BAD:+|}$line
	done <"$HERE/lib/kernel-complaints"
}

# mark NAME: begins a new part of the kernel log; logged searches only the last part
mark() {
	KLOG_ALL=
	MARK="cowchain-test $TEST $1 $$.$RANDOM"
	echo "$MARK" >/dev/kmsg
}

# Reads the kernel log since the last mark into KLOG.
klog() {
	KLOG_ALL+=$(klogread)$'\n'
	KLOG=${KLOG_ALL##*"$MARK"}
}

# logged REGEX: fails unless a line of the kernel log since the last mark matches
logged() {
	local line

	klog
	# or a line of an earlier part would do
	[[ $KLOG_ALL == *"$MARK"* ]] || fail "the mark is lost in the kernel log"
	while IFS= read -r line; do
		[[ ! $line =~ $1 ]] || return 0
	done <<<"$KLOG"
	fail "the kernel log has no line for /$1/:$KLOG"
}

# Prints a failure if the kernel has complained since the last mark.
scan_log() {
	local line

	klog
	# the whole log at once first, which is fast, but lets ".*" reach over the end of a line
	[[ $KLOG =~ $LOG_BAD ]] || return 0
	while IFS= read -r line; do
		[[ ! $line =~ $LOG_BAD ]] || {
			echo "FAILED: the kernel complained (${BASH_REMATCH[0]}):"
			echo "$KLOG"
			return
		}
	done <<<"$KLOG"
}

read_complaints
