#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Streams into a layer below the top, and snapshots while a stream runs.
# Seconds: 120
# Quick: plain|snapshot_once
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# So slow that a job does not end before it is told to.
SLOW=(speed 16384)

# five: a <- b <- c <- d <- e, of which c and d are prepared and can be written; e is the top. d.model is what d
# shows, and so what a stream into it has to leave.
five() {
	use abcd
	attach c.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	io random:60:1
	cp model.raw d.model
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:60:2
	layers a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
}

# copied: a job is running that has copied something
copied() {
	wait_for 60 some_copied
	eq "$S_STATE" running "state of the job"
}

# streamed LAYER...: the job has ended, and this is the chain
streamed() {
	job_done cct
	eq "$S_TYPE" stream "kind of job"
	chain_is cct "$@"
	io verify random:40:3 verify
}

# after TOP: it and d have to be right, and can be attached again; what was dropped is of no use
after() {
	remove cct
	rm -f "${@:2}"
	create cct
	io verify
	retire cct "$1"
	keep check d.qcow2
	keep compare d.qcow2 d.model
}

it "what lies below a layer is copied into it" plain
plain() {
	five
	ident d.qcow2
	msg cct stream top 3 base 0 backing-file a.raw raw
	streamed a.raw d.qcow2 e.qcow2
	eq "$S_TOP/$S_BASE" 3/0 "layers of the job"
	eq "$(qcow2poke d.qcow2 backing)" a.raw "backing file"
	local gen=$I_GEN
	ident d.qcow2
	eq "$I_GEN/$((I_FLAGS & 1))/$I_JOB" "$gen/1/0" "generation, seal and job of d"
	layers a.raw d.qcow2 e.qcow2
	after e.qcow2 b.qcow2 c.qcow2
}

it "without a base, and under a guest that writes" no_base
no_base() {
	five
	msg cct stream top 3 "${SLOW[@]}"
	copied
	io random:60:4 verify
	msg cct job-set-speed 0
	streamed d.qcow2 e.qcow2
	layers d.qcow2 e.qcow2
	after e.qcow2 a.raw b.qcow2 c.qcow2
}

it "a base in the middle, by the name that the layer above it has" middle
middle() {
	five
	msg cct base 1
	msg cct stream top "${LOOP[d.qcow2]}" backing-file b.qcow2 qcow2
	streamed a.raw b.qcow2 d.qcow2 e.qcow2
	eq "$(msg cct base)" none "base after the job"
	layers a.raw b.qcow2 d.qcow2 e.qcow2
	after e.qcow2 c.qcow2
}

it "one layer down, which has nothing new: the end changes nothing but the record" nothing
nothing() {
	five
	msg cct stream top 3 base 2
	streamed a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	eq "$(qcow2poke d.qcow2 backing)" c.qcow2 "backing file"
	after e.qcow2
}

it "into the lowest layer but one, and into one that is below a written one" deep
deep() {
	five
	msg cct stream top 2 base 0 backing-file a.raw raw
	streamed a.raw c.qcow2 d.qcow2 e.qcow2
	msg cct stream top 2
	streamed d.qcow2 e.qcow2
	layers d.qcow2 e.qcow2
	after e.qcow2 a.raw b.qcow2 c.qcow2
}

it "into an external data file, which becomes a raw disk" external
external() {
	use ext
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	create cct
	DEV=/dev/mapper/cct
	spare e d.qcow2
	io random:60:5 zero:3M:1M discard:6M:1M
	cp model.raw d.model
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:60:6
	msg cct stream top 3
	streamed d.qcow2,d.data e.qcow2
	keep identical d.data d.model
	layers d.qcow2,d.data e.qcow2
	after e.qcow2 a.raw b.qcow2 c.qcow2
}

it "of compressed layers, small clusters, and layers that are shorter" kinds
kinds() {
	local kind all=$T

	for kind in comp-512 comp-zstd v2 short; do
		T=$all/$kind
		mkdir "$T"
		cd "$T"
		LOOP=()
		if [ $kind = short ]; then
			use kinds base.raw v3-4k.qcow2 v3-4k.model
			kind=v3-4k
		else
			use kinds base.raw $kind.qcow2 $kind.model
		fi
		use spare single.qcow2
		mv single.qcow2 d.qcow2
		qcow2poke d.qcow2 backing $kind.qcow2 qcow2
		layers base.raw $kind.qcow2 d.qcow2
		tails base.raw $kind.qcow2 d.qcow2
		create cct
		DEV=/dev/mapper/cct
		cp $kind.model model.raw
		truncate -s 16M model.raw
		spare e d.qcow2
		io verify random:20:1
		cp model.raw d.model
		msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
		io random:20:2
		msg cct stream top 2
		streamed d.qcow2 e.qcow2
		remove cct
		keep check d.qcow2
		keep compare d.qcow2 d.model
		keep compare e.qcow2 model.raw
		detach "${!LOOP[@]}"
	done
	T=$all
	cd "$T"
}

# ---- interrupted, cancelled ----

it "cancelled: the chain stays, and goes on the next time" cancelled
cancelled() {
	five
	msg cct stream top 3 "${SLOW[@]}"
	copied
	ident d.qcow2
	eq "$I_JOB" 1 "recorded job"
	msg cct job-cancel
	status cct
	eq "$S_STATE/$S_ERR" concluded/125 "state of the job"
	ident d.qcow2
	eq "$I_JOB" 0 "recorded job"
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	io random:20:7 verify
	remove cct
	create cct
	status cct
	eq "$S_STATE" "" "state of the job"
	io verify
	msg cct stream top 3
	streamed d.qcow2 e.qcow2
	layers d.qcow2 e.qcow2
	after e.qcow2 a.raw b.qcow2 c.qcow2
}

it "goes on when the table is loaded again, and is paused meanwhile" continued
continued() {
	five
	msg cct stream top 3 base 0 backing-file a.raw raw "${SLOW[@]}"
	copied
	msg cct job-pause
	status cct
	eq "$S_STATE" paused "state of the job"
	remove cct
	create cct
	wait_state cct paused
	eq "$S_TYPE/$S_TOP/$S_BASE" stream/3/0 "job"
	io random:20:8 verify
	msg cct job-set-speed 0
	msg cct job-resume
	streamed a.raw d.qcow2 e.qcow2
	eq "$(qcow2poke d.qcow2 backing)" a.raw "backing file"
	layers a.raw d.qcow2 e.qcow2
	after e.qcow2 b.qcow2 c.qcow2
}

it "goes on after a suspend and after a reload" reloaded
reloaded() {
	five
	msg cct stream top 3 "${SLOW[@]}"
	copied
	dmsetup suspend cct
	dmsetup resume cct
	io verify
	dmsetup suspend cct
	dmsetup load cct --table "$TABLE"
	dmsetup resume cct
	wait_state cct running
	eq "$S_TOP" 3 "layer of the job"
	io verify random:20:12
	msg cct job-set-speed 0
	streamed d.qcow2 e.qcow2
	layers d.qcow2 e.qcow2
	after e.qcow2 a.raw b.qcow2 c.qcow2
}

it "waits with no_auto_resume, and for a device that can be written" waits
waits() {
	local rw

	five
	msg cct stream top 3 "${SLOW[@]}"
	copied
	remove cct
	rw=${LOOP[d.qcow2]}
	unset "LOOP[d.qcow2]"
	attach ro:d.qcow2
	layers a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	create cct
	status cct
	eq "$S_STATE/$S_TOP" created/3 "job"
	io random:20:9 verify
	refuse_msg "EROFS|EACCES" cct job-resume
	refuse_msg EBUSY cct stream top 2
	msg cct stream top 3 device "$rw" -
	LOOP[d.qcow2]=$rw
	streamed d.qcow2 e.qcow2
	layers d.qcow2 e.qcow2
	after e.qcow2 a.raw b.qcow2 c.qcow2
}

it "a record that waits can be resumed, and dropped" dropped
dropped() {
	five
	msg cct stream top 3 "${SLOW[@]}"
	copied
	remove cct
	TABLE=${TABLE/ cowchain 0 / cowchain 1 no_auto_resume }
	create cct
	status cct
	eq "$S_STATE/$S_TOP" created/3 "job"
	msg cct job-resume
	copied
	remove cct
	create cct
	msg cct job-cancel
	status cct
	eq "$S_STATE" "" "state of the job"
	ident d.qcow2
	eq "$((I_FLAGS & 1))/$I_JOB" 1/0 "seal and recorded job"
	refuse_msg ENOENT cct job-cancel
	refuse_msg ENOENT cct job-resume
	io verify
	msg cct stream top 3
	streamed d.qcow2 e.qcow2
	layers d.qcow2 e.qcow2
	after e.qcow2 a.raw b.qcow2 c.qcow2
}

it "a cancel that fails leaves all of the record, also the name that was given" cancel_fails
cancel_fails() {
	local base

	need_target flakey
	use abcd
	attach d.qcow2
	spare e d.qcow2
	base="0 $(sectors d.qcow2)"
	over d.qcow2 "$base linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	# the layer above the base has a relative name, which is not taken by default
	msg cct stream top 3 base 0 backing-file other.raw raw "${SLOW[@]}"
	copied
	msg cct job-pause
	change d.qcow2 "$base flakey @ 0 0 3600 1 error_writes"
	refuse_msg EIO cct job-cancel
	change d.qcow2 "$base linear @ 0"
	status cct
	eq "$S_STATE/$S_TYPE" concluded/stream "the job"
	msg cct job-resume
	msg cct job-set-speed 0
	job_done cct
	eq "$(qcow2poke d.qcow2 backing)" other.raw "backing file"
	io verify
}

# ---- what else uses the layer ----

it "another chain made for the layer is right before, and afterwards" shared
shared() {
	five
	remove cct
	spare x d.qcow2
	cp d.model x.model
	layers a.raw b.qcow2 c.qcow2 d.qcow2 x.qcow2
	create cct2
	cowio -m "$T/x.model" /dev/mapper/cct2 random:20:1 verify
	layers a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	create cct
	refuse_msg EBUSY cct stream top 3
	remove cct2
	msg cct stream top 3 "${SLOW[@]}"
	copied
	layers a.raw b.qcow2 c.qcow2 d.qcow2 x.qcow2
	refuse_create EBUSY "in use by another chain"
	msg cct job-set-speed 0
	streamed d.qcow2 e.qcow2
	# with the layers that are in d now, and without them
	layers a.raw b.qcow2 c.qcow2 d.qcow2 x.qcow2
	create cct2
	cowio -m "$T/x.model" /dev/mapper/cct2 random:20:2 verify
	remove cct2
	layers d.qcow2 x.qcow2
	create cct2
	cowio -m "$T/x.model" /dev/mapper/cct2 random:20:3 verify
	retire cct2 x.qcow2 x.model
	layers d.qcow2 e.qcow2
	after e.qcow2
}

it "what cannot be streamed into" refused
refused() {
	five
	refuse_msg EINVAL cct stream top 0
	refuse_msg EINVAL cct stream top 3 base 3
	refuse_msg EINVAL cct stream top 3 base 4
	refuse_msg EINVAL cct stream top 4 base 4
	refuse_msg EINVAL cct stream top 3 backing-file a.raw raw
	refuse_msg EINVAL cct stream top 4 device "${LOOP[d.qcow2]}" -
	# ordinary qcow2, not prepared, and its device cannot be written
	refuse_msg "EACCES|EROFS|EMEDIUMTYPE" cct stream top 1
	# a part of the chain; another image than the chain has
	refuse_msg EBUSY cct stream top 3 device "${LOOP[c.qcow2]}" -
	use spare single.qcow2
	attach single.qcow2
	refuse_msg EINVAL cct stream top 3 device "${LOOP[single.qcow2]}" -
	# a commit into it has not ended
	msg cct commit top 3 base 2 backing-file c.qcow2 qcow2 "${SLOW[@]}"
	copied
	refuse_msg EBUSY cct stream top 2
	refuse_msg EBUSY cct snapshot qcow2 "${LOOP[single.qcow2]}" -
	msg cct job-cancel
	refuse_msg EBUSY cct stream top 2
	# ... and what is above it is shown only with the layer that is committed
	refuse_msg EBUSY cct stream top 4 base 2
	status cct
	eq "$S_TYPE" commit "the last job"
	io verify
	msg cct commit top 3 base 2 backing-file c.qcow2 qcow2
	job_done cct
	msg cct stream top 2
	job_done cct
	chain_is cct c.qcow2 e.qcow2
	io random:20:1 verify
	retire cct e.qcow2
}

it "into the top by its number, with its base" by_number
by_number() {
	five
	msg cct stream top 4 base 0 backing-file a.raw raw
	streamed a.raw e.qcow2
	eq "$S_TOP/$S_BASE" 4/0 "layers of the job"
	retire cct e.qcow2
}

# ---- snapshots while a stream runs ----

# onto NAME BELOW: a snapshot
onto() {
	spare "$1" "$2"
	msg cct snapshot qcow2 "${LOOP[$1.qcow2]}" -
}

it "a snapshot while a stream runs: the stream goes on" snapshot_once
snapshot_once() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:40:1
	msg cct stream "${SLOW[@]}"
	copied
	io random:40:2
	onto e d.qcow2
	cp model.raw d.model
	status cct
	eq "$S_STATE/$S_TOP" running/3 "job"
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	ident d.qcow2
	eq "$((I_FLAGS & 1))/$I_JOB" 1/1 "seal and job of d"
	io random:40:4 verify
	msg cct job-set-speed 0
	streamed d.qcow2 e.qcow2
	ident d.qcow2
	eq "$((I_FLAGS & 1))/$I_JOB" 1/0 "seal and job of d"
	layers d.qcow2 e.qcow2
	after e.qcow2 a.raw b.qcow2 c.qcow2
}

it "two of them, the second onto an external data file; then the job is cancelled" snapshot_twice
snapshot_twice() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct base 0
	msg cct stream backing-file a.raw raw "${SLOW[@]}"
	copied
	onto e d.qcow2
	cp model.raw d.model
	io random:40:2
	spare f e.qcow2 ext
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" "${LOOP[f.data]}"
	io random:40:3 verify
	msg cct job-pause
	status cct
	eq "$S_STATE/$S_TOP/$S_LAYERS" paused/3/6 "job"
	msg cct job-cancel
	ident d.qcow2
	eq "$((I_FLAGS & 1))/$I_JOB" 1/0 "seal and job of d"
	io verify
	msg cct stream top 3 base 0 backing-file a.raw raw
	streamed a.raw d.qcow2 e.qcow2 f.qcow2,f.data
	remove cct
	layers a.raw d.qcow2 e.qcow2 f.qcow2,f.data
	create cct
	io verify
	retire cct f.qcow2
	keep check d.qcow2
	keep compare d.qcow2 d.model
}

it "a snapshot in two steps, of a stream into an external data file" snapshot_ext
snapshot_ext() {
	use ext
	layers a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	create cct
	DEV=/dev/mapper/cct
	spare e d.qcow2
	msg cct stream "${SLOW[@]}"
	copied
	msg cct snapshot-prepare qcow2 "${LOOP[e.qcow2]}" -
	msg cct job-set-speed 0
	io random:40:1 zero:3M:1M
	# its end waits for the snapshot
	sleep 1
	status cct
	eq "$S_STATE" running "state of the job"
	msg cct snapshot-commit
	cp model.raw d.model
	io random:40:2
	streamed d.qcow2,d.data e.qcow2
	keep identical d.data d.model
	layers d.qcow2,d.data e.qcow2
	after e.qcow2 a.raw b.qcow2 c.qcow2
}

it "a snapshot while a stream is paused, then the table again: the job goes on below the top" snapshot_reload
snapshot_reload() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stream "${SLOW[@]}"
	copied
	msg cct job-pause
	onto e d.qcow2
	cp model.raw d.model
	status cct
	eq "$S_STATE" paused "state of the job"
	io random:40:2
	dmsetup suspend cct
	dmsetup resume cct
	msg cct job-resume
	copied
	layers a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	dmsetup suspend cct
	dmsetup load cct --table "$TABLE"
	dmsetup resume cct
	wait_state cct running
	eq "$S_TOP" 3 "layer of the job"
	io random:40:3 verify
	remove cct
	create cct
	wait_state cct running
	msg cct job-set-speed 0
	streamed d.qcow2 e.qcow2
	layers d.qcow2 e.qcow2
	after e.qcow2 a.raw b.qcow2 c.qcow2
}

it "what was the top is for nobody else before the stream has ended" snapshot_shared
snapshot_shared() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stream "${SLOW[@]}"
	copied
	onto e d.qcow2
	cp model.raw d.model
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	refuse_create EBUSY "in use by another chain" --readonly
	msg cct job-set-speed 0
	streamed d.qcow2 e.qcow2
	layers d.qcow2
	dmsetup create cct2 --readonly --table "$TABLE"
	cmp d.model /dev/mapper/cct2 || fail "d shows something else"
	remove cct2
	layers d.qcow2 e.qcow2
	after e.qcow2
}

it "a snapshot that is refused leaves the stream as it was" snapshot_refused
snapshot_refused() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	use spare single.qcow2
	attach single.qcow2
	msg cct stream "${SLOW[@]}"
	copied
	refuse_msg EBUSY cct snapshot qcow2 "${LOOP[d.qcow2]}" -
	msg cct snapshot-prepare qcow2 "${LOOP[single.qcow2]}" -
	msg cct snapshot-abort
	status cct
	eq "$S_STATE/$S_TOP" running/3 "job"
	ident d.qcow2
	eq "$((I_FLAGS & 1))/$I_JOB" 0/1 "seal and job of d"
	msg cct job-set-speed 0
	streamed d.qcow2
	retire cct d.qcow2
}

it "a snapshot in the middle of a stream into a layer below the top" snapshot_lower
snapshot_lower() {
	five
	msg cct stream top 3 "${SLOW[@]}"
	copied
	onto f e.qcow2
	io random:40:4 verify
	msg cct job-set-speed 0
	streamed d.qcow2 e.qcow2 f.qcow2
	layers d.qcow2 e.qcow2 f.qcow2
	after f.qcow2 a.raw b.qcow2 c.qcow2
	keep check e.qcow2
}

run_cases
