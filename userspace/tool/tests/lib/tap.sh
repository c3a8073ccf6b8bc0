# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What these tests share: TAP, and an empty directory that is removed afterwards. Source it with a path that is
# absolute or below the directory where the test was started; it goes to its own.

dir=$(mktemp -d /tmp/cowchain-test-XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0
failed=0

# result STATUS TEXT: of a step that has written "out", which is shown if it failed
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		echo "not ok $n - $2"
		sed 's/^/# /' out
	fi
}

# check TEXT COMMAND...: the command succeeds
check() {
	"${@:2}" >out 2>&1
	result $? "$1"
}

# shell TEXT LINE WORD...: the line of shell does, with these words
shell() { check "$1" bash -o pipefail -c "$2" shell "${@:3}"; }

# The last line of a test.
finish() {
	echo "1..$n"
	exit "$failed"
}
