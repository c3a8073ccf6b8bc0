# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests in a whole Debian share (scripts/vm/run --root): they use what its packages have installed, with udev.

# The tool that is installed comes first.
path=$PATH
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lib.sh"
PATH=$path:$PATH
unset DM_DISABLE_UDEV
use_real_dmsetup

# Replaces that of the library: these tests make their own images.
prepare() {
	[ "$EUID" = 0 ] || { echo "1..0 # SKIP needs root"; exit "$REQUIRE_ALL"; }
	[ -S /run/udev/control ] || { echo "1..0 # SKIP needs udev"; exit "$REQUIRE_ALL"; }
	echo on >/proc/sys/kernel/printk_devkmsg
	WORK=$(mktemp -d "/var/tmp/cowchain-$TEST.XXXXXX")
	trap test_cleanup EXIT
	EXPORT=$WORK/export
	mkdir "$EXPORT"
	mkfifo "$WORK/result"
	# shellcheck disable=SC2034	# for run_case
	exec {RESULT}<>"$WORK/result" {REPORT}>&1
	exec 9</dev/kmsg
	klogread -s
}

# nothing_left: no loop device of this case, no link, and no cookie of udev
nothing_left() {
	udevadm settle
	eq "$(losetup --list --noheadings --output BACK-FILE | grep -F "$T/" || true)" '' "loop devices"
	eq "$(find /dev/mapper -mindepth 1 ! -name control)" '' "nodes"
	matches "$(dmsetup udevcookies)" '^(Cookie[^'$'\n'']*)?$' "cookies"
}
