#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The command line where no KVM is needed: exit statuses and messages.
set -u
: "${COWCHAIN_VM:?the program to test}"

n=0
failed=0

# expect STATUS REGEX WHAT ARG...
expect() {
	local want=$1 regex=$2 what=$3 out rc=0

	shift 3
	n=$((n + 1))
	out=$("$COWCHAIN_VM" "$@" 2>&1 </dev/null) || rc=$?
	if [ "$rc" = "$want" ] && [[ $out =~ $regex ]]; then
		echo "ok $n - $what"
	else
		echo "# status $rc, expected $want; output: ${out:0:300}"
		echo "not ok $n - $what"
		failed=1
	fi
}

disks=()
for i in 1 2 3 4 5 6 7 8 9; do
	disks+=(--disk "d$i")
done

dir=$(mktemp -d /tmp/cowchain-vm-cli-XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
# config LINE...: a file with these options
config() { printf '%s\n' "$@" >"$dir/vm"; }

echo 1..25
expect 0 '^Usage: cowchain-vm' 'help' --help
expect 0 '^cowchain-vm ' 'version' --version
expect 2 'kernel is needed' 'no kernel'
expect 2 'Try ' 'unknown option' --kernel k --frobnicate
expect 2 "unexpected argument 'x'" 'stray argument' --kernel k x
expect 2 'from 32 to' 'too little memory' --kernel k --memory 8
expect 2 'from 1 to 16' 'no processors' --kernel k --cpus 0
expect 2 'from 1 to 16' 'not a number' --kernel k --cpus 2x
expect 2 'from 1 to' 'negative' --kernel k --timeout -3
expect 2 'stdio or file' 'no such console' --kernel k --console vga
expect 2 "'nosuchuser' is none" 'no such user' --kernel k --user nosuchuser
expect 2 "'0' is none" 'root as the user' --kernel k --user 0
expect 2 "'1:4294967295' is none" 'no group at all' --kernel k --user 1:4294967295
expect 2 'at most 8' 'too many disks' --kernel k "${disks[@]}"
expect 1 'cannot open /nonexistent/log' 'a console file that cannot be' \
	--kernel k --console file:/nonexistent/log
config '# a comment' '' '  memory	64' 'append a=b c=d' 'kernel /nonexistent/kernel ' 'no-reboot'
expect 1 '/nonexistent/kernel: No such' 'options in a file' --config "$dir/vm"
expect 1 '/nonexistent/other: No such' 'what comes later counts' --config "$dir/vm" --kernel /nonexistent/other
config 'kernel k' 'memory 8'
expect 2 "from 32 to .*this is in $dir/vm, line 2" 'a wrong value names its line' --config "$dir/vm"
echo 'kernel k' >"$dir/good"
expect 2 "^cowchain-vm: unexpected argument 'x'.Try" 'but not what comes after the file' --config "$dir/good" x
config 'kernel k' 'frobnicate 1'
expect 2 "no such option: 'frobnicate'.*line 2" 'an unknown option in a file' --config "$dir/vm"
config '--kernel k'
expect 2 "no such option: '--kernel'.*line 1" 'dashes in a file' --config "$dir/vm"
config "config $dir/vm"
expect 2 "no such option: 'config'.*line 1" 'a file names no other one' --config "$dir/vm"
config 'kernel'
expect 2 "'kernel' needs a value.*line 1" 'a value is missing' --config "$dir/vm"
config 'no-reboot yes'
expect 2 "'no-reboot' takes no value.*line 1" 'a value too many' --config "$dir/vm"
expect 1 "cannot read $dir/none: No such file" 'no file' --config "$dir/none"
exit $failed
