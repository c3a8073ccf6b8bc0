# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Layers on a small file system or in a thin pool, which run full.

# ---- a small file system ----

# small_fs TYPE: mounts an empty file system on small/, with space for everything
small_fs() {
	local mib=32

	[ "$1" = ext4 ] || mib=320
	need "mkfs.$1"
	modprobe -q "$1" 2>/dev/null || true
	mkdir -p small
	truncate -s "${mib}M" small.img
	attach small.img
	case $1 in
	ext4) mkfs.ext4 -q -F -b 4096 -m 0 -O ^has_journal "${LOOP[small.img]}" ;;
	*) "mkfs.$1" -q "${LOOP[small.img]}" ;;
	esac
	mount -t "$1" "${LOOP[small.img]}" small
	# it is not exported
	rm small.img
}

free_kib() { echo $(($(stat -f -c '%a * %S' small) / 1024)); }

# grow_filler KIB: takes so much, or less if the file system has not as much; false if it gives nothing. XFS
# needs some of the free space for its own records.
grow_filler() {
	local n

	for ((n = $1; n >= 4; n /= 2)); do
		if fallocate -l "${n}K" "small/filler.$n.$RANDOM" 2>/dev/null; then
			sync -f small
			return 0
		fi
	done
	return 1
}

# fill KIB: leaves at most so much, and not much less
fill() {
	local n

	while n=$(($(free_kib) - $1)) && [ $n -ge 4 ] && grow_filler $n; do
		:
	done
	# the last bit cannot be allocated
	[ $n -lt 64 ] || [ "$1" -eq 0 ] || fail "no filler: $n KiB too much are free"
}

# use_up FROM: writes block after block from FROM KiB on, to space that fallocate does not get
use_up() {
	local at out

	for ((at = $1; at < $1 + 1024; at += 4)); do
		out=$(cowio -m "$T/model.raw" "$DEV" "fua:${at}k:4k:7" 2>&1) && continue
		[[ $out == *"No space left"* ]] || fail "$out"
		return
	done
	fail "there is still space"
}

make_room() { rm small/filler*; }

# on_small FILE...: moves files to the small file system, with loop devices as the tool makes them
on_small() {
	local f

	for f; do
		cp --sparse=always "$f" small/
		rm "$f"
		ln -s "small/$f" "$f"
		# shellcheck disable=SC2004	# not arithmetic: its keys are names
		LOOP[$f]=$(mkloop -d "$T/small/$f")
		eq "$(<"/sys/block/${LOOP[$f]#/dev/}/loop/dio")" 1 "direct I/O of $f"
	done
}

# from_small FILE...: copies files back, for qemu-img
from_small() {
	local f

	for f; do
		rm "$f"
		cp --sparse=always "small/$f" "$f"
	done
}

# ---- a thin pool ----

# pool MIB [FEATURE]: makes cct-pool; what is not written of a new block is not zero
pool() { zeroing_pool "$1" skip_block_zeroing "${@:2}"; }

# zeroing_pool MIB [FEATURE...]: the same, but it is zero
zeroing_pool() {
	local mib=$1

	shift
	need_target thin-pool
	truncate -s 4M pool.meta
	truncate -s 64M pool.data
	attach pool.meta pool.data
	FEATURES="$# $*"
	pool_table "$mib" | dmsetup create cct-pool
}

pool_table() {
	echo "0 $(($1 * 2048)) thin-pool ${LOOP[pool.meta]} ${LOOP[pool.data]} 128 0 $FEATURES"
}

grow_pool() {
	pool_table "$1" | dmsetup load cct-pool
	dmsetup suspend --noflush cct-pool
	dmsetup resume cct-pool
}

# thin FILE ID: moves FILE to a thin device
thin() {
	dmsetup message cct-pool 0 "create_thin $2"
	dmsetup create "cct-thin$2" --table "0 $(sectors "$1") thin /dev/mapper/cct-pool $2"
	dd if="$1" of="/dev/mapper/cct-thin$2" bs=64k conv=sparse oflag=direct status=none
	LOOP[$1]=/dev/mapper/cct-thin$2
}

# from_thin FILE: copies it back, for qemu-img
from_thin() {
	dd if="${LOOP[$1]}" of="$1" bs=1M iflag=direct conv=sparse status=none
}

pool_is_full() { [[ $(dmsetup status cct-pool) == *out_of_data_space* ]]; }

# ---- the job ----

# Waits until the job has stopped because there is no space.
paused_nospace() {
	wait_state cct paused
	eq "$S_MODE $S_LAYERS $S_IO $S_ERR" "rw 4 nospace 28" "mode, layers, io-status, errno"
}
