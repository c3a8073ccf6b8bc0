# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Layers whose I/O can be made to fail by number: the module dm-cct-fault.

# Skips the case without the module.
need_faults() {
	local module=$HERE/../build/fault-${DM_COWCHAIN_KERNEL:-none}/dm-cct-fault.ko

	modprobe -q dm-cct-fault 2>/dev/null || [ ! -e "$module" ] ||
		[ -e /sys/module/dm_cct_fault ] || insmod "$module"
	[ -w /sys/module/dm_cct_fault/parameters/plan ] || skip "needs the module dm-cct-fault"
}

# faulty DIRECTORY: copies its images, and puts each below a device cct-fN whose I/O can be made to fail
faulty() {
	local i f files=(a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2)

	need_faults
	use "$1"
	[ "$1" = faults ] || files+=(d.data e.data)
	attach "${files[@]}"
	for ((i = 0; i < ${#files[@]}; i++)); do
		f=${files[i]}
		dmsetup create "cct-f$i" --table "0 $(sectors "$f") cct-fault ${LOOP[$f]} $i"
	done
}
