# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests share. A test sources this, names its cases with "it", and calls run_cases.
#
# Every case runs in a subshell of its own, with set -e, in an empty directory $T. Mapped devices, loop
# devices and processes that it leaves behind are removed, and the kernel log is searched for complaints
# after each case. Starting a process takes long in an emulated machine, so the tools do many things in
# one call wherever possible.
#
# Environment of all tests; what a test reads in addition stands at its head:
#	REQUIRE_ALL=1	a case that cannot run is a failure
#	FIXTURES	images made by make-fixtures; they are made now if they are not there
#	EXPORT		directory for layers and models that qemu-img judges later, beside that of the
#			fixtures; by default they are judged at the end of each test
#	CASES		regular expression: run only the cases whose function it matches
#	QUICK=1		run only those that "# Quick:" in the test's head matches
#	COWCHAIN_TMP	where the layers live, preferably a tmpfs
#	CASE_TIMES=1	a comment before each result says how long the case has taken
#	CASE_TIMEOUT	seconds until a case counts as hanging

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TEST=${0##*/}
TEST=${TEST%.sh}
: "${COWCHAIN_BIN:=$HERE/../build/selftests}"
PATH=$HERE:$COWCHAIN_BIN:$HERE/../build/userspace:$PATH
export DM_DISABLE_UDEV=1 LC_ALL=C

: "${REQUIRE_ALL:=0}" "${CASE_TIMEOUT:=300}" "${COWCHAIN_TMP:=/dev/shm}"
: "${FIXTURES:=$HERE/../build/fixtures}"

# The helpers and the commonest programs as commands of this shell; without them, or in a shell that
# cannot load them, the programs do the same.
enable -f "$COWCHAIN_BIN/builtins.so" cowio dedupe dmsetup klogread mkdir mkloop mv qcow2poke rm \
	sleep 2>/dev/null || true

# For tests of what dmsetup itself does.
use_real_dmsetup() { enable -n dmsetup 2>/dev/null || true; }

# shellcheck source=selftests/lib/results.sh
. "$HERE/lib/results.sh"
# shellcheck source=selftests/lib/kernel-log.sh
. "$HERE/lib/kernel-log.sh"
# shellcheck source=selftests/lib/harness.sh
. "$HERE/lib/harness.sh"
# shellcheck source=selftests/lib/chains.sh
. "$HERE/lib/chains.sh"
# shellcheck source=selftests/lib/target.sh
. "$HERE/lib/target.sh"
# shellcheck source=selftests/lib/contents.sh
. "$HERE/lib/contents.sh"
