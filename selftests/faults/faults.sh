#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The n-th I/O of a scenario fails, for every n: on every layer, reads and writes, metadata and
# data. Then layers that fail now and then (dm-flakey), and one that is very slow (dm-delay).
#
# FAULTS: a number: every so many of the I/Os, by larger steps among those of one kind (the
# default); "all": every one, and also errors that go on, and errors of I/O that was done all the
# same; "alloc": allocations instead of I/O, on a kernel with failslab: each, or each STRIDE-th.
# FAULT_OPTS: options of faultwalk, to try some again.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

: "${FAULTS:=71}" "${SEED:=1}"
exec {SHOWN}>&1		# for what the walks have counted, as comments

need_faults() {
	local module=$HERE/../build/fault-${DM_COWCHAIN_KERNEL:-none}/dm-cct-fault.ko

	modprobe -q dm-cct-fault 2>/dev/null || [ ! -e "$module" ] ||
		[ -e /sys/module/dm_cct_fault ] || insmod "$module"
	[ -w /sys/module/dm_cct_fault/parameters/plan ] || skip "needs the module dm-cct-fault"
}

# faulty DIRECTORY: its images, each behind a device whose I/O can be made to fail
faulty() {
	local i f files=(a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2)

	need_faults
	use "$1"
	[ "$1" = faults ] || files+=(d.data e.data)
	attach "${files[@]}"
	for ((i = 0; i < ${#files[@]}; i++)); do
		f=${files[i]}
		dmsetup create "cct-f$i" --table "0 $(sectors "$f") cct-fault ${LOOP[$f]} $i"
	done
}

# walk OPTION... -- SCENARIO...
walk() {
	local opts=() rc=0 rcu=/sys/kernel/rcu_expedited was

	[ -z "${FAULT_OPTS:-}" ] || read -r -a opts <<<"$FAULT_OPTS"

	while [ "$1" != -- ]; do
		opts+=("$1")
		shift
	done
	shift
	echo "# faultwalk ${opts[*]} $*" >&"$SHOWN"
	# A run is little else than tables, and those wait for grace periods; no fault is about them.
	was=$(<$rcu)
	echo 1 >$rcu
	faultwalk "${opts[@]}" "$T" "$@" >&"$SHOWN" || rc=$?
	echo "$was" >$rcu
	[ $rc -eq 0 ] || fail "a fault did what it must not do"
	keep_faults
}

# Files that qemu-img shall see; what the walk has made itself is in the manifest.
keep_faults() {
	keep check c.qcow2
	keep compare d.qcow2 model.raw
}

# sweep DIRECTORY SCENARIO... [: SCENARIO...]; what follows the colon only if all is asked for
sweep() {
	local dir=$1 form=() list=() names

	shift
	names=$*
	[ "$FAULTS" = all ] || names=${names%%:*}
	read -r -a list <<<"${names/:/}"
	set -- "${list[@]}"
	[ "$dir" = faults ] || form=(--ext)
	faulty "$dir"
	if [ "$FAULTS" != all ]; then
		walk "${form[@]}" --sparse --stride "$FAULTS" --first $((1 + SEED * 7 % FAULTS)) \
			--sample 7 -- "$@"
		return
	fi
	walk "${form[@]}" --errno EIO --sample 5 -- "$@"
	walk "${form[@]}" --errno EIO --times -1 --stride 3 --sample 11 -- "$@"
	[ "$*" != read ] || return 0
	# what changes something may meet a full disk, or be done in spite of the error
	walk "${form[@]}" --errno ENOSPC --ops wfdz --sample 11 -- "$@"
	walk "${form[@]}" --errno EIO --late --ops wfdz --sample 11 -- "$@"
}

has_failslab() {
	grep -q debugfs /proc/mounts || mount -t debugfs none /sys/kernel/debug
	[ -e /sys/kernel/debug/failslab/require-start ] &&
		[ -e /sys/kernel/debug/fail_page_alloc/require-start ]
}

# Allocations below the functions of the module, in whatever task: constructor, messages, workers.
allocations() {
	local dir=$1 form=() kind

	shift
	[ "$dir" = faults ] || form=(--ext)
	faulty "$dir"
	has_failslab || skip "needs failslab and fail_page_alloc with a stack filter"
	for kind in slab pages; do
		walk "${form[@]}" --kind $kind ${STRIDE:+--stride "$STRIDE"} -- "$@"
	done
}

io_cases() {
	it "activation" activation
	it "reads" reads
	it "writes and flushes" writes
	it "discards and write zeroes" zeroes
	it "streams without a base" streams
	it "streams with a base" bases
	it "snapshots" snapshots
	it "suspend, reload, removal" tables
	it "external data files: activation, I/O" ext_io
	it "external data files: streams, snapshots, tables" ext_jobs
	if [ "$FAULTS" = all ]; then
		it "writes that are done, and reported as errors" late
	else
		it "writes that fail: what was there before is there still" failed_writes
		it "header writes that fail, and are tried again" failed_headers
	fi
	it "a flush of the header that fails is not the last that is told" lost_flush
	it "nor one of the guest, though no bit waits for it" lost_idle_flush
	it "writes that a failed commit has lost: a flush says so after a reload" "lost_told before"
	it "but not if one has said so before that" "lost_told after"
	it "a device that turns out not to write zeroes" no_zeroes
	it "a lower layer that fails now and then: reads, and a job that stops and goes on" flakey_below
	it "a top that fails now and then: what was acknowledged is there" flakey_top
	it "a slow layer holds up only who needs its data" slow_data
	it "a slow layer holds up only who needs its metadata, and no stream the guest" slow_metadata
	it "a stream from a slow layer holds up no writes, also where it copies" slow_stream
	it "parts of subclusters that wait for a slow layer hold up no discards" slow_zeroes
	it "a snapshot does not wait for reads of a slow layer, nor do writes for the snapshot" slow_snapshot
	it "a write that has failed does not appear after a partial one" failed_appears
	it "a flush that fails in a suspend: the next table's first one says so" lost_suspend
	it "writes that end after a failed commit was told: a flush says so again" lost_late
	it "but a loss that was told is told once" lost_once
}

alloc_cases() {
	it "allocations: activation" alloc_activation
	it "allocations: I/O" alloc_io
	it "allocations: jobs" alloc_jobs
	it "allocations: snapshots and tables" alloc_tables
	it "allocations: external data files" alloc_ext
}

if [ "$FAULTS" = alloc ]; then
	alloc_cases
else
	io_cases
	# a sample, too, where there can be one
	if [ "$FAULTS" != all ] && has_failslab; then
		: "${STRIDE:=17}"
		alloc_cases
	fi
fi

activation() { sweep faults activate-used : activate; }

reads() { sweep faults read; }

writes() { sweep faults write fua; }

zeroes() { sweep faults zero; }

streams() { sweep faults stream-report stream-stop job-control : stream-enospc stream-once; }

bases() { sweep faults stream-base : stream-base-stop stream-named; }

snapshots() { sweep faults snapshot copy : snapshot-once; }

tables() { sweep faults suspend reload remove : reload-job; }

# The samples above meet too few of them, and these would lose data.
failed_writes() {
	faulty faults
	walk --ops w --stride 3 -- write
}

# Where the data has a file of its own there are few others. A stream goes on after each; what a snapshot
# or a stream has written that was refused does not stay.
failed_headers() {
	faulty faults-ext
	walk --ext --only d.qcow2 --ops w -- stream-stop
	walk --ext --only d.qcow2 --ops wf -- snapshot-once stream-once
	walk --ext --only d.qcow2 --ops w --late -- snapshot-once stream-once
}

late() {
	faulty faults
	walk --late --ops w -- snapshot-once job-control
}

# ---- one I/O that fails, told by number: what must follow ----

# The top is on cct-f3, with cct-top over it; its chain on the devices that can be made to fail.
faulty_chain() {
	faulty faults
	dmsetup create cct-top --table "0 $(sectors d.qcow2) linear /dev/mapper/cct-f3 0"
	TABLE="0 $(sectors model.raw) cowchain 0 4 raw /dev/mapper/cct-f0 - qcow2 /dev/mapper/cct-f1 -"
	TABLE+=" qcow2 /dev/mapper/cct-f2 - qcow2 /dev/mapper/cct-top -"
	create cct
	DEV=/dev/mapper/cct
}

# fail_top OPS NTH: the top's n-th I/O from now on fails once; OPS 2 are writes, 4 flushes
fail_top() { echo "8 $1 $2 1 5 0" >/sys/module/dm_cct_fault/parameters/plan; }

# A device may tell one flush only that it has lost what it was to write back. Whose flush that is does not
# matter: nothing may be called durable after it.
lost_flush() {
	faulty_chain
	io write:1M:64k:1
	msg cct stream speed 65536
	fail_top 4 1
	msg cct job-set-speed 131072
	in_mode cct ro || fail "the flush of the header failed, and the mode is $S_MODE"
	cowio "$DEV" EIO!flush
	remove cct
}

lost_idle_flush() {
	faulty_chain
	io write:1M:64k:1 flush
	fail_top 4 1
	cowio "$DEV" EIO!flush
	in_mode cct ro || fail "a flush failed, and the mode is $S_MODE"
	remove cct
}

in_mode() {
	status "$1"
	[ "$S_MODE" = "$2" ]
}

# The guest goes on over the reload. What it had written is gone: the next flush says so, once, unless one
# has said so already.
lost_told() {
	faulty_chain
	io write:1M:64k:1 flush
	# the data, then the bits of a commit that nobody has asked for
	fail_top 2 2
	cowio "$DEV" write:1088k:64k:2
	wait_for 30 in_mode cct ro
	[ "$1" = before ] || cowio "$DEV" EIO!flush
	dmsetup load cct --table "$(dmsetup table cct)"
	dmsetup suspend --noflush cct
	mark "told $1"
	dmsetup resume cct
	in_mode cct rw || fail "mode $S_MODE after a reload"
	if [ "$1" = before ]; then
		cowio "$DEV" EIO!flush
		logged 'the table before this one has lost writes'
	fi
	io flush read:1088k:64k write:1088k:64k:3 flush
	in_mode cct rw || fail "mode $S_MODE afterwards"
	remove cct
}

# change_top TARGET...: cct-top becomes that
change_top() {
	dmsetup load cct-top --table "0 $(sectors d.qcow2) $*"
	dmsetup suspend --noflush --nolockfs cct-top
	dmsetup resume cct-top
}

# Another table of the chain, the same, with nothing that would make the guest flush.
load_again() {
	dmsetup load cct --table "$(dmsetup table cct)"
	dmsetup suspend --noflush --nolockfs cct
	dmsetup resume cct
	in_mode cct rw || fail "mode $S_MODE after a reload"
}

# What was written over has no bits: only the device knows that it has lost it, and says so once.
lost_suspend() {
	faulty_chain
	io write:1M:64k:1 flush write:1M:64k:2
	fail_top 4 1
	dmsetup load cct --table "$(dmsetup table cct)"
	mark suspended
	dmsetup suspend --noflush --nolockfs cct
	logged 'could not be committed on suspend'
	dmsetup resume cct
	in_mode cct rw || fail "mode $S_MODE after a reload"
	cowio "$DEV" EIO!flush
	io flush
	remove cct
}

# The flush of the guest has failed for the first write; the second, for which there are dirty bits already
# in the same place, ends after that.
lost_late() {
	local top=/dev/mapper/cct-f3 first second

	need_target delay
	faulty_chain
	io write:1M:64k:1 flush
	change_top "delay $top 0 0 $top 0 6000 $top 0 0"
	fail_top 4 1
	cowio "$DEV" write:1088k:64k:2 &
	first=$!
	sleep 3
	cowio "$DEV" write:1152k:64k:2 &
	second=$!
	wait "$first"
	cowio "$DEV" EIO!flush
	in_mode cct ro || fail "a flush failed, and the mode is $S_MODE"
	waiting 1 || fail "the write is over already"
	wait "$second"
	change_top "linear $top 0"
	load_again
	cowio "$DEV" EIO!flush
	io flush
	remove cct
}

lost_once() {
	faulty_chain
	io write:1M:64k:1 flush
	# the data, then the bits of a commit that nobody has asked for
	fail_top 2 2
	cowio "$DEV" write:1088k:64k:2
	wait_for 30 in_mode cct ro
	dmsetup suspend --noflush --nolockfs cct
	dmsetup resume cct
	cowio "$DEV" EIO!flush
	load_again
	io flush
	remove cct
}

# ---- others ----

# None works, from the first one on.
no_zeroes() {
	local errno

	faulty faults-ext
	for errno in EREMOTEIO EOPNOTSUPP; do
		walk --ext --ops z --errno $errno --times -1 --stride 1000 -- zero
	done
}

ext_io() { sweep faults-ext write zero : activate read fua; }

ext_jobs() {
	sweep faults-ext stream-base copy : stream-report snapshot snapshot-once reload remove
}

alloc_activation() { allocations faults activate activate-used; }
alloc_io() { allocations faults read write fua zero; }
alloc_jobs() {
	allocations faults stream-report stream-stop stream-base stream-named stream-once job-control
}
alloc_tables() { allocations faults snapshot snapshot-once copy suspend reload reload-job remove; }
alloc_ext() { allocations faults-ext activate write zero stream-base snapshot reload; }

# ---- now and then ----

# The chain of most tests, FILE of it on something that can be changed.
changeable() {
	use abcd
	attach ro:a.raw ro:b.qcow2 ro:c.qcow2 d.qcow2
	over "$1" "0 $(sectors "$1") linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
}

# A second it works, a second all its I/O fails.
flakey() {
	need_target flakey
	change "$1" "0 $(sectors "$1") flakey @ 0 1 1"
}

repair() { change "$1" "0 $(sectors "$1") linear @ 0"; }

# try OP...: to the device and the model; false if that failed with EIO, nothing else may happen
try() {
	local out

	out=$(cowio -m "$T/model.raw" "$DEV" "$@" 2>&1) && return 0
	[[ $out == *"Input/output error"* ]] || fail "$out"
	return 1
}

flakey_below() {
	local good=0 bad=0 stops=0

	changeable b.qcow2
	flakey b.qcow2
	while [ $good -lt 3 ] || [ $bad -lt 3 ]; do
		if try read:64k:64k read:8M:64k; then
			good=$((good + 1))
		else
			bad=$((bad + 1))
		fi
		[ $((good + bad)) -lt 2000 ] || fail "$good reads worked, $bad failed"
		# what the top has, has nothing to do with that
		io write:1M:4k:$((good + bad)) read:1M:4k
	done
	msg cct stream on-error stop
	until in_state cct concluded; do
		if [ "$S_STATE" = paused ]; then
			eq "$S_IO" failed io-status
			stops=$((stops + 1))
			msg cct job-resume
		fi
		[ $stops -lt 2000 ] || fail "the job does not get on"
		sleep 0.1
	done
	job_done cct
	eq "$S_MODE" rw mode
	repair b.qcow2
	io random:20:1 verify
	chain_is cct d.qcow2
	retire cct d.qcow2
}

is_rw() {
	status cct
	[ "$S_MODE" = rw ]
}

# The table once more, which fails as long as the layer does.
anew() {
	dmsetup load cct --table "$(dmsetup table cct)" || return 1
	dmsetup suspend --noflush cct
	dmsetup resume cct || return 1
	is_rw
}

flakey_top() {
	local i good=0 bad=0

	changeable d.qcow2
	flakey d.qcow2
	for ((i = 1; good < 8 || bad < 3; i++)); do
		[ $i -lt 2000 ] || fail "$good writes worked, $bad failed"
		if try "fua:$((i % 200 * 68))k:6k:$i"; then
			good=$((good + 1))
			continue
		fi
		bad=$((bad + 1))
		is_rw || wait_for 60 anew
		# it may be there or not: until it is
		until try "fua:$((i % 200 * 68))k:6k:$i"; do
			is_rw || wait_for 60 anew
			sleep 0.2
		done
	done
	repair d.qcow2
	is_rw || anew
	io verify random:20:1 verify
	retire cct d.qcow2
}

# ---- slow ----

# What is asked of it comes back only when it is changed again, unless the case has failed.
slow() {
	need_target delay
	change "$1" "0 $(sectors "$1") delay @ 0 100000"
}

# waiting N: true if so many of the guest's I/Os are under way
waiting() { [ "$(dm_stat cct 8)" -ge "$1" ]; }

# True if the job waits for what is at the start, and has copied what comes behind.
job_waiting() {
	status cct
	[ "$S_STATE" = running ] && [ "$S_OFF" -lt $((1 << 20)) ] && [ "$S_ALLOC" -ge 16 ]
}

# others_go_on WAITING... -- OP...: what does not need the layer that is slow; who does need it WAITS all
# the time
others_go_on() {
	local waits=()

	while [ "$1" != -- ]; do
		waits+=("$1")
		shift
	done
	shift
	"${waits[@]}" || fail "nobody waits for the slow layer any more"
	timeout 80 cowio -m "$T/model.raw" "$DEV" "$@" ||
		fail "a slow layer holds up what does not need it"
	"${waits[@]}" || fail "nobody waits for the slow layer any more"
	status cct
	eq "$S_MODE" rw mode
}

slow_data() {
	local pid

	changeable b.qcow2
	io verify
	slow b.qcow2
	cowio -m "$T/model.raw" "$DEV" read:64k:4k &
	pid=$!
	wait_for 60 waiting 1
	others_go_on waiting 1 -- read:12M:64k read:128k:4k write:5M:4k:1 write:5124k:512:2 read:5M:8k flush \
		fua:72k:4k:3 zero:9M:64k discard:6M:128k write:4608512:512:4 flush
	repair b.qcow2
	wait "$pid" || fail "the slow read went wrong"
	io verify
	retire cct d.qcow2
}

slow_metadata() {
	local pid

	changeable b.qcow2
	slow b.qcow2
	# the first 4 MiB have not been looked up yet
	cowio -m "$T/model.raw" "$DEV" read:1M:4k &
	pid=$!
	wait_for 60 waiting 1
	msg cct stream
	others_go_on waiting 1 -- write:2M:4k:1 read:2M:4k flush write:9M:64k:2 fua:64k:4k:3 read:9M:64k \
		discard:9M:32k flush zero:10M:64k read:10M:64k
	in_state cct running || fail "the job is $S_STATE"
	repair b.qcow2
	wait "$pid" || fail "the slow read went wrong"
	job_done cct
	io verify
	retire cct d.qcow2
}

# The job has looked everything up; what it copies from the slow layer it waits for.
slow_stream() {
	changeable b.qcow2
	io verify
	slow b.qcow2
	msg cct stream
	wait_for 60 job_waiting
	others_go_on job_waiting -- write:68k:8k:1 read:68k:8k write:400k:64k:2 write:500k:512:3 flush zero:256k:32k \
		discard:2056k:64k fua:2M:4k:4 read:2M:4k write:8M:128k:5 read:8M:128k flush
	repair b.qcow2
	job_done cct
	io verify random:20:1 verify
	chain_is cct d.qcow2
	retire cct d.qcow2
}

# More than there are workers for discards, each in the middle of a subcluster that the slow layer has. On
# one block device they, and discards, would wait for each other's end before they come here.
slow_zeroes() {
	local pids=() pid i

	changeable b.qcow2
	io verify
	for i in 0 1 2 3 4; do
		dmsetup create "cct-way$i" --table "0 $SECTORS linear $DEV 0"
	done
	slow b.qcow2
	for i in 0 1 2 3; do
		cowio "/dev/mapper/cct-way$i" "zero:$((64 + 8 * i))k:512" &
		pids+=($!)
	done
	wait_for 60 waiting 4
	DEV=/dev/mapper/cct-way4
	others_go_on waiting 4 -- discard:6M:128k zero:9M:64k zero:1000k:30k write:1M:4k:1 discard:1M:64k flush \
		write:300k:4k:2 read:300k:4k
	repair b.qcow2
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "zeroing went wrong"
	done
	cowio -m "$T/model.raw" "$DEV" zero:64k:512 zero:72k:512 zero:80k:512 zero:88k:512 verify
	for i in 0 1 2 3 4; do
		remove "cct-way$i"
	done
	retire cct d.qcow2
}

slow_snapshot() {
	local read pid

	changeable b.qcow2
	use spare single.qcow2
	mv single.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	attach e.qcow2
	io verify
	slow b.qcow2
	cowio -m "$T/model.raw" "$DEV" read:64k:4k &
	read=$!
	wait_for 60 waiting 1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" - &
	pid=$!
	wait_for 60 has_layers 5
	others_go_on waiting 1 -- write:5M:64k:1 write:4608512:512:2 read:5M:64k flush fua:72k:4k:3 \
		discard:6M:128k read:12M:64k
	repair b.qcow2
	wait "$read" || fail "the slow read went wrong"
	wait "$pid"
	io verify
	retire cct e.qcow2
}

has_layers() {
	status cct
	[ "$S_LAYERS" = "$1" ]
}

# ---- writes that fail, and are done all the same ----

# A partial write has filled its subcluster's first sector and waits for the rest. Meanwhile the guest writes
# all of it, is told that this has failed, and reads what was there before.
failed_appears() {
	local pid

	need_faults
	use parts
	attach ro:base.raw ro:mid.qcow2 top.qcow2
	over base.raw "0 $(sectors base.raw) linear @ 0"
	dmsetup create cct-f3 --table "0 $(sectors top.qcow2) cct-fault ${LOOP[top.qcow2]} 3"
	LOOP[top.qcow2]=/dev/mapper/cct-f3
	mkchain cct base.raw mid.qcow2 top.qcow2
	io read:0:64k
	slow base.raw
	WRITTEN=$(dm_stat cct-f3 4)
	cowio "$DEV" write:512:512:1 &
	pid=$!
	wait_for 60 has_written 1
	waiting 1 || fail "the partial write is over already"
	echo "8 2 1 1 5 1" >/sys/module/dm_cct_fault/parameters/plan
	cowio "$DEV" EIO!write:0:4k:2
	io read:0:512
	repair base.raw
	wait "$pid"
	io read:0:512 write:512:512:1 read:0:64k verify
	retire cct top.qcow2
}

# has_written N: so many writes have reached the top since it was activated
has_written() { [ "$(($(dm_stat cct-f3 4) - WRITTEN))" -ge "$1" ]; }

run_cases
