#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is counted and traced of a chain: the message "stats", tracepoints, and device-mapper's own statistics.
# Quick: served|moved
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

TRACING=/sys/kernel/tracing
TRACE=$TRACING/instances/cct-stats
declare -A N		# by stats: "NAME" of the device, and "FILE NAME" of a layer

# stats NAME: reads all counters into N
stats() {
	local line words file device i

	N=()
	while read -r line; do
		read -r -a words <<<"$line"
		file='' i=0
		if [ "${words[0]}" = layer ]; then
			for device in "${!LOOP[@]}"; do
				[ "7:${LOOP[$device]#/dev/loop}" != "${words[1]}" ] || file="$device "
			done
			[ -n "$file" ] || fail "a layer that there is not: $line"
			i=2
		fi
		for ((; i < ${#words[@]}; i += 2)); do
			N["$file${words[i]}"]=${words[i + 1]}
		done
	done <<<"$(dmsetup message "$1" 0 stats)"
}

# has COUNTER NUMBER... : compares what stats has read
has() {
	while [ $# -gt 0 ]; do
		eq "${N[$1]}" "$2" "$1"
		shift 2
	done
}

it "each layer's reads and bytes, cold and warm" served
served() {
	local i

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stats on
	for i in 1 2; do
		# b; c in the middle of it; zeros of c; a
		io read:64k:64k read:128k:4k read:132k:60k read:4M:64k read:5M:8k
		stats cct
		has on 1 hole_reads 0 "a.raw reads" $i "a.raw read_bytes" $((i * 8192)) \
			"b.qcow2 reads" $((i * 2)) "b.qcow2 read_bytes" $((i * (65536 + 61440))) \
			"c.qcow2 reads" $((i * 2)) "c.qcow2 read_bytes" $((i * (4096 + 65536))) \
			"d.qcow2 reads" 0 "d.qcow2 read_bytes" 0
	done
	# a bio of the guest that three layers serve: b, c, b
	io read:124k:16k
	stats cct
	has "b.qcow2 read_bytes" $((2 * (65536 + 61440) + 12288)) "c.qcow2 read_bytes" $((2 * (4096 + 65536) + 4096))
	io read:0:16M
	stats cct
	eq $((N["a.raw read_bytes"] + N["b.qcow2 read_bytes"] + N["c.qcow2 read_bytes"])) \
		$(((16 << 20) + 16384 + 2 * (65536 + 4096 + 61440 + 65536 + 8192))) "all bytes"
	retire cct d.qcow2
}

it "writes, fills, flushes and syncs of the top" written
written() {
	local syncs blocks ns

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stats on
	# a whole subcluster; its rewrite; a part of one, which has to be filled, and then not any more
	io write:6M:4k:1 write:6M:512:2 write:6656k:512:3 write:6657k:1k:4 read:6M:4k
	stats cct
	has "d.qcow2 writes" 4 "d.qcow2 write_bytes" $((4096 + 512 + 512 + 1024)) \
		"d.qcow2 fills" 1 "d.qcow2 fill_bytes" 3584 "d.qcow2 reads" 1 "d.qcow2 read_bytes" 4096 \
		"d.qcow2 flushes" 0 "c.qcow2 writes" 0 "a.raw reads" 0
	io flush
	stats cct
	# the timer may have come before
	[ "${N["d.qcow2 syncs"]}" -ge 1 ] || fail "no sync"
	[ "${N["d.qcow2 sync_blocks"]}" -ge 1 ] || fail "nothing was synced"
	has "d.qcow2 flushes" 1 "d.qcow2 sync_errors" 0 "c.qcow2 syncs" 0
	[ "${N["d.qcow2 sync_max_ns"]}" -gt 0 ] || fail "a sync that took no time"
	syncs=${N["d.qcow2 syncs"]} blocks=${N["d.qcow2 sync_blocks"]} ns=${N["d.qcow2 sync_ns"]}
	# nothing is dirty, so that only the flushes make syncs
	io flush flush flush
	stats cct
	has "d.qcow2 flushes" 4 "d.qcow2 syncs" $((syncs + 3)) "d.qcow2 sync_blocks" "$blocks"
	[ "${N["d.qcow2 sync_ns"]}" -gt "$ns" ] || fail "syncs that took no time"
	[ "${N["d.qcow2 sync_max_ns"]}" -lt "${N["d.qcow2 sync_ns"]}" ] || fail "the longest took as long as all"
	# its bit has to be durable before it ends
	io fua:7M:4k:6
	stats cct
	[ "${N["d.qcow2 flushes"]}" -gt 4 ] || fail "no flush"
	[ "${N["d.qcow2 sync_blocks"]}" -gt "$blocks" ] || fail "no block was written"
	retire cct d.qcow2
}

it "holes, and compressed clusters" holes
holes() {
	use spare used.qcow2 single.qcow2
	qcow2poke single.qcow2 backing used.qcow2 qcow2
	mkchain cct used.qcow2 single.qcow2
	msg cct stats on
	cowio "$DEV" read:1M:64k read:2M:64k
	stats cct
	has hole_reads 1 hole_bytes 65536 "used.qcow2 reads" 1 "used.qcow2 read_bytes" 65536
	remove cct
	use kinds comp-64k.qcow2 base.raw
	cp "$FIXTURES/kinds/comp-64k.model" model.raw
	use spare single.qcow2
	qcow2poke single.qcow2 backing comp-64k.qcow2 qcow2
	detach single.qcow2
	mkchain cct base.raw comp-64k.qcow2 single.qcow2
	msg cct stats on
	io read:8M:4k read:8196k:4k read:8200k:4k
	stats cct
	has unpack_misses 1 unpack_hits 2 "comp-64k.qcow2 unpack_misses" 1 "comp-64k.qcow2 unpack_hits" 2 \
		"base.raw unpack_misses" 0 "comp-64k.qcow2 reads" 3 "comp-64k.qcow2 read_bytes" 12288
	msg cct stats reset
	stats cct
	has unpack_misses 0 unpack_hits 0 "comp-64k.qcow2 unpack_misses" 0 "comp-64k.qcow2 reads" 0
}

it "switched off, reads and writes are not counted" off
off() {
	local was

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	io read:64k:64k write:6M:4k:1
	stats cct
	has on 0 "b.qcow2 reads" 0 "b.qcow2 read_bytes" 0 "d.qcow2 writes" 0 "d.qcow2 write_bytes" 0
	msg cct stats on
	# once more changes nothing, and one "off" is enough
	msg cct stats on
	io read:64k:64k
	msg cct stats off
	io read:64k:64k write:6656k:512:1 flush
	stats cct
	# what is seldom is always counted
	has on 0 "b.qcow2 reads" 1 "d.qcow2 writes" 0 "d.qcow2 fills" 1 "d.qcow2 flushes" 1
	msg cct stats off
	msg cct stats on
	io read:64k:64k
	stats cct
	has "b.qcow2 reads" 2
	msg cct stats reset
	stats cct
	for was in "${!N[@]}"; do
		[ "$was" = on ] || has "$was" 0
	done
	has on 1
	retire cct d.qcow2
}

# Patching code waits for others, who may wait for the device.
it "a suspended device shows its counters, but does not begin or end to count" suspended
suspended() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stats on
	io read:64k:64k
	dmsetup suspend cct
	refuse_msg EAGAIN cct stats off
	refuse_msg EAGAIN cct stats on
	stats cct
	has on 1 "b.qcow2 reads" 1
	msg cct stats reset
	stats cct
	has on 1 "b.qcow2 reads" 0
	dmsetup resume cct
	msg cct stats off
	stats cct
	has on 0
	retire cct d.qcow2
}

# More than the buffer has that libdevmapper begins with.
it "255 layers are shown, each of them whole" chain255
chain255() {
	local i list=(l0.raw) lines=()

	SECTORS=16384
	use chain255
	for ((i = 1; i < 255; i++)); do
		list+=("l$i.qcow2")
	done
	layers "${list[@]}"
	create cct
	msg cct stats on
	cowio /dev/mapper/cct write:1M:4k:1
	mapfile -t lines <<<"$(dmsetup message cct 0 stats)"
	eq ${#lines[@]} 256 lines
	for ((i = 0; i < 255; i++)); do
		[[ ${lines[i + 1]} == "layer 7:${LOOP[${list[i]}]#/dev/loop} reads 0 "*" sync_max_ns "[0-9]* ]] ||
			fail "layer $i: ${lines[i + 1]}"
	done
	[[ ${lines[255]} == *" writes 1 write_bytes 4096 "* ]] || fail "the top: ${lines[255]}"
}

it "one chain is counted, another is not" two
two() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	cp d.qcow2 other.qcow2
	layers a.raw b.qcow2 c.qcow2 other.qcow2
	create cct-other
	msg cct stats on
	cowio /dev/mapper/cct-other read:64k:64k write:6M:4k:1
	io read:64k:4k
	stats cct
	has "b.qcow2 read_bytes" 4096
	stats cct-other
	has "b.qcow2 read_bytes" 0 "other.qcow2 writes" 0
	# the one that is counted goes, and the other one after it
	remove cct
	cowio /dev/mapper/cct-other read:64k:64k
	stats cct-other
	has on 0 "b.qcow2 reads" 0
	remove cct-other
}

it "a snapshot, a commit and a reload count on" moved
moved() {
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stats on
	io write:6M:4k:1 write:6656k:512:2 read:64k:64k flush
	spare e d.qcow2
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io read:6M:4k write:7M:4k:3
	stats cct
	has on 1 "b.qcow2 read_bytes" 65536 "d.qcow2 reads" 1 "d.qcow2 writes" 2 "d.qcow2 fills" 1 \
		"e.qcow2 writes" 1 "e.qcow2 fills" 0
	dmsetup load cct --table "$(dmsetup table cct)"
	# the loaded table has the same counters, and counts nothing twice
	io read:64k:4k
	dmsetup suspend cct
	dmsetup resume cct
	stats cct
	has on 1 "b.qcow2 read_bytes" $((65536 + 4096)) "d.qcow2 reads" 1 "d.qcow2 writes" 2 "d.qcow2 fills" 1 \
		"e.qcow2 writes" 1
	io read:6M:4k read:64k:4k write:7M:4k:4
	msg cct base 1
	msg cct stream backing-file b.qcow2 qcow2
	job_done cct
	io read:6M:4k
	stats cct
	has "b.qcow2 read_bytes" $((65536 + 8192)) "e.qcow2 writes" 2 "e.qcow2 reads" 1
	[ -z "${N["d.qcow2 reads"]:-}" ] || fail "a layer that is not in the chain any more"
	retire cct e.qcow2
}

# other_cpus 0|1: takes all CPUs but the first one away, or gives them back
other_cpus() {
	local cpu

	for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
		[ ! -e "$cpu" ] || [ "$(<"$cpu")" = "$1" ] || echo "$1" >"$cpu"
	done
}

before_cleanup() { other_cpus 1; }

# one_cpu: under the emulator, whose threads may run the int3 that a jump label has while it is patched after the
# instruction is back: "Oops: int3", and the memory has no int3 there. Seen with QEMU 7.2 after some seconds of counting
# on and off on two CPUs.
one_cpu() { ! grep -q "QEMU TCG" /proc/cpuinfo || other_cpus 0; }

it "counting goes on and off while layers come and go" churn
churn() {
	local pid i

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	spare e d.qcow2
	one_cpu
	while :; do
		msg cct stats on
		dmsetup message cct 0 stats >/dev/null
		msg cct stats off
		msg cct stats reset
	done &
	pid=$!
	io random:60:1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:60:2
	msg cct base 0
	msg cct stream backing-file a.raw raw
	for i in 1 2 3; do
		io random:30:$i
	done
	job_done cct
	io verify
	kill $pid
	wait $pid || true
	msg cct stats off
	retire cct e.qcow2
}

# ---- tracepoints ----

trace_begin() {
	grep -q tracefs /proc/mounts || mount -t tracefs none $TRACING
	[ -d $TRACING/events/cowchain ] || skip "needs a kernel with tracepoints"
	mkdir -p $TRACE
	echo 1 >$TRACE/events/cowchain/enable
}

# traced: sets LINES to what was traced since then, an event in each
traced() {
	local line

	echo 0 >$TRACE/events/cowchain/enable
	LINES=()
	while IFS= read -r line; do
		[[ $line != *" cowchain_"* ]] || LINES+=("cowchain_${line#* cowchain_}")
	done <$TRACE/trace
	rmdir $TRACE
}

# one REGEX: exactly one line is like that
one() {
	local line n=0

	for line in "${LINES[@]}"; do
		[[ ! $line =~ $1 ]] || n=$((n + 1))
	done
	[ $n -eq 1 ] || fail "$n lines like /$1/ in: $(printf '\n%s' "${LINES[@]}")"
}

# some REGEX: at least one is
some() {
	local line

	for line in "${LINES[@]}"; do
		[[ ! $line =~ $1 ]] || return 0
	done
	fail "no line like /$1/ in: $(printf '\n%s' "${LINES[@]}")"
}

# number FILE: prints MAJOR,MINOR of its device
number() { echo "7,${LOOP[$1]#/dev/loop}"; }

it "tracepoints tell where bios go, and what is done for them" traced_io
traced_io() {
	local dev

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	dev=$(dmsetup info -c --noheadings -o major,minor --separator , cct)
	trace_begin
	io read:5M:4k read:5M:4k read:4M:8k write:6M:4k:1 write:6656k:512:2 flush discard:6M:4k
	msg cct stats
	traced
	# the first read is cold
	eq "$(printf '%s\n' "${LINES[@]}" | grep -c "map: $dev read 10240 + 8 device layer 0 $(number a.raw)$")" 2 "reads of a"
	one "^cowchain_map: $dev read 8192 \+ 16 zero layer 2 $(number c.qcow2)$"
	one "^cowchain_map: $dev write 12288 \+ 8 device layer 3 $(number d.qcow2)$"
	one "^cowchain_map: $dev write 13312 \+ 1 worker layer -1 0,0$"
	one "^cowchain_map: $dev write 13312 \+ 1 device layer 3 $(number d.qcow2)$"
	one "^cowchain_fill: $dev 13313 \+ 7 error 0$"
	one "^cowchain_map: $dev write 0 \+ 0 sync layer 3 $(number d.qcow2)$"
	some "^cowchain_sync: $dev layer $(number d.qcow2) blocks 1 ns [1-9][0-9]* error 0$"
	one "^cowchain_map: $dev discard 12288 \+ 8 worker layer -1 0,0$"
	stats cct
	has on 0 "a.raw reads" 0
	io read:5M:4k verify
	retire cct d.qcow2
}

it "tracepoints tell of jobs, and for how long writes have waited" traced_jobs
traced_jobs() {
	local dev line offset bytes written data=0

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	dev=$(dmsetup info -c --noheadings -o major,minor --separator , cct)
	spare e d.qcow2
	trace_begin
	io write:6M:4k:1
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	msg cct base 2
	msg cct stream backing-file c.qcow2 qcow2
	job_done cct
	traced
	one "^cowchain_pause: $dev snapshot ns [1-9][0-9]* error 0$"
	# the snapshot has that much to copy, and nothing else
	for line in "${LINES[@]}"; do
		[[ $line == cowchain_job:* ]] || continue
		[[ $line =~ ^cowchain_job:\ $dev\ stream\ ([0-9]+)\ \+\ ([0-9]+)\ written\ ([0-9]+)\ error\ 0$ ]] ||
			fail "$line"
		offset=${BASH_REMATCH[1]} bytes=${BASH_REMATCH[2]} written=${BASH_REMATCH[3]}
		[ "$offset" -le $((6 << 20)) ] || fail "$line"
		[ $((offset + bytes)) -ge $(((6 << 20) + 4096)) ] || fail "$line"
		data=$((data + written))
	done
	eq $data 4096 "bytes that were written"
	retire cct e.qcow2
}

# Its last reference to the key goes after the module's code is on its way out.
it "the module is unloaded while it is traced" unload
unload() {
	[ -d /sys/module/dm_cowchain ] || skip "the target is built in"
	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	trace_begin
	io read:64k:64k
	remove cct
	load_module_again
	eq "$(<$TRACE/events/cowchain/enable)" 0 "the events of the module that was loaded again"
	rmdir $TRACE
	create cct
	msg cct stats on
	io read:64k:64k
	stats cct
	has "b.qcow2 reads" 1
	retire cct d.qcow2
}

# ---- device-mapper's own ----

it "dm-stats counts the same bytes" dm_stats
dm_stats() {
	local id words

	use abcd
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	id=$(msg cct @stats_create - /1)
	io read:64k:64k read:5M:8k write:6M:4k:1 write:6656k:512:2
	read -r -a words <<<"$(msg cct @stats_print "$id")"
	# reads, merged, sectors, time; writes, merged, sectors, time
	eq "${words[3]}" 144 "sectors that were read"
	eq "${words[7]}" 9 "sectors that were written"
	msg cct @stats_delete "$id"
	retire cct d.qcow2
}

run_cases
