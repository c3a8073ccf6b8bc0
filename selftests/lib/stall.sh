# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Tasks that are held up: one that waits inside the kernel until the test lets it continue (the module cct-stall),
# and all of them, as when the machine goes to sleep.

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

# in_kernel PID FUNCTION: does the process wait in this function, or in one that this has called?
in_kernel() { [[ $(cat "/proc/$1/stack") == *$2* ]]; }

# ended PID
ended() { ! kill -0 "$1" 2>/dev/null; }

# ---- all tasks ----

need_freeze() { [ -e /sys/power/pm_test ] || skip "needs CONFIG_PM_SLEEP_DEBUG"; }

# Freezes all processes for a moment.
freeze_all() {
	echo 1 >/sys/module/suspend/parameters/pm_test_delay
	echo freezer >/sys/power/pm_test
	echo freeze >/sys/power/state || fail "the machine cannot sleep"
	echo none >/sys/power/pm_test
}
