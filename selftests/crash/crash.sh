#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Power loss: records writers, jobs and snapshots over dm-log-writes. crashreplay, which oracle starts
# outside the virtual machine, plays the recordings back to each point of the log.
#
# All devices of the chain are slices of one that is logged, so that one log has the order of all I/O.
# The log does not show to which slice a flush belongs: that is traced, and a flush counts only for that slice. So are
# writes: the log has those in the wrong order whose flushes overtake one another.
#
#	CRASH_OPS	operations of the writers in each case (300)
#	CRASH_SEED	(1)
#	CRASH_FULL=1	all cases, also those that take long
# Seconds: 20
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

: "${CRASH_OPS:=300}" "${CRASH_SEED:=1}" "${CRASH_FULL:=}"
SECTORS=72216		# of the fixtures in stress/
TRACE=/sys/kernel/tracing/instances/cct-crash
SLOW="speed 1000000"	# of a commit

# ---- flushes and writes are traced ----

trace_begin() {
	local event

	[ -d "${TRACE%/instances/*}/events/block" ] ||
		mount -t tracefs none "${TRACE%/instances/*}" || skip "needs tracefs"
	[ ! -d $TRACE ] || rmdir $TRACE
	mkdir $TRACE
	echo global >$TRACE/trace_clock
	# of the long form of this test, too: what is lost there ends the replay
	echo 16384 >$TRACE/buffer_size_kb
	for event in block_bio_queue block_bio_complete; do
		echo 'rwbs ~ "F*" || rwbs ~ "W*" || rwbs ~ "D*"' >$TRACE/events/block/$event/filter
		echo 1 >$TRACE/events/block/$event/enable
	done
}

trace_end() {
	grep -h block_bio_ $TRACE/trace >trace || fail "no flush was traced"
	rmdir $TRACE
}

# ---- one disk for all images ----

# logged FILE... : puts each file on a slice of the logged disk, which becomes LOOP[FILE]
logged() {
	local f n at=0 dev table

	need_target log-writes
	trace_begin
	for f; do
		dd if="$f" of=first.img conv=notrunc,sparse bs=1M seek=$((at / 2048)) status=none
		n=$(sectors "$f")
		echo "slice $f $at $n" >>slices
		at=$(((at + n + 2047) / 2048 * 2048))
	done
	truncate -s $((at / 2048))M first.img
	cp --sparse=always first.img disk.img
	truncate -s 1G log.img
	attach disk.img log.img
	dmsetup create cct-log --table "0 $at log-writes ${LOOP[disk.img]} ${LOOP[log.img]}"
	while read -r _ f at n; do
		dmsetup create "cct-s-${f//./-}" --table "0 $n linear /dev/mapper/cct-log $at"
		dev=/dev/mapper/cct-s-${f//./-}
		table=$(stat -L -c '0x%t 0x%T' "$dev")
		echo "slice $f $at $n $((${table% *})) $((${table#* }))" >>layout
		LOOP[$f]=$dev
		rm "$f"
	done <slices
}

# end_of_log: ends the recording
end_of_log() {
	local f

	while read -r _ f _; do
		remove "cct-s-${f//./-}"
		unset "LOOP[$f]"
	done <slices
	remove cct-log
	trace_end
	detach disk.img log.img
	rm disk.img slices
}

# ---- layers ----

# top FORM NAME BACKING: an empty, prepared image, with FORM "-ext" and NAME.data; TOP: its table word. Space that
# was not written yet is full of trash.
top() {
	local image=used.qcow2

	[ "$1" = single ] || image=spare-ext.qcow2
	use stress "$image"
	mv "$image" "$2.qcow2"
	qcow2poke "$2.qcow2" backing "$3" "${3##*.}"
	TOP=$2.qcow2
	FILES=("$2.qcow2")
	[ "$1" != -ext ] || {
		trash "$2.data" $((SECTORS * 512))
		qcow2poke "$2.qcow2" ext 0x44415441 "$2.data"
		TOP+=,$2.data
		FILES+=("$2.data")
	}
}

# layout TOP... : writes the layout for crashreplay, with the files that backing file names refer to
layout() {
	local word data

	{
		for word; do
			data=${word#*,}
			[[ $word == *,* ]] || data=-
			echo "top ${word%,*} $data"
		done
		if [ -n "${LOOP[a.raw]:-}" ]; then
			echo "below a.raw a.raw a.raw"
		else
			printf '%s\n' "below b.qcow2 model.raw a.raw b.qcow2" "below a.raw a.raw a.raw" \
				"below - -" "shared a.raw" "shared b.qcow2"
		fi
		echo "final $FINAL"
		[ -z "${ACTIVE:-}" ] || echo active
		[ -z "${INTO:-}" ] || echo "into $INTO"
	} >>layout
}

# load OPTION... : runs the writers, and sends messages to the target
load() {
	note "seed $CRASH_SEED, $CRASH_OPS operations"
	chainstress --name cct --model model.raw --out "$T" --seed "$CRASH_SEED" \
		--ops "$CRASH_OPS" --threads 4 --log-writes cct-log --record record "$@"
}

# one_top FORM OPTION... : [a] [b] [c], c is logged
one_top() {
	local form=$1 word

	shift
	use stress a.raw b.qcow2 model.raw
	top "$form" c b.qcow2
	word=$TOP
	logged "${FILES[@]}"
	layout "$word"
	mkchain cct a.raw b.qcow2 "$word"
	[ "$FINAL" != a.raw ] || msg cct base 0
	load "$@"
	remove cct
	end_of_log
	untouched stress a.raw b.qcow2
	keep crash "$CRASH_SEED" $((CRASH_OPS / 2))
}

# two_tops FORM FORM OPTION... : and e, for a snapshot; @ in an option stands for its devices
two_tops() {
	local forms=("$1" "$2") c e all e_words

	shift 2
	use stress a.raw b.qcow2 model.raw
	top "${forms[0]}" c b.qcow2
	c=$TOP all=("${FILES[@]}")
	top "${forms[1]}" e c.qcow2
	e=$TOP all+=("${FILES[@]}")
	logged "${all[@]}"
	layout "$c" "$e"
	words "$e"
	e_words=$WORDS
	mkchain cct a.raw b.qcow2 "$c"
	load "${@//@/$e_words}"
	remove cct
	end_of_log
	untouched stress a.raw b.qcow2
	keep crash "$CRASH_SEED" $((CRASH_OPS / 2))
}

# tops BACKING FORM NAME [FORM NAME]... : each on the one before; TOPS: their table words, LOGGED: their files
tops() {
	local backing=$1

	shift
	TOPS=() LOGGED=()
	while [ $# -gt 0 ]; do
		top "$1" "$2" "$backing"
		TOPS+=("$TOP") LOGGED+=("${FILES[@]}")
		backing=$2.qcow2
		shift 2
	done
}

# record_tops COUNT LOWER... : the chain has so many of TOPS; the others come by the messages "snapshot @"
record_tops() {
	local n=$1 lower=("${@:2}") args=() arg

	logged "${LOGGED[@]}"
	layout "${TOPS[@]}"
	for arg in "${ARGS[@]}"; do
		if [[ $arg == *@ ]]; then
			words "${TOPS[n]}"
			arg=${arg/@/$WORDS}
			n=$((n + 1))
		fi
		args+=("$arg")
	done
	mkchain cct "${lower[@]}" "${TOPS[@]:0:$1}"
	load "${args[@]}"
	remove cct
	end_of_log
	[ "$FINAL" = a.raw ] || untouched stress a.raw b.qcow2
	keep crash "$CRASH_SEED" $((CRASH_OPS / 2))
}

# at PERCENT MESSAGE
at() { ARGS+=(--at "$((CRASH_OPS * $1 / 100)):$2"); }

# stream FORM BASE: with one, or "-"
stream() {
	FINAL=$2 ARGS=()
	at 20 "stream speed 100000$([ "$2" = - ] || echo " backing-file $2 raw")"
	at 30 job-pause
	at 40 job-resume
	at 60 "job-set-speed 0"
	at 60 wait
	one_top "$1" "${ARGS[@]}"
}

snapshot() {
	FINAL=- ARGS=()
	at 50 "snapshot @"
	two_tops "$1" "$2" "${ARGS[@]}"
}

# prepared: as snapshot, in two steps
prepared() {
	FINAL=- ARGS=()
	at 30 "snapshot-prepare @"
	at 60 snapshot-commit
	two_tops "$1" "$2" "${ARGS[@]}"
}

copy() {
	FINAL=- ARGS=()
	at 20 "snapshot @"
	at 40 "stream speed 100000"
	at 70 "job-set-speed 0"
	at 70 wait
	two_tops "$1" "$2" "${ARGS[@]}"
}

plain() {
	FINAL=b.qcow2
	one_top "$1" --at 0:"base none"
}

# job HOW MESSAGE: once through, or kept until it is told, cancelled and done again, or interrupted by a removal
job() {
	[ "$1" = kept ] || at 40 "$2"
	case $1 in
	kept)
		at 20 "$2 keep"
		at 30 "job-set-speed 0"
		at 30 ready
		at 60 job-complete
		at 60 wait
		return
		;;
	through)
		at 40 "past 1M"
		at 40 job-pause
		at 50 job-resume
		;;
	cancelled)
		at 40 "past 1M"
		at 40 job-cancel
		at 60 "$2"
		;;
	interrupted)
		at 40 "past 1M"
		at 40 again
		at 60 again
		;;
	esac
	at 70 "job-set-speed 0"
	at 70 wait
}

# commit HOW FORM FORM FORM: [a] [b] [c], then d, then e; d goes into c
commit() {
	FINAL=c.qcow2 ARGS=()
	use stress a.raw b.qcow2 model.raw
	tops b.qcow2 "$2" c "$3" d "$4" e
	at 5 "snapshot @"
	at 35 "snapshot @"
	job "$1" "commit top 3 base 2 $SLOW backing-file c.qcow2 qcow2"
	record_tops 1 a.raw b.qcow2
}

# commit_unused HOW FORM: [a] [b] [c] [d], then e; d goes into c, which was never a top and has no identity
commit_unused() {
	FINAL=c.qcow2 ARGS=()
	use stress a.raw b.qcow2 model.raw
	tops b.qcow2 "$2" c single d single e
	at 35 "snapshot @"
	job "$1" "commit top 3 base 2 $SLOW backing-file c.qcow2 qcow2"
	record_tops 2 a.raw b.qcow2
}

# commit_raw HOW FORM FORM FORM: [a] [c], then d, then e; c and d go into a
commit_raw() {
	FINAL=a.raw ARGS=()
	use stress a.raw
	cp --sparse=always a.raw model.raw
	tops a.raw "$2" c "$3" d "$4" e
	LOGGED+=(a.raw)
	at 15 "snapshot @"
	at 35 "snapshot @"
	job "$1" "commit top 2 base 0 $SLOW backing-file a.raw raw"
	record_tops 1 a.raw
}

# lower HOW BASE FORM FORM FORM: [a] [b] [c], then d, then e; what d has not is copied into it, from above the base
lower() {
	local base=none name=()

	FINAL=$2 ARGS=() INTO=d.qcow2
	use stress a.raw b.qcow2 model.raw
	tops b.qcow2 "$3" c "$4" d "$5" e
	at 5 "snapshot @"
	at 35 "snapshot @"
	[ "$2" = - ] || base=0 name=(backing-file "$2" "${2##*.}")
	job "$1" "stream top 3 base $base $SLOW ${name[*]}"
	record_tops 1 a.raw b.qcow2
}

# in_stream HOW BASE FORM FORM: [a] [b] [c], then d, while a stream into c runs, which goes on
in_stream() {
	local base=none name=()

	FINAL=$2 ARGS=() INTO=c.qcow2
	use stress a.raw b.qcow2 model.raw
	tops b.qcow2 "$3" c "$4" d
	[ "$2" = - ] || base=0 name=(backing-file "$2" "${2##*.}")
	at 20 "stream base $base $SLOW ${name[*]}"
	at 20 "past 1M"
	case $1 in
	through)
		at 40 "snapshot @"
		;;
	two)
		at 30 "snapshot-prepare @"
		at 40 snapshot-commit
		;;
	interrupted)
		at 40 "snapshot @"
		at 45 again
		at 60 again
		;;
	cancelled)
		at 40 "snapshot @"
		at 45 job-cancel
		at 60 "stream top 2 base $base $SLOW ${name[*]}"
		;;
	esac
	at 70 "job-set-speed 0"
	at 70 wait
	record_tops 1 a.raw b.qcow2
}

# active HOW FORM FORM [FORM]: [a] [b] [c], then d, perhaps e; all above c go into c, which becomes the top
active() {
	local how=$1 n=$#

	FINAL=c.qcow2 ARGS=() ACTIVE=1
	use stress a.raw b.qcow2 model.raw
	tops b.qcow2 "$2" c "$3" d ${4:+"$4" e}
	at 5 "snapshot @"
	[ $# -lt 4 ] || at 25 "snapshot @"
	job "$how" "commit top $n base 2 $SLOW"
	record_tops 1 a.raw b.qcow2
}

# active_unused HOW FORM: [a] [b] [c] [d]; d goes into c, which was never a top and has no identity
active_unused() {
	FINAL=c.qcow2 ARGS=() ACTIVE=1
	use stress a.raw b.qcow2 model.raw
	tops b.qcow2 "$2" c single d
	job "$1" "commit top 3 base 2 $SLOW"
	record_tops 2 a.raw b.qcow2
}

copied() {
	status cct
	[ "$S_STATE" = concluded ] || [ "$S_OFF" -ge "$1" ]
}

# file_system FORM ROUNDS: fsync on ext4 during a stream; crash/fsck judges what is left of it
file_system() {
	local form=$1 word i

	need mkfs.ext4
	modprobe -q ext4 || true
	FINAL=-
	use stress a.raw b.qcow2 model.raw
	top "$form" c b.qcow2
	word=$TOP
	logged "${FILES[@]}"
	layout "$word"
	echo no-model >>layout
	printf '%s\n' "seed $CRASH_SEED" "message 0 stream" "message 1 wait" >record
	for i in 0 1 2 3; do
		echo "mark $i 0"
	done >>record
	mkchain cct a.raw b.qcow2 "$word"
	# what is discarded need not be copied
	mkfs.ext4 -q -E nodiscard "$DEV"
	mkdir mnt
	mount "$DEV" mnt
	dmsetup message cct-log 0 mark fs-0
	crashfs run mnt "$2" "$CRASH_SEED" cct-log &
	dmsetup message cct-log 0 mark b-0-0
	msg cct stream speed 1000000
	dmsetup message cct-log 0 mark d-0-1
	dmsetup message cct-log 0 mark b-1-2
	# some of it while the file system is used
	wait_for 60 copied 2097152
	msg cct job-set-speed 0 || true
	job_done cct
	dmsetup message cct-log 0 mark d-1-3
	wait $!
	umount mnt
	remove cct
	end_of_log
	keep crash "$CRASH_SEED" $((CRASH_OPS / 2))
}

# ---- cases ----

it "a stream with a base, into a single file" stream_base_single
stream_base_single() { stream single a.raw; }

it "a copy, from a single file to an external data file" copy_ext
copy_ext() { copy single -ext; }

it "a snapshot in two steps, of single files" prepared_single
prepared_single() { prepared single single; }

it "a stream without a base, into an external data file" stream_none_ext
stream_none_ext() { stream -ext -; }

it "a commit into a raw base, interrupted" commit_raw_again
commit_raw_again() { commit_raw interrupted single single single; }

it "a commit of single files, interrupted" commit_again
commit_again() { commit interrupted single single single; }

it "a commit of the top, interrupted" active_again
active_again() { active interrupted single single; }

it "a commit of the top into an external data file, when it is told" active_kept_ext
active_kept_ext() { active kept -ext single; }

it "a stream into a layer below the top, interrupted" lower_again
lower_again() { lower interrupted a.raw single single single; }

it "a snapshot while a stream runs, which is interrupted then" in_stream_again
in_stream_again() { in_stream interrupted - single single; }

if [ -n "$CRASH_FULL" ]; then
	it "a stream into a layer below the top" lower_through
	lower_through() { lower through - single single single; }

	it "a stream into a layer below the top, cancelled and done again" lower_cancelled
	lower_cancelled() { lower cancelled - single single -ext; }

	it "a stream into an external data file below the top, interrupted" lower_ext
	lower_ext() { lower interrupted - single -ext single; }

	it "a stream into an external data file below the top, with a base" lower_ext_base
	lower_ext_base() { lower through a.raw -ext -ext -ext; }

	it "a snapshot while a stream with a base runs" in_stream_base
	in_stream_base() { in_stream through a.raw single single; }

	it "a snapshot in two steps while a stream runs" in_stream_two
	in_stream_two() { in_stream two - single -ext; }

	it "a snapshot while a stream into an external data file runs, interrupted" in_stream_ext
	in_stream_ext() { in_stream interrupted - -ext single; }

	it "a snapshot while a stream into an external data file runs, cancelled" in_stream_ext_cancelled
	in_stream_ext_cancelled() { in_stream cancelled - -ext -ext; }

	it "writes to a single file" plain_single
	plain_single() { plain single; }

	it "writes to an external data file" plain_ext
	plain_ext() { plain -ext; }

	it "a stream with a base, into an external data file" stream_base_ext
	stream_base_ext() { stream -ext a.raw; }

	it "a stream without a base, into a single file" stream_none_single
	stream_none_single() { stream single -; }

	it "a snapshot of single files" snapshot_single
	snapshot_single() { snapshot single single; }

	it "a snapshot in two steps, of external data files" prepared_ext
	prepared_ext() { prepared -ext -ext; }

	it "a snapshot of external data files" snapshot_ext
	snapshot_ext() { snapshot -ext -ext; }

	it "a copy, from an external data file to a single file" copy_single
	copy_single() { copy -ext single; }

	it "a commit of single files" commit_single
	commit_single() { commit through single single single; }

	it "a commit of single files, cancelled and done again" commit_cancelled
	commit_cancelled() { commit cancelled single single single; }

	it "a commit of external data files" commit_ext
	commit_ext() { commit through -ext -ext -ext; }

	it "a commit of external data files, cancelled and done again" commit_ext_cancelled
	commit_ext_cancelled() { commit cancelled -ext single -ext; }

	it "a commit of a single file into an external data file, interrupted" commit_ext_again
	commit_ext_again() { commit interrupted -ext single single; }

	it "a commit into a layer that was never a top" commit_new
	commit_new() { commit_unused cancelled single; }

	it "a commit into an external data file that was never a top" commit_new_ext
	commit_new_ext() { commit_unused interrupted -ext; }

	it "a commit into a raw base" commit_raw_single
	commit_raw_single() { commit_raw through single -ext single; }

	it "a commit into a raw base, cancelled and done again" commit_raw_cancelled
	commit_raw_cancelled() { commit_raw cancelled -ext single -ext; }

	it "a commit of the top" active_single
	active_single() { active through single single; }

	it "a commit of the top, when it is told" active_kept
	active_kept() { active kept single single; }

	it "a commit of the top, cancelled and done again" active_cancelled
	active_cancelled() { active cancelled single single; }

	it "a commit of the top into an external data file, interrupted" active_ext_again
	active_ext_again() { active interrupted -ext single; }

	it "a commit of an external data file" active_from_ext
	active_from_ext() { active through single -ext; }

	it "a commit of two layers and external data files" active_two
	active_two() { active through -ext single -ext; }

	it "a commit of two layers, interrupted" active_two_again
	active_two_again() { active interrupted single single single; }

	it "a commit of the top into a layer that was never one" active_new
	active_new() { active_unused cancelled single; }

	it "a commit of the top into an external data file that was never one" active_new_ext
	active_new_ext() { active_unused kept -ext; }

	it "a file system on a single file, during a stream" fs_single
	fs_single() { file_system single $((CRASH_OPS / 10)); }

	it "a file system on an external data file, during a stream" fs_ext
	fs_ext() { file_system -ext $((CRASH_OPS / 10)); }
fi

run_cases
