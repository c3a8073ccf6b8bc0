#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A Debian guest whose root disk is a chain: all live operations are done while it works. Runs inside the VM;
# chain-host.sh makes the layers before, and checks them afterwards.

COWCHAIN_TMP=/run/layers
mkdir -p "$COWCHAIN_TMP"
# shellcheck source=selftests/vmm/lib.sh
. "$(dirname "$0")/lib.sh"
: "${CHAIN_SECTORS:?}"
SECTORS=$CHAIN_SECTORS

modprobe ext4
mount /dev/vda "$COWCHAIN_TMP" || { echo "Bail out! no disk with the layers"; exit 1; }

# Replaces that of the library: the layers have to be on the disk when the machine ends.
test_cleanup() {
	cd /
	exec {RESULT}>&-	# is on that disk
	rm -rf "$WORK"
	umount "$COWCHAIN_TMP"
}

# The layers stay in the top directory of the disk, where chain-host.sh finds them.
attach_layers() {
	T=$COWCHAIN_TMP attach "$@"
}

detach_layers() {
	T=$COWCHAIN_TMP detach "$@"
}

# Prints how many rounds the guest has finished so far.
rounds() {
	grep -a -o 'guest: round [0-9]*' "$T/console" | tail -n 1 | grep -o '[0-9]*$' || echo 0
}

# After an operation, waits until the guest has written and checked in two rounds that began later.
works_on() {
	wait_said "round $(($(rounds) + 3))" 120
}

# Prints how many kilobytes a layer takes on the disk.
size_of() {
	stat -c '%b' "$COWCHAIN_TMP/$1" | awk '{ print int($1 / 2) }'
}

it "snapshot, stream with base, copy and trim under a working guest" live
live() {
	local before after started

	attach_layers ro:a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	words a.raw b.qcow2
	TABLE="0 $SECTORS cowchain 0 2 $WORDS"
	create cct-root
	guest_part <"$HERE/vmm/guest-to-debian"
	APPEND=stomp=run launch_bg --disk /dev/mapper/cct-root
	wait_said 'Debian 12' 120
	wait_said 'round 2' 120

	note "snapshots: [A] -> [B] -> [C] -> [D]"
	msg cct-root snapshot qcow2 "${LOOP[c.qcow2]}" -
	works_on
	msg cct-root snapshot qcow2 "${LOOP[d.qcow2]}" -
	works_on
	chain_is cct-root a.raw b.qcow2 c.qcow2 d.qcow2

	note "stream with base: [A] -> [D]"
	started=$(rounds)
	msg cct-root base 0
	msg cct-root stream backing-file a.raw raw
	job_done cct-root
	note "the guest did $(($(rounds) - started)) rounds meanwhile"
	chain_is cct-root a.raw d.qcow2
	works_on

	note "copy to a new path: [E]"
	msg cct-root snapshot qcow2 "${LOOP[e.qcow2]}" -
	msg cct-root base none
	msg cct-root stream
	job_done cct-root
	chain_is cct-root e.qcow2
	works_on

	note "trim"
	before=$(size_of e.qcow2)
	tell drop
	wait_said trimmed 120
	works_on
	after=$(size_of e.qcow2)
	note "e.qcow2: $before KiB, then $after KiB"
	[ $((before - after)) -gt $((20 * 1024)) ] || fail "trim freed too little: $before, $after"

	tell stop
	finish poweroff
	said 'all as written'
	said 'status 0'
	remove cct-root
	detach_layers a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
}

it "attached again, the file system is clean and has the pattern" again
again() {
	attach_layers e.qcow2
	words e.qcow2
	TABLE="0 $SECTORS cowchain 0 1 $WORDS"
	create cct-root
	e2fsck -fn /dev/mapper/cct-root || fail "the file system is not clean"
	mkdir "$T/mnt"
	mount -o ro /dev/mapper/cct-root "$T/mnt"
	"$HERE/vmm/stomp" verify "$T/mnt/stomp"
	umount "$T/mnt"
	remove cct-root
	detach_layers e.qcow2
}

it "errors of the top reach the guest, and launcher and chain continue" top_fails
# shellcheck disable=SC2034	# TABLE is for create
top_fails() {
	attach_layers ro:a.raw f.qcow2
	T=$COWCHAIN_TMP over f.qcow2 "0 $(T=$COWCHAIN_TMP sectors f.qcow2) linear @ 0"
	words a.raw f.qcow2
	TABLE="0 $SECTORS cowchain 0 2 $WORDS"
	create cct-root
	guest_part <<-'EOF'
		dd if=/dev/zero of=/dev/vda bs=64k seek=4096 count=4 oflag=direct 2>/dev/null &&
			echo "guest: good"
		read -r line
		dd if=/dev/zero of=/dev/vda bs=64k seek=5000 count=4 oflag=direct ||
			echo "guest: write error"
		dd if=/dev/vda of=/dev/null bs=64k skip=100 count=4 iflag=direct 2>/dev/null &&
			echo "guest: the base still reads"
	EOF
	launch_bg --disk /dev/mapper/cct-root
	wait_said good 120
	change f.qcow2 "0 $(T=$COWCHAIN_TMP sectors f.qcow2) error"
	tell go on
	finish poweroff
	said 'write error'
	said 'the base still reads'
	status cct-root
	note "the chain's mode: $S_MODE"
	remove cct-root
	remove cct-over-f-qcow2
	LOOP[f.qcow2]=${UNDER[f.qcow2]}
	detach_layers a.raw f.qcow2
}

run_cases
