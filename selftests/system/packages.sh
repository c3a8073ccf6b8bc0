#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The life of the packages on a Debian where they are installed, in this order: used, upgraded while a chain is in use,
# and purged, after which nothing is left. Cases follow one another. Environment:
#	NEW_DEBS	a directory with packages of a newer version

# shellcheck source=selftests/system/lib.sh
. "$(dirname "$0")/lib.sh"

: "${NEW_DEBS:?}"

it "the module was built for each kernel, and is signed" built
built() {
	local dir kernel n=0

	for dir in /lib/modules/*/; do
		kernel=$(basename "$dir")
		[ -e "$dir/build" ] || continue
		modinfo -k "$kernel" -n dm-cowchain
		eq "$(modinfo -k "$kernel" -F signer dm-cowchain)" "DKMS module signing key" "signer for $kernel"
		[[ $(dkms status dm-cowchain) == *", $kernel, x86_64: installed"* ]] || fail "dkms: $(dkms status)"
		n=$((n + 1))
	done
	[ $n -ge 1 ] || fail "no kernels"
}

it "device-mapper loads the module when it is asked for the target" by_name
by_name() {
	[ ! -e /sys/module/dm_cowchain ] || modprobe -r dm-cowchain
	! dmsetup create cct --table '0 8 cowchain' || fail "a table without layers"
	[ -e /sys/module/dm_cowchain ] || fail "the module was not loaded"
	# also when the tool is the first to ask
	modprobe -r dm-cowchain
	truncate -s 16M base.raw
	cowchain create top.qcow2 --backing base.raw --format raw
	cowchain attach cct top.qcow2
	cowchain detach cct
	nothing_left
}

it "the tests of the package pass" autopkgtest
autopkgtest() {
	"$HERE/../scripts/deb/debian/tests/use"
	nothing_left
	"$HERE/../scripts/deb/debian/tests/units"
	nothing_left
}

it "bash finds the completion, and there are others" completion
completion() {
	# shellcheck disable=SC2016	# the inner shell expands
	bash -c '. /usr/share/bash-completion/bash_completion
		_completion_loader cowchain
		COMP_WORDS=(cowchain str) COMP_CWORD=1
		_cowchain && echo "${COMPREPLY[*]}"' >completed
	eq "$(<completed)" stream "completion"
	[ -e /usr/share/zsh/vendor-completions/_cowchain ] || fail "no completion for zsh"
	[ -e /usr/share/fish/vendor_completions.d/cowchain.fish ] || fail "no completion for fish"
	[ -e /usr/share/man/man8/cowchain.8.gz ] || fail "no manual page"
	[ -e /usr/share/man/man1/cowchain-vm.1.gz ] || fail "no manual page of the launcher"
}

# Makes a chain with a file system and mounts it on $T/mnt.
mounted_chain() {
	truncate -s 64M base.raw
	mkfs.ext4 -q base.raw
	cowchain create top.qcow2 --backing base.raw --format raw
	cowchain attach cct top.qcow2
	mkdir mnt
	mount /dev/mapper/cct mnt
	head -c 4M /dev/urandom >mnt/file
	sync
	sum=$(sha256sum <mnt/file)
	echo 3 >/proc/sys/vm/drop_caches
}

it "an upgrade does not disturb a chain" upgrade
upgrade() {
	local old new

	old=$(dpkg-query -W -f '${Version}' dm-cowchain-dkms)
	mounted_chain
	DEBIAN_FRONTEND=noninteractive dpkg -i "$NEW_DEBS"/cowchain_*.deb "$NEW_DEBS"/dm-cowchain-dkms_*.deb </dev/null
	new=$(dpkg-query -W -f '${Version}' dm-cowchain-dkms)
	dpkg --compare-versions "$new" gt "$old" || fail "$new is not newer than $old"
	eq "$(sha256sum <mnt/file)" "$sum" "the file"
	# the new tool, and the module that was loaded before
	[[ $(cowchain --version) == *"$new"* ]] || fail "version of the tool: $(cowchain --version)"
	cowchain snapshot cct new.qcow2
	echo more >mnt/more
	cowchain stream cct --base base.raw --wait
	eq "$(sha256sum <mnt/file)" "$sum" "the file after the stream"
	umount mnt
	cowchain detach cct
	nothing_left
	[[ $(dkms status dm-cowchain) != *"$old"* ]] || fail "the old sources are left: $(dkms status)"
	[[ $(dkms status dm-cowchain) == *"$new, $(uname -r), x86_64: installed"* ]] || fail "dkms: $(dkms status)"
	modprobe -r dm-cowchain
	cowchain attach cct new.qcow2
	mount /dev/mapper/cct mnt
	eq "$(sha256sum <mnt/file)" "$sum" "the file with the new module"
	umount mnt
	cowchain detach cct
	nothing_left
}

it "a purge leaves chains in use alone, and nothing else" purge
purge() {
	mounted_chain
	DEBIAN_FRONTEND=noninteractive apt-get -y purge cowchain dm-cowchain-dkms </dev/null
	eq "$(sha256sum <mnt/file)" "$sum" "the file"
	umount mnt
	dmsetup remove cct
	nothing_left
	rmmod dm_cowchain
	! modprobe dm-cowchain 2>/dev/null || fail "the module can still be loaded"
	eq "$(find / -xdev -iname '*cowchain*' ! -path "$HERE/*" ! -path "$WORK*" ! -path "$(dirname "$HERE")" | sort)" '' \
		"files that are left"
}

run_cases
