#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Commit of the top, which the guest writes meanwhile: the base takes its place.
# Seconds: 110
# Quick: pivot|stale
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/injector.sh
. "$HERE/lib/injector.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"
# shellcheck source=selftests/lib/stall.sh
. "$HERE/lib/stall.sh"

SLOW="speed 16384"
PREPARED=extended_l2=on,cluster_size=128k,preallocation=metadata

# chain: a, b, c and the top d, which was written; c can be, too
chain() {
	use abcd
	attach c.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:40:1
}

# pivoted FILE[,DATA]...: the chain is this now, and its top, the last, holds what the guest wrote
pivoted() {
	local top=${!#}

	chain_is cct "$@"
	io verify random:60:2 flush verify
	remove cct
	keep check "${top%,*}"
	keep compare "${top%,*}" model.raw
}

it "the base becomes the top" pivot
pivot() {
	chain
	msg cct commit top 3 base 2
	job_done cct
	eq "$S_TYPE $S_OFF" "commit $S_LEN" "kind of job, and its offset"
	pivoted a.raw b.qcow2 c.qcow2
}

it "two layers into the lowest, which is a prepared image" lowest
lowest() {
	prepared_chain
	msg cct commit top 2 base 0
	job_done cct
	pivoted base.qcow2
}

it "into one with an external data file" external
external() {
	use ext
	attach d.qcow2 d.data
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	spare e d.qcow2 ext
	io random:40:1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" "${LOOP[e.data]}"
	io random:40:2 zero:3M:1M
	msg cct commit top 4 base 3
	job_done cct
	pivoted a.raw b.qcow2 c.qcow2 d.qcow2,d.data
}

it "a snapshot, a stream and a commit afterwards" afterwards
afterwards() {
	chain
	msg cct commit top 3 base 2
	job_done cct
	detach d.qcow2
	spare e c.qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:40:3
	msg cct commit top 3 base 2
	job_done cct
	io random:40:4
	msg cct stream
	job_done cct
	pivoted c.qcow2
}

# ---- the guest meanwhile ----

# write_on: writes all the time, until the file "enough" is there
write_on() {
	local n=0

	while [ ! -e enough ]; do
		n=$((n + 1))
		io "random:60:$n" "write:$((n % 16))M:256k:$n" flush || exit
	done
}

it "a guest that writes faster than the job copies" faster
faster() {
	local pid

	need_target delay
	use abcd
	attach ro:a.raw ro:b.qcow2 c.qcow2 d.qcow2
	over c.qcow2 "0 $(sectors c.qcow2) delay @ 0 20"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	write_on &
	pid=$!
	msg cct commit top 3 base 2
	job_done cct
	touch enough
	wait $pid || fail "a write has failed"
	repair c.qcow2
	status cct
	eq "$S_LAYERS" 3 layers
	io verify
	remove cct
	keep check c.qcow2
	keep compare c.qcow2 model.raw
}

# overwrite: all of the disk again and again, until the file "enough" is there
overwrite() {
	local n=0 i ops

	while [ ! -e enough ]; do
		n=$((n + 1))
		ops=()
		for ((i = 0; i < 192; i++)); do
			ops+=("write:${i}M:1M:$n")
		done
		io "${ops[@]}" || exit
		touch began
	done
}

it "a guest that always has written more than can be copied while its writes wait" held
held() {
	local pid

	need_target delay
	qemu-img create -q -f qcow2 -o $PREPARED base.qcow2 192M
	qemu-img create -q -f qcow2 -o $PREPARED -b base.qcow2 -F qcow2 -u top.qcow2 192M
	truncate -s 192M model.raw
	SECTORS=$((192 << 11))
	attach base.qcow2 top.qcow2
	over base.qcow2 "0 $(sectors base.qcow2) linear @ 0"
	mkchain cct base.qcow2 top.qcow2
	overwrite &
	pid=$!
	wait_for 60 test -e began
	change base.qcow2 "0 $(sectors base.qcow2) delay @ 0 50"
	msg cct commit top 1 base 0
	job_done cct
	touch enough
	repair base.qcow2
	wait $pid || fail "a write has failed"
	status cct
	eq "$S_LAYERS" 1 layers
	io verify
}

it "one that is ready, and waits to be told" kept
kept() {
	chain
	# shellcheck disable=SC2086	# words
	msg cct commit top 3 base 2 keep $SLOW
	refuse_msg EBUSY cct job-complete
	msg cct job-set-speed 0
	wait_state cct ready
	io verify random:30:3 write:1M:1M:5 zero:5M:1M discard:6M:1M zero:7170k:1k verify
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct job-pause
	io random:30:4
	msg cct job-resume
	dmsetup suspend cct
	dmsetup resume cct
	io random:30:5 zero:9M:300k
	msg cct job-complete
	job_done cct
	pivoted a.raw b.qcow2 c.qcow2
}

it "cancelled when it is ready, and once more" cancelled
cancelled() {
	chain
	msg cct commit top 3 base 2 keep
	wait_state cct ready
	io random:30:3
	msg cct job-cancel
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io verify random:30:4
	refuse_msg ENOENT cct job-complete
	msg cct commit top 3 base 2
	refuse_msg "EINVAL|ENOENT" cct job-complete
	job_done cct
	pivoted a.raw b.qcow2 c.qcow2
}

it "cancelled, then more is committed: another image on the old top is refused" more_than_before
# The base has parts of e then, and d, made writable after the first commit, names the base as that one has left it.
more_than_before() {
	chain
	# shellcheck disable=SC2086	# words
	msg cct commit top 3 base 2 $SLOW
	wait_for 60 some_copied
	msg cct job-cancel
	remove cct
	create cct
	spare e d.qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:40:3
	# shellcheck disable=SC2086	# words
	msg cct commit top 4 base 2 $SLOW
	wait_for 60 some_copied
	remove cct
	spare x d.qcow2
	layers a.raw b.qcow2 c.qcow2 d.qcow2 x.qcow2
	refuse_create ESTALE "a commit into it has not ended"
	layers a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	create cct
	wait_state cct running
	io verify
	msg cct job-set-speed 0
	job_done cct
	pivoted a.raw b.qcow2 c.qcow2
}

it "a write that must not wait, and of which a part is done" nowait_part
# The top's device splits it. One part is written, the other gets EAGAIN, and so does the guest, who does not try
# again. What is read is what has to be read when the base is the top.
nowait_part() {
	local at seen failed

	faulty faults
	read -r at _ < <(qcow2poke d.qcow2 l2 8)
	at=$(((at & 0x00fffffffffffe00) / 512 + 8))
	printf '%s\n' "0 $at linear /dev/mapper/cct-f3 0" \
		"$at $(($(sectors d.qcow2) - at)) linear /dev/mapper/cct-f3 $at" | dmsetup create cct-top
	chain_with /dev/mapper/cct-top
	io write:1M:64k:1 flush
	msg cct commit top 3 base 2 keep
	wait_state cct ready
	echo "8 2 2 1 11 0" >$PLAN
	io EAGAIN?nowait:1M:8k:2
	read -r seen failed _ <$PLAN
	eq "$seen $failed" "2 1" "parts, and those that failed"
	io verify
	msg cct job-complete
	job_done cct
	status cct
	eq "$S_LAYERS" 3 layers
	io verify
	remove cct
}

# ---- which chain is right ----

it "the old top, and the base before its time, are refused" stale
stale() {
	chain
	# shellcheck disable=SC2086	# words
	msg cct commit top 3 base 2 $SLOW
	wait_for 60 some_copied
	remove cct
	layers a.raw b.qcow2 c.qcow2
	refuse_create EMEDIUMTYPE "a commit into it has not ended"
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	create cct
	msg cct job-set-speed 0
	job_done cct
	io random:30:3
	remove cct
	refuse_create ESTALE "all of it was committed into layer 2"
	layers a.raw b.qcow2 c.qcow2
	create cct
	io verify
	retire cct c.qcow2
}

it "a copy of the top from before the commit is refused on the base" older
older() {
	chain
	remove cct
	cp d.qcow2 older.qcow2
	create cct
	io random:30:3
	# shellcheck disable=SC2086	# words
	msg cct commit top 3 base 2 $SLOW
	wait_for 60 some_copied
	remove cct
	attach older.qcow2
	layers a.raw b.qcow2 c.qcow2 older.qcow2
	refuse_create ESTALE "a commit into it has not ended"
}

it "a copy of the top from the time of the commit, over a layer without an identity" copied
copied() {
	qemu-img create -q -f qcow2 -o $PREPARED base.qcow2 16M
	qemu-img create -q -f qcow2 -o cluster_size=64k -b base.qcow2 -F qcow2 -u mid.qcow2 16M
	qemu-img create -q -f qcow2 -o $PREPARED -b mid.qcow2 -F qcow2 -u top.qcow2 16M
	truncate -s 16M model.raw
	attach base.qcow2 mid.qcow2 top.qcow2
	layers base.qcow2 mid.qcow2 top.qcow2
	tails base.qcow2 mid.qcow2 top.qcow2
	create cct
	DEV=/dev/mapper/cct
	io random:30:1 flush
	msg cct commit top 2 base 0 keep
	wait_state cct ready
	cp top.qcow2 copy.qcow2
	io random:30:2
	msg cct job-complete
	job_done cct
	io verify random:30:3
	remove cct
	attach copy.qcow2
	layers base.qcow2 mid.qcow2 copy.qcow2
	tails base.qcow2 mid.qcow2 copy.qcow2
	refuse_create ESTALE "all of it was committed into layer 0"
	layers base.qcow2
	create cct
	io verify
}

it "a table that would write to the old top is loaded" loaded
loaded() {
	chain
	msg cct commit top 3 base 2 keep
	wait_state cct ready
	dmsetup load cct --table "$(dmsetup table cct)"
	msg cct job-complete
	job_done cct 16
	dmsetup clear cct
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:30:3
	msg cct commit top 3 base 2
	job_done cct
	pivoted a.raw b.qcow2 c.qcow2
}

# prepared_chain: base, d and the top e, all of them prepared
prepared_chain() {
	qemu-img create -q -f qcow2 -o $PREPARED base.qcow2 16M
	truncate -s 16M model.raw
	attach base.qcow2
	spare d base.qcow2
	spare e d.qcow2
	spare f e.qcow2
	mkchain cct base.qcow2
	io random:20:1
	msg cct snapshot qcow2 "${LOOP[d.qcow2]}" -
	io random:20:2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:20:3
}

it "other commits and streams, when one was cancelled" other_jobs
other_jobs() {
	prepared_chain
	# shellcheck disable=SC2086	# words
	msg cct commit top 2 base 0 $SLOW
	wait_for 60 some_copied
	msg cct job-cancel
	# what the base has of e would be taken for d's
	refuse_msg EBUSY cct commit top 1 base 0 backing-file base.qcow2 qcow2
	# e would be gone, with which alone the base is right
	refuse_msg EBUSY cct commit top 2 base 1
	io verify random:20:4
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" -
	msg cct base 0
	refuse_msg EBUSY cct stream backing-file base.qcow2 qcow2
	msg cct base none
	msg cct commit top 2 base 0 backing-file base.qcow2 qcow2
	job_done cct
	io verify random:20:5
	msg cct commit top 1 base 0
	job_done cct
	pivoted base.qcow2
}

it "it goes on after the device was removed, and after another table" continued
continued() {
	chain
	# shellcheck disable=SC2086	# words
	msg cct commit top 3 base 2 keep $SLOW
	wait_for 60 some_copied
	io random:30:3
	remove cct
	create cct
	wait_state cct running
	io verify random:30:4
	dmsetup load cct --table "$(dmsetup table cct)"
	dmsetup suspend cct
	dmsetup resume cct
	io verify random:30:5
	msg cct job-set-speed 0
	wait_state cct ready
	msg cct job-complete
	job_done cct
	pivoted a.raw b.qcow2 c.qcow2
}

it "what is refused" refused
refused() {
	use abcd
	attach a.raw c.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	refuse_msg EINVAL cct commit top 3 base 0
	refuse_msg EINVAL cct commit top 3 base 3
	refuse_msg EINVAL cct commit top 3 base 2 backing-file c.qcow2 qcow2
	refuse_msg EINVAL cct commit top 2 base 0 keep
	refuse_msg EINVAL cct commit top 1 base 0
	refuse_msg ENOENT cct job-complete
	msg cct stream speed 16384
	refuse_msg EINVAL cct job-complete
	msg cct job-cancel
	io verify
}

# unfit REGEX: a commit of the top into a.qcow2 is refused before anything is written
unfit() {
	cp a.qcow2 was.qcow2
	refuse_msg EMEDIUMTYPE cct commit top 1 base 0
	logged "cowchain: .*: $1"
	logged "cowchain: .*: cannot become the top.*: take a snapshot, then commit what is below that"
	cmp a.qcow2 was.qcow2 || fail "the base was written"
	io verify
}

# Below the top such clusters can be read. In a top they cannot, and no reader of them would be left.
it "a base with a compressed cluster is refused; below a new top all is well" unfit_packed
unfit_packed() {
	use kinds comp-prepared.qcow2 comp-prepared.model
	mv comp-prepared.qcow2 a.qcow2
	mv comp-prepared.model model.raw
	truncate -s %512 a.qcow2
	attach a.qcow2
	spare b a.qcow2
	spare c b.qcow2
	mkchain cct a.qcow2 b.qcow2
	io write:4M:64k:1 verify
	unfit "guest offset 0x40000: compressed cluster"
	msg cct snapshot qcow2 "${LOOP[c.qcow2]}" -
	msg cct commit top 1 base 0 backing-file a.qcow2 qcow2
	job_done cct
	chain_is cct a.qcow2 c.qcow2
	io verify
	retire cct c.qcow2
}

it "a base with a cluster whose entry has no COPIED bit is refused" unfit_bits
unfit_bits() {
	local word

	qemu-img create -q -f qcow2 -o $PREPARED a.qcow2 16M
	truncate -s 16M model.raw
	attach a.qcow2
	spare b a.qcow2
	mkchain cct a.qcow2
	io write:1152k:64k:1
	remove cct
	read -r word _ < <(qcow2poke a.qcow2 l2 9)
	qcow2poke a.qcow2 l2 9 $((word & 0x00fffffffffffe00))
	layers a.qcow2 b.qcow2
	create cct
	io verify
	unfit "guest offset 0x120000: reserved or missing bits"
	remove cct
	qcow2poke a.qcow2 l2 9 "$word"
	create cct
	msg cct commit top 1 base 0
	job_done cct
	pivoted a.qcow2
}

# ---- slow and failing devices ----

it "the last copies do not end: the old top stays, and the guest goes on" slow_rest
slow_rest() {
	local param=/sys/module/dm_cowchain/parameters/snapshot_pause_ms was

	need_stall
	was=$(<$param)
	chain
	msg cct commit top 3 base 2 keep
	wait_state cct ready
	echo 300 >$param
	stall_at cc_active_rest_work
	msg cct job-complete
	wait_for 30 stalled
	io random:20:3 flush verify
	stall_end
	job_done cct 16
	echo "$was" >$param
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:4 verify
	msg cct commit top 3 base 2
	job_done cct
	pivoted a.raw b.qcow2 c.qcow2
}

# written_chain: on devices that fail by PLAN; what the top has is not all that the base has
written_chain() {
	faulty_chain
	io write:0:1M:7 flush
}

it "a base that fails" failing
failing() {
	written_chain
	echo "4 2 6 1 5 0" >$PLAN
	msg cct commit top 3 base 2 on-error stop
	wait_state cct paused
	eq "$S_MODE $S_IO $S_ERR" "rw failed 5" "mode, io-status and errno"
	io verify random:20:1
	msg cct job-resume
	job_done cct
	status cct
	eq "$S_LAYERS" 3 layers
	io verify random:20:2 verify
}

it "a base that fails when the last is copied: nothing of that is forgotten" failing_rest
failing_rest() {
	local i ops=()

	need_stall
	written_chain
	msg cct commit top 3 base 2 keep on-error stop
	wait_state cct ready
	stall_at cc_active_complete
	msg cct job-complete
	wait_for 30 stalled
	for ((i = 0; i < 12; i++)); do
		ops+=("write:$((i * 128))k:4k:$i")
	done
	io "${ops[@]}"
	echo "4 2 1 1 5 0" >$PLAN
	stall_end
	wait_state cct paused
	eq "$S_IO $S_ERR" "failed 5" "io-status and errno"
	msg cct job-resume
	job_done cct
	status cct
	eq "$S_LAYERS" 3 layers
	io verify
}

it "suspended when it ends with an error" parked
parked() {
	need_stall
	written_chain
	echo "4 2 6 1 5 0" >$PLAN
	stall_at cc_active_end
	msg cct commit top 3 base 2 on-error report
	wait_for 30 stalled
	dmsetup suspend cct
	stall_end
	dmsetup resume cct
	job_done cct 5
	io verify
}

run_cases
