#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The n-th I/O or allocation of a scenario fails, for every n: on every layer, reads and writes, metadata
# and data. From the environment:
#	FAULTS		a number (default 71): every so many of the I/Os, with larger steps among those
#			of one kind; "all": every I/O, and also errors that do not end, and errors of I/O
#			that was done; "alloc": allocations instead of I/O, on a kernel with failslab
#	STRIDE		of the allocations: each STRIDE-th (default: each with "alloc", else 17)
#	SEED		where to begin among the first FAULTS I/Os; by default the day of the year, so that a run
#			on another day tries other ones. The options of faultwalk in the output repeat it.
#	FAULT_OPTS	more options of faultwalk, to repeat some runs
# Seconds: 150
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/injector.sh
. "$HERE/lib/injector.sh"

: "${FAULTS:=71}"
[ -n "${SEED:-}" ] || printf -v SEED '%(%-j)T'
exec {SHOWN}>&1		# for what the walks have counted, as comments

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
	# loading tables takes most of the time of a run, and waits for grace periods, which no fault concerns
	was=$(<$rcu)
	echo 1 >$rcu
	faultwalk "${opts[@]}" "$T" "$@" >&"$SHOWN" || rc=$?
	echo "$was" >$rcu
	[ $rc -eq 0 ] || fail "a fault did what it must not do"
	keep_faults
}

# Adds the layers to the manifest; the walk has added the images that it has kept.
keep_faults() {
	keep check c.qcow2
	keep compare d.qcow2 model.raw
}

# sweep DIRECTORY SCENARIO... [: SCENARIO...]: what follows the colon runs only with FAULTS=all
sweep() {
	local dir=$1 form=() list=() names

	shift
	names=$*
	[ "$FAULTS" = all ] || names=${names%%:*}
	read -r -a list <<<"${names/:/}"
	set -- "${list[@]}"
	[ "$dir" != faults-ext ] || form=(--ext)
	faulty "$dir"
	if [ "$FAULTS" != all ]; then
		walk "${form[@]}" --sparse --stride "$FAULTS" --first $((1 + SEED * 7 % FAULTS)) \
			--sample 7 -- "$@"
		return
	fi
	walk "${form[@]}" --errno EIO --sample 5 -- "$@"
	walk "${form[@]}" --errno EIO --times -1 --stride 3 --sample 11 -- "$@"
	# a write may find a full disk, or be done in spite of the error; reads have none
	names=" $* "
	read -r -a list <<<"${names/ read / }"
	[ ${#list[@]} -gt 0 ] || return 0
	set -- "${list[@]}"
	walk "${form[@]}" --errno ENOSPC --ops wfdz --sample 11 -- "$@"
	walk "${form[@]}" --errno EIO --late --ops wfdz --sample 11 -- "$@"
}

# Allocations below the functions of the module, in any task: constructor, messages, workers.
allocations() {
	local dir=$1 form=() kind

	shift
	[ "$dir" != faults-ext ] || form=(--ext)
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
	it "streams into a layer below the top, snapshots while a stream runs" lowers
	it "commits" commits
	it "commits of the top" actives
	it "jobs that verify" verifies
	it "suspend, reload, removal" tables
	it "compressed clusters: reads, fills, streams" packed
	it "external data files: activation, I/O" ext_io
	it "external data files: streams, snapshots, tables" ext_jobs
	it "external data files: commits" ext_commits
	it "external data files: commits of the top" ext_actives
	it "the base of a commit fails" failed_base
	it "the base of a commit of the top fails" failed_pivot
	if [ "$FAULTS" = all ]; then
		it "writes that are done, and reported as failed" late
	else
		it "writes that fail: the old contents are still there" failed_writes
		it "header writes that fail, and are tried again" failed_headers
	fi
	it "a device that turns out not to write zeroes" no_zeroes
}

alloc_cases() {
	it "allocations: activation" alloc_activation
	it "allocations: I/O" alloc_io
	it "allocations: jobs" alloc_jobs
	it "allocations: snapshots and tables" alloc_tables
	it "allocations: external data files" alloc_ext
	it "allocations: compressed clusters" alloc_packed
}

if [ "$FAULTS" = alloc ]; then
	alloc_cases
else
	io_cases
	# a sample of the allocations, too, if the kernel supports it
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

snapshots() { sweep faults snapshot snapshot-in-two copy : snapshot-once; }

lowers() { sweep faults stream-lower snapshot-in-stream : stream-lower-stop stream-lower-reload; }

commits() { sweep faults commit-stop commit-raw : commit-report commit-raw-stop commit-remove commit-reload; }

actives() { sweep faults active-keep active-stop : active-report active-keep-stop active-remove active-reload; }

verifies() { sweep faults stream-verify commit-raw-verify : commit-verify active-verify; }

tables() { sweep faults suspend reload remove : reload-job; }

# All of these, because the samples above have too few of them, and they could lose data.
failed_writes() {
	faulty faults
	walk --ops w --stride 3 -- write
}

# With an external data file there are few other I/Os. A stream continues after each fault; what a snapshot
# or a stream has written that was refused is removed.
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

# ---- others ----

# All of them fail.
no_zeroes() {
	local errno

	faulty faults-ext
	for errno in EREMOTEIO EOPNOTSUPP; do
		walk --ext --ops z --errno $errno --times -1 --stride 1000 -- zero
	done
}

packed() { sweep faults-packed read write stream-report : activate zero stream-base-stop copy reload; }

ext_io() { sweep faults-ext write zero : activate read fua; }

ext_jobs() {
	sweep faults-ext stream-base copy stream-lower : snapshot-in-stream stream-verify stream-report snapshot snapshot-once \
		reload remove
}

ext_commits() { sweep faults-ext commit-up : commit-up-stop commit-report commit-raw commit-remove; }

ext_actives() { sweep faults-ext active-up : active-up-keep active-report active-keep active-remove; }

# What is lost on its way to the base is noticed, but not by the guest. The samples above have few of these.
failed_base() {
	faulty faults
	if [ "$FAULTS" = all ]; then
		walk --ops wfdz --times -1 --only c.qcow2 -- commit-report commit-stop
		walk --ops wfdz --times -1 --only a.raw -- commit-raw
		return
	fi
	walk --ops wz --stride 3 --only a.raw -- commit-raw
	walk --ops wf --stride 3 --first 8 --only c.qcow2 -- commit-stop
	walk --ops wf --times -1 --stride 100 --first 8 --only c.qcow2 -- commit-stop
}

# Also of the header that makes it the top, which may be right or not when the errors do not end.
failed_pivot() {
	faulty faults
	if [ "$FAULTS" = all ]; then
		walk --ops wfdz --times -1 --only c.qcow2 -- active-report active-keep-stop
		walk --ops wfdz --late --only c.qcow2 -- active-report active-keep-stop
		return
	fi
	walk --ops wf --stride 5 --first $((1 + SEED % 5)) --only c.qcow2 -- active-keep
	walk --ops wf --stride 5 --times -1 --first $((1 + SEED % 5)) --only c.qcow2 -- active-report
}

alloc_activation() { allocations faults activate activate-used; }
alloc_io() { allocations faults read write fua zero; }
alloc_jobs() {
	allocations faults stream-report stream-stop stream-base stream-named stream-once job-control \
		commit-stop commit-raw active-stop active-keep stream-verify commit-verify stream-lower \
		snapshot-in-stream
}
alloc_tables() {
	allocations faults snapshot snapshot-in-two snapshot-once copy suspend reload reload-job \
		remove
}
alloc_ext() { allocations faults-ext activate write zero stream-base snapshot reload; }
alloc_packed() { allocations faults-packed activate read write stream-report reload; }

run_cases
