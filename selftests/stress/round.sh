#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# One round of the stress: verified chains under load, a victim whose table is removed, and little memory.
#
# chainstress runs operations on some chains and checks each byte. Meanwhile another chain, the victim, is
# removed, is suspended, and gets other tables while I/O and jobs are in flight; it must be intact
# afterwards. From the environment:
#	SEED		of all decisions in this script, default 1
#	OPS		operations on each chain, default 400
#	CHAINS		chains, default 1 to 3 by the seed
#	SQUEEZE=no	without processes that take memory
#	STALL		seconds without progress that are a failure, default 200
#	TALLY		file that gets the operations on the victim and their results
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

: "${SEED:=1}" "${OPS:=400}" "${STALL:=200}" "${TALLY:=/dev/null}" "${CHAINS:=}" "${SQUEEZE:=yes}"
SECTORS=72216
STRESS=()	# pids of the runs of chainstress
FILE_PIDS=()	# pids of what uses the file system
HELPERS=()	# pids of what runs until those have ended

say() { echo "# [$SECONDS s] $*"; }

# ---- the verified chains ----

# spares CHAIN COUNT: makes prepared layers of both forms; ARGS gets the options that name them
spares() {
	local dir=$1 i

	ARGS=()
	for ((i = 0; i < $2; i++)); do
		if [ $(((SEED + i) % 3)) -eq 0 ]; then
			cp "$FIXTURES/stress/spare-ext.qcow2" "$T/$dir/s$i.qcow2"
			truncate -s $((SECTORS * 512)) "$T/$dir/s$i.data"
			qcow2poke "$T/$dir/s$i.qcow2" ext 0x44415441 "s$i.data"
			ARGS+=(--spare "$T/$dir/s$i.qcow2,$T/$dir/s$i.data")
		else
			cp "$FIXTURES/stress/spare.qcow2" "$T/$dir/s$i.qcow2"
			ARGS+=(--spare "$T/$dir/s$i.qcow2")
		fi
	done
}

new_chain() {
	mkdir "$T/$1"
	cp "$FIXTURES"/stress/{a.raw,b.qcow2,c.qcow2,model.raw} "$T/$1"
	mkchain "cct$1" "$1/a.raw" "$1/b.qcow2" "$1/c.qcow2"
}

# start_chain NAME NUMBER
start_chain() {
	new_chain "$1"
	spares "$1" $((OPS / 50 + 5))
	chainstress --name "cct$1" --model "$T/$1/model.raw" --out "$T/$1" --seed $((SEED * 10 + $2)) \
		--ops "$OPS" --threads $((2 + RANDOM % 4)) --stall "$STALL" "${ARGS[@]}" &
	STRESS+=($!)
	limit "$!"
}

# Adds the claims of chainstress about the last top to the manifest; it has checked the others itself.
finish_chain() {
	local dir=$1

	remove "cct$dir"
	cmp "$FIXTURES/stress/a.raw" "$dir/a.raw"
	cmp "$FIXTURES/stress/b.qcow2" "$dir/b.qcow2"
	tail -n 2 "$dir/manifest" | sed -E "s, ([^ ]+), $dir/\1,g" >>"$T/manifest"
}

# ---- memory ----

# limit PID: moves a process to the cgroup with little memory, where its page cache is reclaimed
limit() {
	[ -z "$CGROUP" ] || echo "$1" >"$CGROUP/cgroup.procs"
}

# make_cgroup CHAINS: what cannot be reclaimed must fit, or memory.high would block its processes forever:
# the memory of chainstress, and the layers if they are in memory, too.
make_cgroup() {
	local limit=$(($1 * 48 + RANDOM % 64))

	CGROUP=
	[ "$SQUEEZE" != no ] || return 0
	[ "$(stat -f -c %T "$T")" != tmpfs ] || return 0
	CGROUP=/sys/fs/cgroup/cct-stress
	[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup ||
		skip "needs cgroup2"
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control || skip "needs the memory controller"
	mkdir -p $CGROUP
	echo ${limit}M >$CGROUP/memory.high
}

# Takes most of the free memory and releases it, and drops caches, again and again.
squeeze() {
	local free

	RANDOM=$((SEED + 1))
	trap 'exit 0' TERM
	while :; do
		free=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
		# dd touches its whole buffer
		[ "$free" -lt 160 ] ||
			dd if=/dev/zero of=/dev/null bs=$((free - 128))M count=1 status=none 2>/dev/null || true
		echo $((1 + RANDOM % 3)) >/proc/sys/vm/drop_caches
		echo 1 >/proc/sys/vm/compact_memory 2>/dev/null || true
		sleep 1.$((RANDOM % 9))
	done
}

# ---- a file system on a chain, with little memory ----

FILES=/sys/fs/cgroup/cct-files

# Writes files through the page cache, and reads them again. There is so little memory that each page has to
# be written back soon, and that other memory of these processes is swapped out, if there is swap.
write_files() {
	local model=$FIXTURES/stress/model.raw i from

	RANDOM=$((SEED + 2))
	echo "$BASHPID" >$FILES/cgroup.procs
	# a kernel without swap has no such file
	! grep -q ^/ /proc/swaps 2>/dev/null ||
		perl -e '$x = "x" x (24 << 20); while (-e $ARGV[0]) { $x =~ tr/xy/yx/; sleep 1 }' "$T/mnt" &
	while [ ! -e "$T/files-end" ]; do
		i=$((RANDOM % 4))
		from=$((RANDOM % 30))
		dd if="$model" of="$T/mnt/$i" bs=1M skip=$from count=4 status=none
		[ $((RANDOM % 3)) -ne 0 ] || sync "$T/mnt/$i"
		cmp -n $((4 << 20)) -i $((from << 20)):0 "$model" "$T/mnt/$i"
	done
	kill %1 2>/dev/null || true
}

# Meanwhile the chain is suspended and resumed, gets its table again, and a job that is cancelled.
manage_files() {
	RANDOM=$((SEED + 3))
	while [ ! -e "$T/files-end" ]; do
		case $((RANDOM % 3)) in
		0) dmsetup suspend cctf && dmsetup resume cctf ;;
		1)
			dmsetup load cctf --table "$(dmsetup table cctf)" && dmsetup suspend --nolockfs cctf &&
				dmsetup resume cctf
			;;
		2) ! msg cctf stream speed 262144 || msg cctf job-cancel || true ;; # it may have ended
		esac
		sleep 0.$((RANDOM % 9))
	done
}

start_files() {
	[ -n "$CGROUP" ] || return 0
	mkdir -p $FILES
	echo 32M >$FILES/memory.max
	new_chain f
	mkfs.ext4 -q -F /dev/mapper/cctf
	mkdir "$T/mnt"
	mount /dev/mapper/cctf "$T/mnt"
	write_files &
	FILE_PIDS=($!)
	manage_files &
	FILE_PIDS+=($!)
}

file_pids_gone() { [ ! -e "/proc/${FILE_PIDS[0]}" ] && [ ! -e "/proc/${FILE_PIDS[1]}" ]; }

finish_files() {
	local pid

	[ ${#FILE_PIDS[@]} -gt 0 ] || return 0
	touch "$T/files-end"
	wait_for "$STALL" file_pids_gone
	for pid in "${FILE_PIDS[@]}"; do
		wait "$pid" || fail "the files are wrong; SEED=$SEED"
	done
	umount "$T/mnt"
	fsck.ext4 -fn /dev/mapper/cctf >fsck.out 2>&1 || fail "the file system: $(<fsck.out)"
	remove cctf
	cmp "$FIXTURES/stress/a.raw" f/a.raw
	cmp "$FIXTURES/stress/b.qcow2" f/b.qcow2
	keep check f/c.qcow2
}

# ---- the victim ----

VICTIM=()	# its layers
KEPT=$((30 << 20))	# behind this offset there is no I/O when the chain is removed

# victim_io SEED: I/O that may fail, because the chain is removed meanwhile.
victim_io() {
	RANDOM=$1
	while [ ! -e "$T/enough" ]; do
		cowio -r "0:$KEPT" /dev/mapper/cctv "random:$((20 + RANDOM % 100)):$RANDOM" 2>/dev/null ||
			sleep 0.2
	done
}

# Writes and flushes data that must not be lost, because nothing writes there afterwards.
victim_keep() {
	cowio -m v/model.raw -r "$KEPT:$((SECTORS * 512 - KEPT))" /dev/mapper/cctv \
		"random:$((5 + RANDOM % 20)):$RANDOM" flush
}

# Another table for a moment, with or without a flush; I/O in flight has to end in both cases.
swap_table() {
	local flags=() rc=0

	[ $((RANDOM % 2)) -eq 0 ] || flags=(--noflush --nolockfs)
	dmsetup suspend "${flags[@]}" cctv || rc=1
	dmsetup load cctv --table "0 $SECTORS $1" || rc=1
	dmsetup resume cctv || rc=1
	sleep 0.$((RANDOM % 5))
	dmsetup load cctv --table "$TABLE" || rc=1
	dmsetup suspend "${flags[@]}" cctv || rc=1
	dmsetup resume cctv || rc=1
	return $rc
}

# Removes the chain while it is in use: by force, or when the last user closes it.
pull_away() {
	dmsetup resume cctv 2>/dev/null || true
	if [ $((RANDOM % 2)) -eq 0 ]; then
		dmsetup remove --force cctv 2>/dev/null || true
	else
		dmsetup remove --deferred cctv
	fi
	# its users end after some time
	wait_for "$STALL" victim_gone
}

victim_gone() {
	[ -e /dev/mapper/cctv ] || return 0
	[ "$(dmsetup info -c --noheadings -o open cctv 2>/dev/null)" != 0 ] ||
		dmsetup remove cctv 2>/dev/null || true
	[ ! -e /dev/mapper/cctv ]
}

# Starts a slow job, unless there is one already, or nothing is left to be copied.
victim_job() {
	msg cctv base 0 || return 0
	msg cctv stream speed 65536 backing-file a.raw raw || true
}

# Of b into a; with d, of that into c, which becomes the top.
victim_commit() {
	local speed=$((RANDOM % 4 << 18)) keep=()

	if [ ${#VICTIM[@]} -eq 3 ]; then
		msg cctv commit top 1 base 0 speed $speed backing-file a.raw raw
	else
		[ $((RANDOM % 2)) -eq 0 ] || keep=(keep)
		msg cctv commit top 3 base 2 speed $speed "${keep[@]}"
	fi
}

# Waits a moment until a commit may be told to end, and tells it.
victim_complete() {
	local i

	[ ${#VICTIM[@]} -eq 4 ] || return
	msg cctv commit top 3 base 2 keep || true
	for ((i = 0; i < 30; i++)); do
		! msg cctv job-complete || return 0
		sleep 0.1
	done
	return 1
}

victim_do() {
	local i base=0 names=(backing-file a.raw raw)

	case $1 in
	stream)
		[ $((RANDOM % 2)) -eq 0 ] || { names=() base=$((${#VICTIM[@]} - 2)); }
		msg cctv base $base && msg cctv stream speed $((RANDOM % 4 << 18)) "${names[@]}"
		;;
	commit) victim_commit ;;
	complete) victim_complete ;;
	pause) victim_job && msg cctv job-pause ;;
	cancel) victim_job && msg cctv job-cancel ;;
	error) swap_table error ;;
	zero) swap_table zero ;;
	suspend) dmsetup suspend --noflush --nolockfs cctv && dmsetup resume cctv ;;
	status)
		for i in 1 2 3 4 5 6; do
			dmsetup status cctv && dmsetup table cctv || return
		done
		;;
	esac
}

# An operation may fail because it is too late or too early; TALLY shows if a kind never succeeds.
victim_step() {
	local kinds=(stream commit complete pause cancel error zero suspend status) kind rc=0

	kind=${kinds[RANDOM % 9]}
	victim_do "$kind" >/dev/null 2>&1 || rc=$?
	echo "$kind $rc" >>"$TALLY"
}

# The layers load again, all of the chain can be read, and what was flushed is not lost. Whatever a commit has
# put into a, what b shows with it is the same.
victim_whole() {
	local want=$1

	wait_for 30 victim_right
	cowio /dev/mapper/cctv "read:0:$KEPT"
	cowio -m v/model.raw /dev/mapper/cctv "read:$KEPT:$((SECTORS * 512 - KEPT))"
	remove cctv
	[ ${#VICTIM[@]} -eq 3 ] || {
		layers "${VICTIM[@]:0:3}"
		! create cctv 2>/dev/null || fail "layer c is accepted as the top, and so is d on it"
	}
	cmp "$FIXTURES/stress/b.qcow2" v/b.qcow2
	dmsetup create cctv --readonly --table "0 $SECTORS cowchain 0 2 raw ${LOOP[v/a.raw]} - qcow2 ${LOOP[v/b.qcow2]} -"
	cp --sparse=always "$FIXTURES/stress/model.raw" v/b.model
	cowio -m v/b.model /dev/mapper/cctv verify
	remove cctv
	eq "$(mkloop -l "$T/v" | wc -l)" "$want" "loop devices of the victim"
}

# Loads the chain, also if c has become the top in the place of d. One of the two is refused.
victim_right() {
	layers "${VICTIM[@]}"
	! create cctv || return 0
	[ ${#VICTIM[@]} -eq 4 ] || return 1
	layers "${VICTIM[@]:0:3}"
	create cctv || return 1
	VICTIM=("${VICTIM[@]:0:3}")
}

# Puts a new top on the others.
victim_grow() {
	cp "$FIXTURES/stress/spare.qcow2" v/d.qcow2
	qcow2poke v/d.qcow2 backing c.qcow2 qcow2
	[ -n "${LOOP[v/d.qcow2]:-}" ] || attach v/d.qcow2
	msg cctv snapshot qcow2 "${LOOP[v/d.qcow2]}" -
	VICTIM+=(v/d.qcow2)
	layers "${VICTIM[@]}"
}

# Runs until the others have ended. Sometimes with new images, so that jobs have something to do.
victim() {
	local io i

	mkdir "$T/v"
	while :; do
		if [ ! -e "$T/v/c.qcow2" ] || [ $((RANDOM % 2)) -eq 0 ]; then
			cp "$FIXTURES"/stress/{a.raw,b.qcow2,c.qcow2,model.raw} "$T/v"
			VICTIM=(v/a.raw v/b.qcow2 v/c.qcow2)
		fi
		[ -n "${LOOP[v/a.raw]:-}" ] || attach v/a.raw
		layers "${VICTIM[@]}"
		wait_for 30 create cctv
		[ ${#VICTIM[@]} -eq 4 ] || [ $((RANDOM % 2)) -eq 0 ] || victim_grow
		victim_keep
		victim_io "$RANDOM" &
		io=$!
		for ((i = RANDOM % 8; i > 0; i--)); do
			sleep 0.$((RANDOM % 8))
			victim_step
		done
		touch "$T/enough"
		pull_away
		wait "$io"
		rm "$T/enough"
		victim_whole "$([ -z "${LOOP[v/d.qcow2]:-}" ] && echo 3 || echo 4)"
		stress_running || break
	done
	echo "check ${VICTIM[-1]}" >>"$T/manifest"
}

# ---- all of it ----

stress_running() {
	local pid

	for pid in "${STRESS[@]}"; do
		[ ! -e "/proc/$pid" ] || return 0
	done
	return 1
}

it "seed $SEED" one_round
one_round() {
	local n i pid failed=

	# for this shell; subshells begin with other sequences
	RANDOM=$SEED
	n=$((1 + RANDOM % 3))
	n=${CHAINS:-$n}
	make_cgroup "$n"
	say "seed $SEED: $n chains, $OPS operations each"
	for ((i = 0; i < n; i++)); do
		start_chain "p$i" "$i"
	done
	if [ "$SQUEEZE" != no ]; then
		squeeze &
		HELPERS+=($!)
	fi
	start_files
	victim
	finish_files
	for pid in "${STRESS[@]}"; do
		wait "$pid" || failed=1
	done
	# memory.high may have blocked processes that are over it: that would be no error of the target
	[ -z "$failed" ] || {
		[ -z "$CGROUP" ] || head "$CGROUP"/memory.{high,current,events} || true
		fail "see above; SEED=$SEED"
	}
	[ ${#HELPERS[@]} -eq 0 ] || kill "${HELPERS[@]}"
	say "verified, now looking at what is left"
	for ((i = 0; i < n; i++)); do
		finish_chain "p$i"
	done
	eq "$(dmsetup ls | awk '/^cct/ { n++ } END { print n + 0 }')" 0 "devices that are left"
}

run_cases
