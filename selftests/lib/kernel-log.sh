# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The kernel log: what a case expects in it, and what must not be in it.

# Reports that make a case fail, whichever part of the kernel they come from.
LOG_BAD='BUG:|WARNING:|Oops|general protection fault|[Uu]nable to handle|K[AC]SAN:|UBSAN:|KFENCE:'
LOG_BAD+='|possible (circular|recursive|irq lock inversion)|inconsistent lock state|held lock freed'
LOG_BAD+='|suspicious RCU usage|bad unlock balance|lock held when returning|scheduling while atomic'
LOG_BAD+='|sleeping function called|refcount_t:|list_(add|del) corruption|unreferenced object'
LOG_BAD+='|trying to register non-static key|turning off the locking|kmemleak:.*(disabled|Cannot)'
LOG_BAD+='|blocked for more than|soft lockup|self-detected stall|workqueue lockup|ODEBUG:'

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
	while IFS= read -r line; do
		[[ ! $line =~ $1 ]] || return 0
	done <<<"$KLOG"
	fail "the kernel log has no line for /$1/:$KLOG"
}

# Prints a failure if the kernel has complained since the last mark.
scan_log() {
	klog
	[[ ! $KLOG =~ ($LOG_BAD) ]] || {
		echo "FAILED: the kernel complained (${BASH_REMATCH[1]}):"
		echo "$KLOG"
	}
}
