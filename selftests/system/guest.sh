#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Guests that are run by cowchain-vm@.service, with nested KVM. Environment:
#	GUEST_KERNEL	a bzImage
#	GUEST_INITRD	what selftests/vmm/make-initrd made for it

# shellcheck source=selftests/system/lib.sh
. "$(dirname "$0")/lib.sh"

: "${GUEST_KERNEL:?}" "${GUEST_INITRD:?}"

state() { systemctl show --property="$2" --value "$1"; }
console() { journalctl --boot --output=cat --unit="cowchain-vm@$1.service"; }

# The guest writes to its disk, and powers off when its power button is pressed.
initrd() {
	mkdir part
	cat >part/guest <<-'END'
		exec 3</dev/input/event0
		echo "written by the guest" | dd of=/dev/vda bs=512 seek=2048 conv=sync,fsync 2>/dev/null
		echo "guest: size $(cat /sys/block/vda/size)"
		echo "guest: ready"
		head -c 24 <&3 >/dev/null && echo "guest: button"
		echo "written at the end" | dd of=/dev/vda bs=512 seek=4096 conv=sync,fsync 2>/dev/null
	END
	cp "$GUEST_INITRD" initrd
	(cd part && echo guest | cpio --quiet -o -H newc -R 0:0) >>initrd
}

wait_console() {
	local i

	for ((i = 0; i < 600; i++)); do
		[[ $(console "$1") != *"$2"* ]] || return 0
		[ "$(state "cowchain-vm@$1.service" ActiveState)" = active ] || break
		sleep 0.5
	done
	console "$1"
	fail "'$2' is not on the console of $1"
}

it "a unit runs a guest on its chain, and stops both in order" runs
runs() {
	modprobe -q kvm_amd || modprobe -q kvm_intel || true
	[ -c /dev/kvm ] || skip "needs /dev/kvm"
	initrd
	truncate -s 64M base.raw
	cowchain create top.qcow2 --backing base.raw --format raw
	echo "cctweb $T/top.qcow2 noauto" >/etc/cowchaintab
	mkdir -p /etc/cowchain/vm
	printf '%s\n' "# a guest" "kernel $GUEST_KERNEL" "initrd $T/initrd" "append quiet panic_on_oops=1" "memory 192" \
		'disk /dev/mapper/cctweb,serial=first' >/etc/cowchain/vm/cctweb
	systemctl daemon-reload
	systemctl start cowchain-vm@cctweb.service
	eq "$(state cowchain@cctweb.service ActiveState)" active "the chain's unit"
	wait_console cctweb 'guest: ready'
	wait_console cctweb 'guest: size 131072'
	systemctl reload cowchain-vm@cctweb.service
	eq "$(state cowchain-vm@cctweb.service ActiveState)" active "the guest after the signal"
	# the chain is not taken away from the guest
	systemctl stop cowchain-vm@cctweb.service cowchain@cctweb.service
	wait_console cctweb 'guest: button'
	wait_console cctweb 'guest: status 0'
	eq "$(state cowchain-vm@cctweb.service Result)" success "result of the guest"
	eq "$(state cowchain@cctweb.service Result)" success "result of the chain"
	[ ! -e /dev/mapper/cctweb ] || fail "the chain is attached"
	systemctl start cowchain@cctweb.service
	eq "$(dd if=/dev/mapper/cctweb bs=512 skip=2048 count=1 status=none | tr -d '\0 ')" writtenbytheguest "the disk"
	eq "$(dd if=/dev/mapper/cctweb bs=512 skip=4096 count=1 status=none | tr -d '\0 ')" writtenattheend "the disk"
	systemctl stop cowchain@cctweb.service
	nothing_left
}

it "a guest without a configuration is refused" no_configuration
no_configuration() {
	local rc=0

	systemctl start cowchain-vm@cctnone.service 2>said || rc=$?
	[ $rc -ne 0 ] || fail "it was started"
	matches "$(<said)" 'ssertion' "what systemctl said"
}

it "a wrong line of a configuration is named in the journal" wrong_configuration
wrong_configuration() {
	mkdir -p /etc/cowchain/vm
	printf '%s\n' 'kernel /boot/vmlinuz' 'memory much' >/etc/cowchain/vm/cctwrong
	systemctl start cowchain-vm@cctwrong.service || true
	wait_for 30 stopped cctwrong
	matches "$(console cctwrong)" '/etc/cowchain/vm/cctwrong, line 2' "what the launcher said"
	eq "$(state cowchain-vm@cctwrong.service ExecMainStatus)" 2 "status of the launcher"
}
stopped() { [ "$(state "cowchain-vm@$1.service" ActiveState)" = failed ]; }

run_cases
