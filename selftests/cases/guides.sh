#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The examples of guides.rst: what is used with a chain, and moving to it from something else.
# Seconds: 120
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/examples.sh
. "$HERE/lib/examples.sh"

use_real_dmsetup

GUIDES=$HERE/../Documentation/guides.rst

# guide TITLE N: runs the examples of a section, of which it has N at least
guide() {
	need cowchain qemu-img
	section "$GUIDES" "$1" >section.rst
	cut_examples section.rst
	rename
	run_examples "$2"
	[ ! -e /dev/mapper/cct-vm1 ] || fail "the device is still there"
}

# The volume group of the examples. There is no udev here that LVM could wait for.
volume_group() {
	need lvm
	need_target snapshot
	need_target thin-pool
	truncate -s 128M pv
	attach pv
	export LVM_SUPPRESS_FD_WARNINGS=1
	vgcreate -q -y cct-vg "${LOOP[pv]}" || fail "no volume group"
}
no_volume_group() { vgremove -q -y cct-vg || fail "the volume group is in use"; }

# libvirt's own schema, of domains as "virsh define" takes them
valid_domain() { xmllint --nonet --noout --relaxng /usr/share/libvirt/schemas/domain.rng "$1" 2>xmllint.err; }

# The domain of the guide is one, with the chain as its disk; with a source that a block device does not have it is none.
domain() {
	[ -e /usr/share/libvirt/schemas/domain.rng ] || skip "needs the schemas of libvirt0"
	section "$GUIDES" "Virtual machine monitors" | sed -n '/^    <domain /,/^    <\/domain>/s/^    //p' >domain.xml
	eq "$(xmllint --nonet --xpath 'string(/domain/devices/disk/source/@dev)' domain.xml)" /dev/mapper/vm1 "disk of the domain"
	valid_domain domain.xml || fail "libvirt does not take the domain: $(<xmllint.err)"
	sed "s/<source dev=/<source name=/" domain.xml >bad.xml
	! valid_domain bad.xml || fail "a domain with a wrong source is valid"
}

it "virtual machine monitors" monitors
monitors() {
	need qemu-system-x86_64 jq xmllint
	domain
	guide "Virtual machine monitors" 2
	# what is only shown
	section "$GUIDES" "Virtual machine monitors" | sed -n '/^    "drives"/,/^    }\]/p' |
		sed '1s/^/{/; $s/$/}/' | jq -e '.drives[0].path_on_host == "/dev/mapper/vm1"' ||
		fail "what is shown for Firecracker is no JSON"
}

it "LVM: a volume as the base, and as the data file" lvm_layers
lvm_layers() {
	volume_group
	guide LVM 1
	no_volume_group
}

it "dm-crypt above a chain" crypt
crypt() {
	need cryptsetup
	need_target crypt
	modprobe -a -q xts aes_generic || true
	guide dm-crypt 1
	# the first layer has the header, the second one nothing yet
	[ "$(qemu-img info --output=json secret2.qcow2 | jq -r '."backing-filename"')" = secret.qcow2 ] ||
		fail "no snapshot was taken"
	keep check secret.qcow2
	keep check secret2.qcow2
}

it "dm-verity below a chain" verity
verity() {
	need veritysetup
	need_target verity
	guide dm-verity 1
	# a block that has changed is an error, in the chain as well
	head -c 512 /dev/zero | dd of=golden.raw bs=512 seek=9000 conv=notrunc status=none
	veritysetup open golden.raw cct-vm1-golden golden.hash "$(sed -n 's/^Root hash:[[:space:]]*//p' golden.txt)"
	cowchain attach cct-vm1 cct-vm1.qcow2 --allow-dir /dev/mapper
	cmp -n 4M golden.raw /dev/mapper/cct-vm1
	! dd if=/dev/mapper/cct-vm1 bs=1M skip=4 count=1 iflag=direct of=bad status=none 2>dd.err ||
		fail "a changed block was read"
	grep -q "Input/output error" dd.err || fail "$(<dd.err)"
	cowchain detach cct-vm1
	veritysetup close cct-vm1-golden
}

it "overlays that QEMU manages" overlays
overlays() {
	need qemu-io
	guide "From overlays that QEMU manages" 3
	keep check disk.top
	qemu-img convert -O raw disk.snap1 model.raw
	keep compare disk.top model.raw
}

it "dm-snapshot" snapshots
snapshots() {
	volume_group
	guide "From dm-snapshot (LVM snapshots)" 1
	no_volume_group
	keep check data.qcow2
}

it "dm-thin" thin
thin() {
	volume_group
	guide "From dm-thin" 1
	# here, since its base is gone afterwards
	qemu-img check -q thin2.qcow2 || fail "the new top is damaged"
	no_volume_group
}

run_cases
