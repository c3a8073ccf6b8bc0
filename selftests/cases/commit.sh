#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Commits: what layers have goes down into the layer below them.
# Seconds: 100
# Quick: raw|single|stale
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"


# writable FILE... : from now on LOOP[FILE] is another loop device of it, which can be written
writable() {
	local f

	for f; do
		unset "LOOP[$f]"
	done
	attach "$@"
}

it "two layers into a raw base" raw
raw() {
	use abcd
	cp model.raw was.raw
	attach a.raw
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:60:1
	msg cct commit top 2 base 0 backing-file a.raw raw
	job_done cct
	eq "$S_TYPE" commit "kind of job"
	chain_is cct a.raw d.qcow2
	io verify random:60:2 verify
	eq "$(qcow2poke d.qcow2 backing)" a.raw "backing file"
	retire cct d.qcow2
	keep identical a.raw was.raw
	untouched abcd b.qcow2 c.qcow2
	rm b.qcow2 c.qcow2
}

it "through another device of the base" other_device
other_device() {
	use abcd
	cp model.raw was.raw
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:60:3
	refuse_msg "EACCES|EROFS" cct commit top 2 base 0 backing-file a.raw raw
	writable a.raw
	msg cct commit top 2 base 0 device "${LOOP[a.raw]}" - backing-file a.raw raw
	job_done cct
	chain_is cct a.raw d.qcow2
	io verify random:60:4 verify
	retire cct d.qcow2
	keep identical a.raw was.raw
}

it "a layer into the one below it" single
single() {
	use abcd
	attach c.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	io random:60:5
	cp model.raw was.raw
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:60:6
	msg cct commit top 3 base 2 backing-file c.qcow2 qcow2
	job_done cct
	chain_is cct a.raw b.qcow2 c.qcow2 e.qcow2
	io verify random:60:7 verify
	retire cct e.qcow2
	keep check c.qcow2
	keep compare c.qcow2 was.raw
	rm d.qcow2
}

it "into one with an external data file" external
external() {
	use ext
	attach d.qcow2 d.data
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data
	spare e d.qcow2 ext
	spare f e.qcow2
	io random:40:1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" "${LOOP[e.data]}"
	io random:40:2 zero:3M:1M
	cp model.raw was.raw
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" -
	io random:40:3
	msg cct commit top 4 base 3 backing-file d.qcow2 qcow2
	job_done cct
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2,d.data f.qcow2
	io verify random:40:4 verify
	retire cct f.qcow2
	keep check d.qcow2
	keep compare d.qcow2 was.raw
}

# ---- every kind of layer ----

# into KIND BASE[,DATA]: commits a layer of that kind, which lies on [base.raw] and, if it is not that, BASE
into() {
	local kind=$1 base=$2 layers=(base.raw) data=() n=0

	[ "$base" = base.raw ] || { layers+=("$base"); n=1; }
	[ ! -e "$T/$kind.data" ] || data=("$kind.data")
	use spare single.qcow2
	mv single.qcow2 top.qcow2
	qcow2poke top.qcow2 backing "$kind.qcow2" qcow2
	layers "${layers[@]}" "$kind.qcow2${data:+,$kind.data}" top.qcow2
	tails "${layers[@]}" "$kind.qcow2${data:+,$kind.data}" top.qcow2
	create cct
	DEV=/dev/mapper/cct
	cp "$kind.model" model.raw
	truncate -s 16M model.raw
	io verify random:20:1
	msg cct commit top $((n + 1)) base $n backing-file "${base%,*}" "${base##*.}"
	job_done cct
	io verify
	remove cct
	detach top.qcow2 "$kind.qcow2" "${data[@]}"
	keep compare top.qcow2 model.raw
	if [ "$base" = base.raw ]; then
		cmp base.raw "$kind.model" || fail "base.raw differs from $kind"
	else
		keep check "${base%,*}"
		keep compare "${base%,*}" "$kind.model"
	fi
}

# one DIRECTORY-SUFFIX KIND into a raw base, and into a prepared one: each in a directory of its own
both() {
	local kind=$1 all=$T files

	files=("$kind.qcow2" "$kind.model")
	[ ! -e "$FIXTURES/kinds/$kind.data" ] || files+=("$kind.data")
	for T in "$all/$kind-raw" "$all/$kind-prepared"; do
		mkdir "$T"
		cd "$T"
		LOOP=()
		use kinds base.raw "${files[@]}"
		if [[ $T = *-raw ]]; then
			attach base.raw
			into "$kind" base.raw
		else
			use spare single.qcow2
			mv single.qcow2 mid.qcow2
			qcow2poke mid.qcow2 backing base.raw raw
			attach mid.qcow2
			into "$kind" mid.qcow2
		fi
		detach "${!LOOP[@]}"
	done
	T=$all
	cd "$T"
}

it "layers of small and large clusters" kinds_plain
kinds_plain() {
	both v2
	both v3-512
	both v3-4k
	both ext-16k
	both ext-2M
}

it "compressed layers, and what lies beside them" kinds_packed
kinds_packed() {
	both comp-512
	both comp-2M
	both comp-ext
	both comp-zstd
	both snapshots
}

it "into a layer with compressed clusters: they can be read as before" packed_base
# The base was only read, and was ready to decompress. What takes its place is what was opened for writing.
packed_base() {
	use kinds base.raw comp-ext-128k.qcow2 comp-ext-128k.model
	mv comp-ext-128k.qcow2 b.qcow2
	mv comp-ext-128k.model model.raw
	truncate -s %512 b.qcow2
	attach b.qcow2
	spare c b.qcow2
	spare d c.qcow2
	mkchain cct base.raw b.qcow2 c.qcow2
	# where the base has ordinary clusters
	io write:7M:64k:1 verify
	cp model.raw was.raw
	msg cct snapshot qcow2 "${LOOP[d.qcow2]}" -
	msg cct commit top 2 base 1 backing-file b.qcow2 qcow2
	job_done cct
	chain_is cct base.raw b.qcow2 d.qcow2
	# also parts of what is compressed, which a write fills up
	io verify write:5k:3k:2 random:40:3 verify
	retire cct d.qcow2
	keep check b.qcow2
	keep compare b.qcow2 was.raw
}

it "where the layer below has a compressed cluster, nothing can be committed" packed_target
packed_target() {
	use kinds base.raw comp-ext-128k.qcow2 comp-ext-128k.model
	mv comp-ext-128k.qcow2 b.qcow2
	mv comp-ext-128k.model model.raw
	truncate -s %512 b.qcow2
	attach b.qcow2
	spare c b.qcow2
	spare d c.qcow2
	mkchain cct base.raw b.qcow2 c.qcow2
	io write:4M:64k:1 verify
	msg cct snapshot qcow2 "${LOOP[d.qcow2]}" -
	mark packed
	msg cct commit top 2 base 1 on-error report backing-file b.qcow2 qcow2
	job_done cct 5
	logged 'layer .*: guest offset 0x[0-9a-f]*: compressed cluster in a layer that is written'
	chain_is cct base.raw b.qcow2 c.qcow2 d.qcow2
	io verify random:40:2 verify
	retire cct d.qcow2
}

it "layers with external data files" kinds_external
kinds_external() {
	both data-std
	both data-ext
}

# ---- interrupted, cancelled ----

# chain_of_five: a chain with a written layer d that can be committed into c, slowly by SLOW
SLOW="speed 16384"
chain_of_five() {
	use abcd
	attach c.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	io random:60:8
	cp model.raw was.raw
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:60:9
	layers a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
}

# started: the commit of d into c has copied something
started() {
	# shellcheck disable=SC2086	# words
	msg cct commit top 3 base 2 $SLOW backing-file c.qcow2 qcow2
	wait_for 60 some_copied
	eq "$S_STATE" running "state of the job"
}

committed() {
	job_done cct
	eq "$S_TYPE" commit "kind of job"
	chain_is cct a.raw b.qcow2 c.qcow2 e.qcow2
	io verify random:40:10 verify
	retire cct e.qcow2
	keep check c.qcow2
	keep compare c.qcow2 was.raw
	rm d.qcow2
}

it "cancelled: the chain stays, another one on the base is refused" cancelled
cancelled() {
	use abcd
	spare x c.qcow2
	detach x.qcow2
	mkchain cct a.raw b.qcow2 c.qcow2 x.qcow2
	remove cct
	chain_of_five
	started
	msg cct job-cancel
	status cct
	eq "$S_STATE" concluded "state of the job"
	chain_is cct a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	io verify random:20:11
	remove cct
	create cct
	status cct
	eq "$S_STATE" "" "state of the job"
	io verify
	remove cct
	# another chain on the base: whatever was made for it as it was before, but is not d
	layers a.raw b.qcow2 c.qcow2 x.qcow2
	refuse_create ESTALE "a commit into it has not ended"
	layers a.raw b.qcow2 c.qcow2
	TABLE=${TABLE/ cowchain 0 / cowchain 1 allow_sealed }
	refuse_create EMEDIUMTYPE "a commit into it has not ended"
	layers a.raw b.qcow2 c.qcow2 d.qcow2 e.qcow2
	create cct
	io verify
	msg cct commit top 3 base 2 backing-file c.qcow2 qcow2
	committed
}

it "goes on when the table is loaded again" continued
continued() {
	chain_of_five
	started
	remove cct
	create cct
	status cct
	eq "$S_TYPE" commit "kind of job"
	msg cct job-set-speed 0
	committed
}

it "goes on after a reload and a suspend" reloaded
reloaded() {
	chain_of_five
	started
	dmsetup suspend cct
	dmsetup resume cct
	io verify
	dmsetup suspend cct
	dmsetup load cct --table "$TABLE"
	dmsetup resume cct
	wait_state cct running
	io verify random:20:12
	msg cct job-set-speed 0
	committed
}

it "paused, and resumed" paused
paused() {
	chain_of_five
	started
	msg cct job-pause
	status cct
	eq "$S_STATE" paused "state of the job"
	io verify random:20:13
	msg cct job-resume
	msg cct job-set-speed 0
	committed
}

it "the layers that were committed, on the base that has changed" stale
stale() {
	chain_of_five
	msg cct commit top 3 base 2 backing-file c.qcow2 qcow2
	job_done cct
	spare f e.qcow2
	msg cct snapshot qcow2 "${LOOP[f.qcow2]}" -
	remove cct
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	refuse_create EMEDIUMTYPE "has become the backing file"
	# it is right as long as the base has what it has, and no longer
	layers a.raw b.qcow2 c.qcow2 e.qcow2 f.qcow2
	create cct
	msg cct commit top 3 base 2 backing-file c.qcow2 qcow2
	job_done cct
	remove cct
	layers a.raw b.qcow2 c.qcow2 d.qcow2
	TABLE=${TABLE/ cowchain 0 / cowchain 1 allow_sealed }
	refuse_create ESTALE "was replaced or written to since"
	layers a.raw b.qcow2 c.qcow2 f.qcow2
	create cct
	io verify
}

it "what cannot be committed" refused
refused() {
	local b

	chain_of_five
	b=${LOOP[b.qcow2]}
	refuse_msg EINVAL cct commit top 3 base 3
	refuse_msg EINVAL cct commit top 2 base 0
	refuse_msg EINVAL cct commit top 4 base 0
	refuse_msg EINVAL cct commit top 3 base 2 speed
	refuse_msg EINVAL cct commit top 3 base x
	refuse_msg "EINVAL" cct commit top 3
	# ordinary qcow2, not prepared, and its device cannot be written
	refuse_msg "EACCES|EROFS|EMEDIUMTYPE" cct commit top 3 base 1 backing-file b.qcow2 qcow2
	writable b.qcow2
	refuse_msg EMEDIUMTYPE cct commit top 3 base 1 device "${LOOP[b.qcow2]}" - backing-file b.qcow2 qcow2
	LOOP[b.qcow2]=$b
	# another image than the chain has
	use spare single.qcow2
	attach single.qcow2
	refuse_msg EINVAL cct commit top 3 base 2 device "${LOOP[single.qcow2]}" - backing-file c.qcow2 qcow2
	# a part of the chain
	refuse_msg EBUSY cct commit top 3 base 2 device "${LOOP[d.qcow2]}" - backing-file c.qcow2 qcow2
	io verify
	msg cct commit top 3 base 2 backing-file c.qcow2 qcow2
	committed
}

it "a base that another chain reads" shared
shared() {
	use abcd
	attach a.raw
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io random:20:1
	layers a.raw
	dmsetup create cct2 --readonly --table "$TABLE"
	refuse_msg EBUSY cct commit top 2 base 0 backing-file a.raw raw
	writable a.raw
	refuse_msg EBUSY cct commit top 2 base 0 device "${LOOP[a.raw]}" - backing-file a.raw raw
	remove cct2
	msg cct commit top 2 base 0 device "${LOOP[a.raw]}" - backing-file a.raw raw
	job_done cct
	io verify
	retire cct d.qcow2
}

run_cases
