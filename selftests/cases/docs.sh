#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The examples of the documentation work as they are, and print what it shows.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/examples.sh
. "$HERE/lib/examples.sh"

use_real_dmsetup

it "dm-cowchain.rst, with dmsetup" rst
rst() {
	need qemu-img losetup
	cut_examples "$HERE/../Documentation/dm-cowchain.rst"
	rename
	run_examples 10
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
