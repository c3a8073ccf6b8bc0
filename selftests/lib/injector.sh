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
	local i f files=(a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2 f.qcow2)

	need_faults
	use faults e.qcow2
	mv e.qcow2 f.qcow2
	qcow2poke f.qcow2 backing e.qcow2 qcow2
	use "$1"
	[ "$1" != faults-ext ] || files+=(d.data e.data)
	attach "${files[@]}"
	for ((i = 0; i < ${#files[@]}; i++)); do
		f=${files[i]}
		dmsetup create "cct-f$i" --table "0 $(sectors "$f") cct-fault ${LOOP[$f]} $i"
	done
}

# Which I/O fails: a mask of devices (1 a.raw, 2 b, 4 c, 8 d, 16 e), a mask of operations (2 writes, 4 flushes), the
# first of them, how many, the errno, and 1 if it is done all the same.
# shellcheck disable=SC2034	# for the tests
PLAN=/sys/module/dm_cct_fault/parameters/plan

# chain_with TOP: a, b and c on devices that fail by PLAN, and a device of d, as cct
# shellcheck disable=SC2034	# for the tests
chain_with() {
	TABLE="0 $(sectors model.raw) cowchain 0 4 raw /dev/mapper/cct-f0 - qcow2 /dev/mapper/cct-f1 -"
	TABLE+=" qcow2 /dev/mapper/cct-f2 - qcow2 $1 -"
	create cct
	DEV=/dev/mapper/cct
}

# a, b, c and d on devices that fail by PLAN
faulty_chain() {
	faulty faults
	chain_with /dev/mapper/cct-f3
}

# Mounts debugfs; succeeds if the kernel can make allocations fail by call chain.
has_failslab() {
	grep -q debugfs /proc/mounts || mount -t debugfs none /sys/kernel/debug
	[ -e /sys/kernel/debug/failslab/require-start ] &&
		[ -e /sys/kernel/debug/fail_page_alloc/require-start ]
}

# module_text: sets TEXT_FIRST and TEXT_LAST to the addresses of the module's first and last function
module_text() {
	local what

	{
		read -r TEXT_FIRST _
		while read -r what _; do
			TEXT_LAST=$what
		done
	} < <(grep -i ' t .*\[dm_cowchain\]' /proc/kallsyms | sort)
}

# no_pages: from here on every allocation of pages fails that may sleep and comes from a function of the
# module, in any task, until some_pages
no_pages() {
	local at=/sys/kernel/debug/fail_page_alloc what

	has_failslab || skip "needs fail_page_alloc with a stack filter"
	module_text
	for what in times:0 probability:100 interval:1 space:0 min-order:0 verbose:0 task-filter:N \
		ignore-gfp-wait:N ignore-gfp-highmem:N stacktrace-depth:32 \
		require-start:"0x$TEXT_FIRST" require-end:"0x$TEXT_LAST" times:-1; do
		echo "${what#*:}" >"$at/${what%%:*}"
	done
}

some_pages() { echo 0 >/sys/kernel/debug/fail_page_alloc/times; }
