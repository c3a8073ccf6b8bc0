# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The chain test outside of its virtual machine; "run" sources this. Makes the layers, lets chain.sh run a
# guest on them, then checks the images with QEMU, and boots the result once more.

: "${here:?}" "${initrd:?}" "${dir:?}"
ROOT_MIB=512
work=$(mktemp -d "${TMPDIR:-/var/tmp}/cowchain-vmm.XXXXXX")
[ "${DM_COWCHAIN_KEEP:-}" = 1 ] || trap 'rm -rf "$work"' EXIT
n=100		# TAP numbers after those of chain.sh
failed=0

judge() {
	local what=$1 rc=0

	shift
	n=$((n + 1))
	"$@" >"$work/out" 2>&1 || rc=$?
	if [ $rc = 0 ]; then
		echo "ok $n - $what"
	else
		tail -n 30 "$work/out" | sed 's/^/# /'
		echo "not ok $n - $what"
		failed=1
	fi
}

# layer NAME BACKING FORMAT
layer() {
	qemu-img create -q -f qcow2 \
		-o extended_l2=on,cluster_size=128k,preallocation=metadata \
		-b "$2" -F "$3" "$work/layers/$1"
}

make_layers() {
	mkdir "$work/layers"
	"$here/make-root" "$work/layers/a.raw" "$ROOT_MIB"
	layer b.qcow2 a.raw raw
	layer c.qcow2 b.qcow2 qcow2
	layer d.qcow2 c.qcow2 qcow2
	layer e.qcow2 d.qcow2 qcow2
	layer f.qcow2 a.raw raw
	sha256sum "$work/layers/a.raw" | cut -d ' ' -f 1 >"$work/base.sum"
	truncate -s 4G "$work/layers.img"
	mke2fs -q -t ext4 -m 0 -d "$work/layers" "$work/layers.img"
	rm -rf "$work/layers"
}

take_out() {
	mkdir "$work/out.d"
	for f in a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2; do
		debugfs -R "dump /$f $work/out.d/$f" "$work/layers.img" 2>/dev/null
	done
}

# shellcheck disable=SC2317	# called by judge
base_untouched() {
	[ "$(sha256sum "$work/out.d/a.raw" | cut -d ' ' -f 1)" = "$(<"$work/base.sum")" ]
}

# The copy is complete: it is opened alone, in a directory of its own.
# shellcheck disable=SC2317	# called by judge
self_contained() {
	mkdir "$work/alone"
	mv "$work/out.d/e.qcow2" "$work/alone"
	[ "$(qemu-img info --output=json "$work/alone/e.qcow2" | jq -r '."backing-filename"')" = null ] ||
		return
	qemu-img convert -f qcow2 -O raw "$work/alone/e.qcow2" "$work/alone/e.raw"
	e2fsck -fn "$work/alone/e.raw"
}

# shellcheck disable=SC2317	# called by judge
boot_in_qemu() {
	cp "$initrd" "$work/initrd"
	(cd "$here" && mkdir "$work/part" && cp guest-to-debian "$work/part/guest" &&
		cd "$work/part" && echo guest | cpio --quiet -o -H newc -R 0:0) >>"$work/initrd"
	timeout 240 qemu-system-x86_64 -accel tcg -cpu max -m 256 -nodefaults -display none \
		-no-reboot -kernel "$dir/vmlinuz" -initrd "$work/initrd" \
		-append "console=ttyS0 quiet panic=-1 stomp=verify" -serial stdio \
		-drive "if=virtio,file=$work/alone/e.qcow2,format=qcow2" </dev/null |
		tee "$work/qemu.console" | grep -a guest:
	grep -q -a 'guest: verified, [1-9]' "$work/qemu.console"
}

make_layers
in_vm --timeout 900 --mem 1536 --disk "$work/layers.img" \
	--env CHAIN_SECTORS=$((ROOT_MIB * 2048)) -- "$here/chain.sh" || failed=1
take_out
for f in b c d e; do
	judge "qemu-img check: $f.qcow2" qemu-img check -q "$work/out.d/$f.qcow2"
done
judge "the base is what it was" base_untouched
judge "the copy stands alone, its file system is clean" self_contained
judge "the same image boots in QEMU, and has what was written" boot_in_qemu
exit $failed
