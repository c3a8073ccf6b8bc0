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

# waiting N: do at least so many processes wait for I/O? (An I/O that waits for a worker is not among those that
# the statistics of the mapped device show as in flight.)
waiting() {
	local line n=0 stat

	for stat in /proc/[0-9]*/stat; do
		read -r line 2>/dev/null <"$stat" || continue
		line=${line##*) }
		# no kernel threads, whose parent is process 2
		[[ $line != "D "* || $line == "D 2 "* ]] || n=$((n + 1))
	done 2>/dev/null
	[ $n -ge "$1" ]
}
