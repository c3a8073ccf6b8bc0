#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The top on a file system or in a thin pool that runs full: who gets ENOSPC, what waits for space, and
# that nothing is lost. From the environment:
#	FULL_FS		file systems, default "ext4"
#	SEEDS		that many seeds for the guest's writes, default 1
#	SEED		the first of them, default 1
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

: "${FULL_FS:=ext4}" "${SEEDS:=1}" "${SEED:=1}"

# ---- a small file system ----

# small_fs TYPE: an empty one on small/, with room for everything
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
	# it is not for qemu-img
	rm small.img
}

free_kib() { echo $(($(stat -f -c '%a * %S' small) / 1024)); }

# grow_filler KIB: by so much, or as much less as the file system gives; false if it gives nothing.
# XFS wants some of what is free for its own records, whoever allocates.
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

# fill KIB: leaves no more than that, and about so much
fill() {
	local n

	while n=$(($(free_kib) - $1)) && [ $n -ge 4 ] && grow_filler $n; do
		:
	done
	# of the last bit nobody can have any
	[ $n -lt 64 ] || [ "$1" -eq 0 ] || fail "no filler: $n KiB too much are free"
}

# use_up FROM: what fallocate does not get a guest may, a block after the other from FROM KiB on
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

# on_small FILE...: they move there, and get loop devices as the tool makes them
on_small() {
	local f

	for f; do
		cp --sparse=always "$f" small/
		rm "$f"
		ln -s "small/$f" "$f"
		LOOP[$f]=$(mkloop -d "$T/small/$f")
		eq "$(<"/sys/block/${LOOP[$f]#/dev/}/loop/dio")" 1 "direct I/O of $f"
	done
}

# What is on the small file system comes back for qemu-img.
from_small() {
	local f

	for f; do
		rm "$f"
		cp --sparse=always "small/$f" "$f"
	done
}

# chain_on TYPE FORM: a chain whose data go to a small file system; TOP is its top
chain_on() {
	if [ "$2" = ext ]; then
		use ext
		TOP=d.qcow2,d.data
		FILES=(d.data)
	else
		use abcd
		TOP=d.qcow2
		FILES=(d.qcow2)
	fi
	small_fs "$1"
	on_small "${FILES[@]}"
	mkchain cct a.raw b.qcow2 c.qcow2 "$TOP"
}

judge() {
	remove cct
	from_small "${FILES[@]}"
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

paused_nospace() {
	wait_state cct paused
	eq "$S_MODE $S_LAYERS $S_IO $S_ERR" "rw 4 nospace 28" "mode, layers, io-status, errno"
}

# ---- file systems ----

# stops TYPE FORM WORD...: a stream that finds no space pauses, tries again, and ends well once there is
# some
stops() {
	local nr

	chain_on "$1" "$2"
	shift 2
	fill 1024
	nr=$(event_nr cct)
	mark stops
	msg cct stream "$@"
	paused_nospace
	logged 'stream paused at offset [0-9]+: error -28'
	[ "$(event_nr cct)" -gt "$nr" ] || fail "no event"
	fill 0
	# the last MiB but one is far from where the job is
	use_up 13312
	io verify ENOSPC!write:14M:64k:2 ENOSPC!fua:14M:4k:2 ENOSPC!write:14337k:512:2 flush
	msg cct job-resume
	paused_nospace
	make_room
	io write:14M:64k:2 write:14337k:512:3
	msg cct job-resume
	job_done cct
	eq "$S_IO" ok io-status
	chain_is cct "$TOP"
	io verify random:30:1 verify
	judge
}

stops_single() { stops "$1" single; }

stops_ext() {
	stops "$1" ext on-error stop
	cmp d.data model.raw || fail "the data file is not the disk"
}

for fs in $FULL_FS; do
	it "$fs: a stream into a file, the default policy" "stops_single $fs"
	it "$fs: a stream into an external data file, the policy stop" "stops_ext $fs"
done

it "the policy report: the job ends with ENOSPC, and can be started again" report
report() {
	chain_on ext4 single
	fill 1024
	msg cct stream on-error report
	job_done cct 28
	eq "$S_MODE $S_LAYERS $S_IO" "rw 4 nospace" "mode, layers, io-status"
	io verify
	make_room
	msg cct stream
	job_done cct
	chain_is cct d.qcow2
	io verify
	judge
}

# guest TYPE FORM SEED: whatever was written without an error is there: in the device, in a copy of the
# files that was made right after a flush, and after the device was made anew
guest() {
	local out

	chain_on "$1" "$2"
	fill 1024
	out=$(io "ENOSPC?random:100:$3" flush)
	matches "$out" '^[0-9]+ failed' "writes without space"
	cp --sparse=always -L d.qcow2 crash.qcow2
	if [ "$2" = ext ]; then
		cp --sparse=always -L d.data crash.data
		qcow2poke crash.qcow2 ext 0x44415441 crash.data
	fi
	cp model.raw crash.model
	keep compare crash.qcow2 crash.model
	io verify
	remove cct
	create cct
	io verify "ENOSPC?random:30:$3" >/dev/null
	make_room
	io "random:30:$3" verify
	judge
}

# guest_and_job TYPE SEED: a guest that writes while a stream waits for space
guest_and_job() {
	chain_on "$1" single
	fill 512
	msg cct stream
	io "ENOSPC?random:60:$2" >/dev/null
	paused_nospace
	io "ENOSPC?random:60:$(($2 + 1000))" flush verify >/dev/null
	make_room
	msg cct job-resume
	io "random:60:$(($2 + 2000))"
	job_done cct
	io verify
	judge
}

for fs in $FULL_FS; do
	for ((seed = SEED; seed < SEED + SEEDS; seed++)); do
		it "$fs: writes into a full file, nothing acknowledged is lost, seed $seed" \
			"guest $fs single $seed"
		it "$fs: writes into a full external data file, seed $seed" "guest $fs ext $seed"
		it "$fs: writes while a stream waits for space, seed $seed" \
			"guest_and_job $fs $seed"
	done
done

it "zeros that shall have space get ENOSPC, too, and the stream waits" zeros
zeros() {
	use ext
	small_fs ext4
	FILES=(d.data)
	on_small d.data
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	TABLE="0 $SECTORS cowchain 1 no_discard_passdown ${TABLE#* cowchain 0 }"
	create cct
	DEV=/dev/mapper/cct
	# sets bits only, so that the job finds nothing but zeros to begin with
	io zero:0:2M
	fill 0
	eq "$(io ENOSPC?zero:14M:64k)" "1 failed" "zeros without space"
	msg cct stream
	paused_nospace
	make_room
	msg cct job-resume
	job_done cct
	io verify
	judge
	cmp d.data model.raw || fail "the data file is not the disk"
}

# ---- metadata ----

# The tables of the second 32 MiB of a disk have no space yet, and there is none left.
sparse_tables() {
	local table

	SECTORS=72216
	use stress a.raw b.qcow2 c.qcow2 model.raw
	cp "$FIXTURES"/stress/spare-ext.{qcow2,data} .
	mv spare-ext.qcow2 d.qcow2
	qcow2poke d.qcow2 backing c.qcow2 qcow2
	table=$(($(qcow2poke d.qcow2 l1 0) & 0x00fffffffffffe00))
	small_fs ext4
	on_small d.qcow2
	fallocate --punch-hole -o $((table + 4096)) -l 4096 small/d.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,spare-ext.data
	fill 0
}

reload() {
	dmsetup load cct --table "$(dmsetup table cct)"
	dmsetup suspend --noflush cct
	dmsetup resume cct
	status cct
}

it "no space for metadata: read-only, until it is loaded again" metadata
metadata() {
	local nr

	sparse_tables
	io write:1M:64k:1 flush
	nr=$(event_nr cct)
	cowio "$DEV" write:33M:64k:2
	mark metadata
	cowio "$DEV" ENOSPC!flush
	logged 'cannot commit metadata: error -28'
	status cct
	eq "$S_MODE" ro mode
	[ "$(event_nr cct)" -gt "$nr" ] || fail "no event"
	cowio "$DEV" EIO!write:2M:4k:9
	refuse_msg EROFS cct stream
	io read:0:33M read:34M:1M
	# as after a crash: what was flushed is on disk
	cp --sparse=always small/d.qcow2 crash.qcow2
	cp --sparse=always spare-ext.data crash.data
	qcow2poke crash.qcow2 ext 0x44415441 crash.data
	cp model.raw crash.model
	keep compare crash.qcow2 crash.model
	make_room
	cowchain reload cct
	status cct
	eq "$S_MODE" rw "mode after a reload"
	# what was never flushed may be there or not
	io read:0:33M read:33856k:1M write:33M:64k:3 verify random:30:1 flush
	remove cct
	from_small d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "no space for metadata during a stream: it goes on after the reload" metadata_stream
metadata_stream() {
	sparse_tables
	msg cct stream
	wait_state cct concluded
	[ "$S_ERR" -ne 0 ] || fail "the job ended well"
	eq "$S_MODE $S_LAYERS" "ro 4" "mode, layers"
	tool_fails 'cowchain reload cct' wait cct --quiet
	refuse_msg EROFS cct job-resume
	io verify
	make_room
	mark reload
	reload
	eq "$S_MODE" rw "mode after a reload"
	logged 'interrupted stream continues'
	job_done cct
	chain_is cct d.qcow2,spare-ext.data
	io verify
	remove cct
	from_small d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

# ---- thin pools ----

# pool MIB [FEATURE]: cct-pool
pool() {
	local mib=$1

	shift
	need_target thin-pool
	truncate -s 4M pool.meta
	truncate -s 64M pool.data
	attach pool.meta pool.data
	FEATURES="$((1 + $#)) skip_block_zeroing $*"
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

# thin FILE ID: FILE moves to a thin device
thin() {
	dmsetup message cct-pool 0 "create_thin $2"
	dmsetup create "cct-thin$2" --table "0 $(sectors "$1") thin /dev/mapper/cct-pool $2"
	dd if="$1" of="/dev/mapper/cct-thin$2" bs=64k conv=sparse oflag=direct status=none
	LOOP[$1]=/dev/mapper/cct-thin$2
}

# from_thin FILE: for qemu-img
from_thin() {
	dd if="${LOOP[$1]}" of="$1" bs=1M iflag=direct conv=sparse status=none
}

pool_is_full() { [[ $(dmsetup status cct-pool) == *out_of_data_space* ]]; }

it "a thin pool with error_if_no_space, single file" thin_error
thin_error() {
	use abcd
	pool 3 error_if_no_space
	thin d.qcow2 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stream
	paused_nospace
	io verify ENOSPC!write:14M:64k:2 ENOSPC!write:14337k:512:2 "ENOSPC?random:100:5"
	grow_pool 24
	msg cct job-resume
	io "random:50:6"
	job_done cct
	chain_is_thin
	io verify
	remove cct
	from_thin d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

chain_is_thin() {
	status cct
	eq "$S_LAYERS $S_IO" "1 ok" "layers, io-status"
}

it "a thin pool with queue_if_no_space: all wait, then get ENOSPC after its timeout" thin_queue
thin_queue() {
	local pid timeout=/sys/module/dm_thin_pool/parameters/no_space_timeout

	use abcd
	pool 3
	thin d.qcow2 0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stream
	io write:14M:64k:2 &
	pid=$!
	wait_for 60 pool_is_full
	status cct
	eq "$S_STATE $S_IO" "running ok" "state while the pool waits"
	grow_pool 4
	# more than that: it waits again, for a second this time
	wait_for 60 pool_is_full
	grow_pool 6
	wait "$pid"
	job_done cct
	chain_is_thin
	echo 1 >$timeout
	# a guest fills the rest
	cowio -m model.raw "$DEV" "ENOSPC?random:100:7" verify
	echo 60 >$timeout
	grow_pool 32
	io random:50:8 verify
	remove cct
	from_thin d.qcow2
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "a device that cannot take the header: no snapshot, no chain" snapshot_full
snapshot_full() {
	use abcd
	use spare single.qcow2
	mv single.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	pool 4 error_if_no_space
	thin e.qcow2 0
	# every block of it is shared from here on: a write needs a new one
	dmsetup suspend cct-thin0
	dmsetup message cct-pool 0 "create_snap 1 0"
	dmsetup resume cct-thin0
	thin d.qcow2 2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io write:1M:64k:1
	fill_pool
	refuse_msg ENOSPC cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	status cct
	eq "$S_MODE $S_LAYERS" "rw 4" "mode, layers"
	# nor can it be used by itself, without a trace that it was written to
	TABLE="0 $SECTORS cowchain 0 1 qcow2 ${LOOP[e.qcow2]} -"
	refuse_create ENOSPC 'cannot write the header: error -28'
	io write:1M:64k:2 flush verify
	grow_pool 32
	cp model.raw frozen.raw
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:30:1 verify
	remove cct
	from_thin d.qcow2
	from_thin e.qcow2
	keep compare d.qcow2 frozen.raw
	keep check e.qcow2
	keep compare e.qcow2 model.raw
}

# Another thin device takes what the pool has left.
fill_pool() {
	dmsetup message cct-pool 0 "create_thin 9"
	dmsetup create cct-thin9 --table "0 32768 thin /dev/mapper/cct-pool 9"
	# more than there is
	dd if=/dev/zero of=/dev/mapper/cct-thin9 bs=64k oflag=direct status=none 2>/dev/null || true
	wait_for 30 pool_is_full
}

# ---- the tool ----

# tool_fails REGEX ARGUMENT...: with status 1 and such a line
tool_fails() {
	local regex=$1 out rc=0

	shift
	out=$(cowchain "$@" 2>&1) || rc=$?
	eq $rc 1 "exit status of cowchain $*: $out"
	matches "$out" "$regex" "output of cowchain $*"
}

it "the tool refuses a stream that cannot fit, with --force it is tried" tool_stream
tool_stream() {
	need cowchain
	use abcd
	small_fs ext4
	mv d.qcow2 small/
	cowchain attach cct --layer raw:a.raw --layer qcow2:b.qcow2 --layer qcow2:c.qcow2 \
		--layer qcow2:small/d.qcow2
	DEV=/dev/mapper/cct
	fill 2048
	tool_fails 'small/d.qcow2 has [0-9.]+M free.*--base.*--force' stream cct
	status cct
	eq "$S_STATE" "" "job after a refusal"
	# of what c holds there is no more than 1.2 MiB
	cowchain stream cct --base 1 --wait --quiet
	status cct
	eq "$S_LAYERS" 3 layers
	tool_fails 'free.*--force' stream cct --base none
	cowchain stream cct --base none --force
	wait_state cct paused
	eq "$S_IO" nospace io-status
	tool_fails 'make room.*small/d.qcow2 has [0-9.]+[BKM] free' wait cct --quiet
	make_room
	cowchain job cct resume
	cowchain wait cct --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	io verify
	remove cct
	cp small/d.qcow2 .
	keep check d.qcow2
	keep compare d.qcow2 model.raw
}

it "the tool refuses a copy and a snapshot that cannot fit, and leaves nothing behind" tool_copy
tool_copy() {
	local f

	need cowchain
	use abcd
	small_fs ext4
	cowchain attach cct d.qcow2
	DEV=/dev/mapper/cct
	fill 2048
	tool_fails 'new.qcow2 has [0-9.]+M free.*--force' copy cct small/new.qcow2
	tool_fails 'new.data has [0-9.]+M free.*--force' copy cct new.qcow2 --data-file small/new.data
	for f in new.qcow2 small/new.qcow2 small/new.data; do
		[ ! -e "$f" ] || fail "$f was left behind"
	done
	fill 0
	tool_fails 'No space left' snapshot cct small/e.qcow2
	[ ! -e small/e.qcow2 ] || fail "an image was left behind"
	status cct
	eq "$S_LAYERS" 4 layers
	make_room
	cowchain copy cct small/new.qcow2 --wait --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	io verify
}

it "the tool counts zeros where they take space" tool_zeros
tool_zeros() {
	local features

	need cowchain
	use ext
	small_fs ext4
	mv d.data small/
	for features in --no-discard-passdown ""; do
		# shellcheck disable=SC2086	# none, or one
		cowchain attach cct --layer raw:a.raw --layer qcow2:b.qcow2 --layer qcow2:c.qcow2 \
			--layer qcow2:d.qcow2,data=small/d.data $features
		fill 9216
		if [ -n "$features" ]; then
			tool_fails 'up to 16M.*small/d.data has [0-9.]+M free.*--force' stream cct
			remove cct
		fi
	done
	# zeros are holes again, and the rest fits
	DEV=/dev/mapper/cct
	cowchain stream cct --wait --quiet
	io verify
	remove cct
}

it "the tool knows that what is shared has to be written once more" tool_shared
tool_shared() {
	need cowchain
	use abcd
	small_fs xfs
	# all of it has been written: what is only reserved is not shared
	cp --sparse=never d.qcow2 small/
	rm d.qcow2
	cp --reflink=always small/d.qcow2 small/other.qcow2
	cowchain attach cct --layer raw:a.raw --layer qcow2:b.qcow2 --layer qcow2:c.qcow2 \
		--layer qcow2:small/d.qcow2
	fill 2048
	tool_fails 'up to [0-9.]+M.*small/d.qcow2 has [0-9.]+M free.*--force' stream cct
	rm small/other.qcow2
	sync -f small
	cowchain stream cct --wait --quiet
	DEV=/dev/mapper/cct
	io verify
	remove cct
}

it "the tool knows the room of a thin pool" tool_thin
tool_thin() {
	need cowchain
	use ext
	pool 3 error_if_no_space
	dmsetup message cct-pool 0 "create_thin 0"
	dmsetup create cct-thin0 --table "0 $SECTORS thin /dev/mapper/cct-pool 0"
	LOOP[d.data]=/dev/mapper/cct-thin0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	tool_fails 'up to 16M.*pool of /dev/mapper/cct-thin0 has 3.*M free.*--force' stream cct
	grow_pool 17
	cowchain stream cct --wait --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	io verify
}

run_cases
