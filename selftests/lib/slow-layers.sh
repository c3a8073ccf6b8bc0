# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A chain with one layer whose device can be changed: slow, failing, and as it was.

# changeable FILE: the chain of most tests, with FILE on a device that can be changed
changeable() {
	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
	over "$1" "0 $(sectors "$1") linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
}

# repair FILE
repair() { change "$1" "0 $(sectors "$1") linear @ 0"; }

# slow FILE: I/O to it ends only when its device is changed again
slow() {
	need_target delay
	change "$1" "0 $(sectors "$1") delay @ 0 100000"
}

# waiting N: are at least so many I/Os of the guest in flight?
waiting() { [ "$(dm_stat cct 8)" -ge "$1" ]; }
