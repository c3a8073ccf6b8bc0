# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A task that waits inside the kernel until the test lets it continue: the module cct-stall.

STALL=/sys/module/cct_stall/parameters/at

# Skips the case without the module, and ends it if the kernel has no kprobes, which the debug kernels do not.
need_stall() {
	local module=$HERE/../build/fault-${DM_COWCHAIN_KERNEL:-none}/cct-stall.ko

	if ! grep -q ' register_kprobe$' /proc/kallsyms; then
		note "this kernel has no kprobes: nothing is tested"
		exit 0
	fi
	[ -e "$STALL" ] || [ ! -e "$module" ] || insmod "$module"
	[ -w "$STALL" ] || skip "needs the module cct-stall"
}

# stall_at FUNCTION: the next task that calls it waits there, until stall_end
stall_at() { echo "$1" >"$STALL"; }
stall_end() { echo - >"$STALL"; }

# Does a task wait?
stalled() { [ "$(<"$STALL")" -gt 0 ]; }
