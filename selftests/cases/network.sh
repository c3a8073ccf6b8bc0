#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Layers that are on another machine: nbd, over links that are cut and come back. From the environment:
#	FLEET	hosts that stream the same image at the same time, default 3
#	CUTS	how often the server dies in the middle of a stream, default 1
# Seconds: 60
# Quick: raw_base|server_dies
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/slow-layers.sh
. "$HERE/lib/slow-layers.sh"
# shellcheck source=selftests/lib/examples.sh
. "$HERE/lib/examples.sh"
# shellcheck source=selftests/lib/network.sh
. "$HERE/lib/network.sh"

: "${FLEET:=3}" "${CUTS:=1}"

SLOWLY=262144		# bytes per second: a stream of the 16 MiB would take a minute
FAR=15900k		# only a.raw has this, and a stream comes to it last

# ended PID
ended() { ! kill -0 "$1" 2>/dev/null; }

# remote_base [OPTION...]: a.raw is on the server, below a device that can be changed, and connected with these options
remote_base() {
	network
	use abcd
	serve file a.raw
	connect 0 "$@"
	LOOP[a.raw]=/dev/nbd0
	over a.raw "0 $SECTORS linear @ 0"
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
}

# moved N: the base is at /dev/nbdN now
moved() {
	UNDER[a.raw]=/dev/nbd$1
	repair a.raw
}

# beyond OFFSET: has the job come further?
beyond() {
	status cct
	[ "$S_OFF" -gt "$1" ]
}

# What needs nothing but c and the top, with another seed each time.
local_io() {
	timeout 80 cowio -m "$T/model.raw" "$DEV" read:12M:1M "write:5M:64k:$1" read:5M:64k "fua:72k:4k:$1" \
		discard:6M:128k flush "zero:9M:64k" read:9M:64k || fail "what is here waits for the link, or fails"
}

# streamed_during_io N: all is copied while a guest reads and writes; then nothing needs the server and /dev/nbdN
streamed_during_io() {
	local pid

	io verify random:20:1
	msg cct stream speed 8388608
	io random:100:2 verify &
	pid=$!
	job_done cct
	wait "$pid" || fail "I/O went wrong beside the stream"
	! has_users "$1" || fail "the device is still in use"
	kill_server
	io random:20:3 verify
	disconnect "$1"
	io random:20:4 verify
}

it "a raw base over nbd: I/O, a stream while I/O runs, and then the server is not needed" raw_base
raw_base() {
	network
	use abcd
	serve file a.raw
	connect 0
	LOOP[a.raw]=/dev/nbd0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	streamed_during_io 0
	chain_is cct d.qcow2
	retire cct d.qcow2
	untouched abcd a.raw b.qcow2 c.qcow2
}

it "a compressed qcow2 base over nbd, from qemu-nbd: the same" qcow2_base
qcow2_base() {
	network
	use zoo-zlib.7.2 image.qcow2 top.qcow2 model.raw
	SECTORS=12288
	serve_file image.qcow2
	connect 0
	LOOP[image.qcow2]=/dev/nbd0
	mkchain cct image.qcow2 top.qcow2
	streamed_during_io 0
	chain_is cct top.qcow2
	retire cct top.qcow2
	untouched zoo-zlib.7.2 image.qcow2
}

it "a qcow2 layer with a part of a sector at its end: refused, unless the server rounds up" part_of_sector
part_of_sector() {
	network
	use tails base.raw fresh.qcow2 fresh.model top.qcow2
	mv fresh.model model.raw
	qcow2poke top.qcow2 backing fresh.qcow2 qcow2
	serve file fresh.qcow2
	connect 0
	LOOP[fresh.qcow2]=/dev/nbd0
	layers base.raw fresh.qcow2 top.qcow2
	refuse_create EINVAL 'L1 table is not inside the device'
	disconnect 0
	kill_server
	serve --filter=truncate file fresh.qcow2 round-up=512
	connect 0
	mkchain cct base.raw fresh.qcow2 top.qcow2
	io verify random:20:1 verify
	retire cct top.qcow2
}

it "the server dies in the middle of a stream: the job pauses, what is here goes on, and all does when it is back" server_dies
server_dies() {
	local n now=0

	remote_base -timeout 2
	msg cct stream speed $SLOWLY on-error stop
	for ((n = 1; n <= CUTS; n++)); do
		wait_for 60 beyond "$now"
		now=$S_OFF
		kill_server
		msg cct job-set-speed 0
		wait_state cct paused
		eq "$S_MODE $S_LAYERS $S_IO $S_ERR" "rw 4 failed 5" "mode, layers, io-status, errno"
		local_io "$n"
		io "EIO!read:$FAR:4k" "EIO!write:$FAR:512:1"
		serve file a.raw
		connect $((n % 2)) -timeout 2
		moved $((n % 2))
		disconnect $(((n + 1) % 2))
		io read:$FAR:4k
		in_state cct paused || fail "the job is $S_STATE"
		msg cct job-set-speed $SLOWLY
		msg cct job-resume
	done
	msg cct job-set-speed 0
	job_done cct
	io verify random:20:1 verify
	chain_is cct d.qcow2
	retire cct d.qcow2
	untouched abcd a.raw b.qcow2 c.qcow2
}

it "a link that is down, without a time limit: what needs the base waits, and nothing is lost" link_down
link_down() {
	local pid

	need cowchain
	remote_base
	msg cct stream speed $SLOWLY
	wait_for 60 beyond 0
	ip link set cct-wire0 down
	msg cct job-set-speed 0
	io read:$FAR:4k &
	pid=$!
	wait_for 60 waiting 1
	local_io 1
	timeout 80 cowchain tree cct >tree.out || fail "cowchain tree waits for the link, or fails"
	timeout 80 cowchain map cct >map.out || fail "cowchain map waits for the link, or fails"
	in_state cct running || fail "the job is $S_STATE"
	! ended "$pid" || fail "a read of the base did not wait"
	ip link set cct-wire0 up
	wait "$pid" || fail "the read went wrong"
	job_done cct
	io verify random:20:1 verify
	chain_is cct d.qcow2
	retire cct d.qcow2
}

# cut_off: a stream begins, and then waits for a base to which the link is down
cut_off() {
	msg cct stream speed $SLOWLY on-error stop
	wait_for 60 beyond 0
	ip link set cct-wire0 down
	msg cct job-set-speed 0
	wait_for 60 asked 0
	dmsetup remove cct &
	REMOVAL=$!
}

# goes_on: the chain was detached; when the base is back, its stream ends as it should
goes_on() {
	wait_for 60 ended "$REMOVAL"
	wait "$REMOVAL" || fail "the device was not removed"
	ip link set cct-wire0 up
	# nbdkit 1.32 may have aborted, because its client is gone
	kill_server
	serve file a.raw
	connect 1
	moved 1
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	status cct
	[ "$S_STATE" != paused ] || msg cct job-resume
	job_done cct
	io verify random:20:1 verify
	chain_is cct d.qcow2
	retire cct d.qcow2
}

it "detach while the link is down ends at nbd's time limit, and the stream goes on later" detach_limit
detach_limit() {
	remote_base -timeout 2
	cut_off
	goes_on
}

it "without a time limit, detach ends when nbd is disconnected" detach_disconnect
detach_disconnect() {
	remote_base
	cut_off
	disconnect 0
	goes_on
}

it "a client that connects again by itself: a dead server is not noticed above" reconnects
reconnects() {
	local pid

	need qemu-nbd
	network
	use abcd
	serve file a.raw
	qemu-nbd --read-only --connect=/dev/nbd0 --image-opts \
		"driver=nbd,server.type=inet,server.host=$SERVER,server.port=$PORT,reconnect-delay=300" &
	wait_for 60 connected 0
	LOOP[a.raw]=/dev/nbd0
	mkchain cct a.raw b.qcow2 c.qcow2 d.qcow2
	msg cct stream speed $SLOWLY on-error report
	wait_for 60 beyond 0
	kill_server
	msg cct job-set-speed 0
	io read:$FAR:4k &
	pid=$!
	wait_for 60 waiting 1
	local_io 1
	in_state cct running || fail "the job is $S_STATE"
	serve file a.raw
	wait "$pid" || fail "the read went wrong"
	job_done cct
	io verify random:20:1 verify
	chain_is cct d.qcow2
	retire cct d.qcow2
}

# host N RATE: what host N of the fleet does, at its own time
host() {
	local dev=/dev/mapper/cct-host$1

	sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
	msg "cct-host$1" stream speed "$2" on-error stop
	cowio -m "model$1.raw" "$dev" random:40:"$1"
	job_done "cct-host$1"
	cowio -m "model$1.raw" "$dev" verify
}

it "a fleet: each host streams the golden image in, from its own start and at its part of the rate" fleet
fleet() {
	local i pids=() pid

	network
	use abcd a.raw
	serve file a.raw
	for ((i = 1; i <= FLEET; i++)); do
		wire "$i"
		connect_by "$i" "$i" -timeout 30
		spare "top$i" a.raw
		qcow2poke "top$i.qcow2" backing a.raw raw
		cp a.raw "model$i.raw"
		LOOP[a.raw]=/dev/nbd$i
		mkchain "cct-host$i" a.raw "top$i.qcow2"
	done
	for ((i = 1; i <= FLEET; i++)); do
		host "$i" $(((24 << 20) / FLEET)) &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "a host went wrong"
	done
	kill_server
	for ((i = 1; i <= FLEET; i++)); do
		! has_users "$i" || fail "host $i still uses the server"
		cowio -m "model$i.raw" "/dev/mapper/cct-host$i" verify
		chain_is "cct-host$i" "top$i.qcow2"
		retire "cct-host$i" "top$i.qcow2" "model$i.raw"
	done
	untouched abcd a.raw
}

it "the examples of network.rst" document
document() {
	local f

	need cowchain qemu-nbd busybox
	use_real_dmsetup
	network
	cut_examples "$HERE/../Documentation/network.rst"
	rename
	sed -i -E 's/\b(golden|vm2)\b/cct-\1/g' example.*
	for f in example.*; do
		! grep -q '^# on the server' "$f" || sed -i -e '1i on_server <<"END"' -e '$a END' "$f"
	done
	run_examples 9
	[ ! -e /dev/mapper/cct-vm1 ] || fail "the device is still there"
	keep check cct-vm1.qcow2
	keep compare cct-vm1.qcow2 cct-golden.raw
	keep check cct-vm2.qcow2
	keep compare cct-vm2.qcow2 cct-golden.raw
}

run_cases
