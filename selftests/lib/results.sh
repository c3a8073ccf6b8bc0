# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What a case calls to report a failure, to skip, and to compare and wait.

EXIT_SKIP=4

declare -A ERRNO_TEXT=(
	[EINVAL]='Invalid argument' [EBUSY]='Device or resource busy' [EROFS]='Read-only file system'
	[ENOENT]='No such file or directory' [ENODEV]='No such device' [ENOTBLK]='Block device required'
	[ENXIO]='No such device or address' [EFBIG]='File too large' [EMEDIUMTYPE]='Wrong medium type'
	[EOPNOTSUPP]='Operation not supported' [EIO]='Input/output error' [E2BIG]='Argument list too long'
	[ENOSPC]='No space left on device' [ERANGE]='Numerical result out of range'
	[ENAMETOOLONG]='File name too long' [ENOTEMPTY]='Directory not empty'
	[EACCES]='Permission denied' [EPERM]='Operation not permitted' [ENOMEM]='Cannot allocate memory'
	[EINTR]='Interrupted system call'
	[ESTALE]='Stale file handle' [EOVERFLOW]='Value too large for defined data type' [EAGAIN]='Resource temporarily unavailable'
)

note() { echo "$*"; }

# fail TEXT...: ends the case and names the lines of the test that led here
fail() {
	local i

	echo "FAILED: $*"
	for ((i = 1; i < ${#FUNCNAME[@]} - 1; i++)); do
		[[ ${BASH_SOURCE[i]} == "$HERE/lib/"* ]] ||
			echo "  at ${BASH_SOURCE[i]##*/}:${BASH_LINENO[i - 1]}"
	done
	exit 1
}

# skip TEXT...: ends the case; with REQUIRE_ALL=1 that is a failure
skip() {
	echo "$*" >"$WORK/skip"
	exit $EXIT_SKIP
}

# eq GOT WANT WHAT
eq() { [ "$1" = "$2" ] || fail "$3: got '$1', expected '$2'"; }

# matches TEXT REGEX WHAT
matches() { [[ $1 =~ $2 ]] || fail "$3: got '$1', expected /$2/"; }

# need COMMAND...: skips the case without them
need() {
	local cmd

	for cmd; do
		command -v "$cmd" >/dev/null || skip "needs $cmd"
	done
}

# need_target NAME: skips the case without the device-mapper target NAME
need_target() {
	modprobe -q "dm-$1" 2>/dev/null || true
	dmsetup targets | grep -q "^$1 " || skip "needs the $1 target"
}

# expect_errno ERRNO[|ERRNO...] OUTPUT WHAT: OUTPUT of a command names one of these errors
expect_errno() {
	local e text=

	for e in ${1//|/ }; do
		text+=${text:+|}${ERRNO_TEXT[$e]:?unknown errno $e}
	done
	[[ $2 =~ ($text) ]] || fail "$3: got '$2', expected $1"
}

# wait_for SECONDS COMMAND...: repeats the command until it succeeds; fails after SECONDS
wait_for() {
	local until=$((SECONDS + $1))

	shift
	until "$@"; do
		[ $SECONDS -lt $until ] || fail "not within the time: $*"
		sleep 0.1
	done
}
