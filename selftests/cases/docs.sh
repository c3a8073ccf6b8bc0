#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The examples of the documentation work as they are, and print what it shows.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

use_real_dmsetup

# Cuts FILE into example.N and output.N. In reStructuredText an example is the literal block after
# a comment ".. example:", in Markdown the fenced block after "<!-- example -->"; its output is
# in a block after "output".
cut_examples() {
	awk '
		/^(\.\. |<!-- )(example|output)/ {
			what = /example/ ? "example" : "output"
			if (what == "example")
				n++
			next
		}
		!what { next }
		/^```/ { if (fence) what = ""; fence = !fence; next }
		/^::$/ { next }
		fence { print > (what "." n); next }
		/^    / { print substr($0, 5) > (what "." n); next }
		/^$/ { next }
		{ what = "" }
	' "$1"
}

# Replaces names of devices, so that the cleanup finds them, and numbers of loop devices, so that the
# output can be compared.
rename() {
	local f

	for f in example.* output.*; do
		[ ! -e "$f" ] || sed -i -E 's/\bvm1\b/cct-vm1/g; s/\bvm-(root|data|\$)/cct-vm-\1/g' "$f"
	done
}
numbers() { sed -E 's/\b7:[0-9]+/7:N/g' "$1"; }

# Each block continues where the last one ended, in the same shell and directory.
run_examples() {
	local n

	for ((n = 1; ; n++)); do
		[ -e "example.$n" ] || break
		note "example $n: $(head -n 1 "example.$n")"
		# shellcheck disable=SC1090	# made above
		. "./example.$n" >"printed.$n"
		[ -e "output.$n" ] || continue
		diff -u -b -B "output.$n" <(numbers "printed.$n") ||
			fail "example $n prints something else"
	done
	[ "$n" -gt "$1" ] || fail "only $((n - 1)) examples found"
}

it "dm-cowchain.rst, with dmsetup" rst
rst() {
	need qemu-img losetup
	cut_examples "$HERE/../Documentation/dm-cowchain.rst"
	rename
	run_examples 9
}

it "README.md, with the tool" readme
readme() {
	need cowchain qemu-img
	head -c 64M /dev/urandom >a.raw
	cut_examples "$HERE/../README.md"
	rename
	run_examples 2
	[ ! -e /dev/mapper/cct-vm1 ] || fail "the device is still there"
	# a complete copy of a disk that was not written
	keep check new.qcow2
	keep compare new.qcow2 a.raw
}

it "backup.rst: full and incremental backups" backup
backup() {
	need cowchain qemu-img blkdiscard
	cut_examples "$HERE/../Documentation/backup.rst"
	rename
	run_examples 6
	wait_for 30 no_devices
	keep check inc1.qcow2
	keep compare inc1.qcow2 restored.raw
}
no_devices() { [ -z "$(mkloop -l "$T")" ]; }

run_cases
