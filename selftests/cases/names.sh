#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Names that the owner of a directory exchanges all the time while the tool uses them: it never leads to what
# is elsewhere. From the environment:
#	RACE_SECONDS	the time of each race, default 1
# Seconds: 60
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

: "${RACE_SECONDS:=1}"

# The owner's directory with an image "top.qcow2", and others' files elsewhere.
owned() {
	need cowchain
	mkdir own outside
	trash own/in.raw 1M
	trash outside/out.raw 1M
	ln -s in.raw own/link.raw
	ln -s ../outside/out.raw own/other.raw
	cp outside/out.raw was.raw
}

# race A B COMMAND: the command runs again and again while A and B are exchanged
race() {
	"$HERE/tools/exchange" "$RACE_SECONDS" "$1" "$2" outside \
		"exec 2>&1; set -e; trap 'cowchain detach cct >/dev/null 2>&1 || :' EXIT; $3"
	cmp outside/out.raw was.raw || fail "a file elsewhere was written"
	wait_for 30 no_loops
}

it "attach: a backing file" backing
backing() {
	owned
	cowchain create own/top.qcow2 --backing own/in.raw --backing-format raw
	qcow2poke own/top.qcow2 backing link.raw raw
	race own/link.raw own/other.raw "cowchain attach cct own/top.qcow2; cmp -n 4096 /dev/mapper/cct own/in.raw"
}

it "attach: a data file, which is written" data
data() {
	owned
	cowchain create own/top.qcow2 --size 1M --data-file own/in.data
	mv own/in.data own/in.raw
	qcow2poke own/top.qcow2 ext 0x44415441 link.raw
	race own/link.raw own/other.raw \
		"cowchain attach cct own/top.qcow2; head -c 64K /dev/urandom >/dev/mapper/cct; cowchain reload cct"
}

# What was made is removed under whatever name it has by now, so that own/evil leads elsewhere each time.
AGAIN="rm -f own/new.*; ln -sf ../outside/out.raw own/evil"

# race_new VERB...: NEW of a snapshot or copy, of a chain that is attached each time
race_new() {
	owned
	cowchain create own/top.qcow2 --size 1M
	cp --sparse=always own/top.qcow2 own/empty.qcow2
	race "$1" own/evil "$AGAIN; cp --sparse=always own/empty.qcow2 own/top.qcow2
		cowchain attach cct own/top.qcow2; $2; head -c 64K /dev/urandom >/dev/mapper/cct; cowchain info cct; cowchain reload cct"
}

it "snapshot: the new top" snapshot
snapshot() { race_new own/new.qcow2 "cowchain snapshot cct own/new.qcow2"; }

it "snapshot: its data file" snapshot_data
snapshot_data() { race_new own/new.raw "cowchain snapshot cct own/new.qcow2 --data-file own/new.raw"; }

# An image elsewhere that would do as NEW, own/evil that leads there, and own/new.qcow2, as good.
existing() {
	owned
	cowchain create own/top.qcow2 --size 1M
	cp --sparse=always own/top.qcow2 own/empty.qcow2
	cowchain create outside/spare.qcow2 --backing own/top.qcow2 --backing-format qcow2
	cp --sparse=always outside/spare.qcow2 own/spare.qcow2
	ln -s ../outside/spare.qcow2 own/evil
	chown -h 1000 own/evil
	cp outside/spare.qcow2 spare.was
}

it "snapshot: NEW that is a link of another user" link
link() {
	existing
	cowchain attach cct own/top.qcow2
	tool_fails 1 "own/evil: is a link of another user: name the file itself" snapshot cct own/evil
	tool_fails 1 "own/evil: is a link of another user" copy cct own/evil --pivot
	chown -h 0 own/evil
	cowchain snapshot cct own/evil
	cowchain detach cct
}

it "snapshot: NEW that exists" snapshot_existing
snapshot_existing() {
	existing
	race own/new.qcow2 own/evil "cp --sparse=always own/spare.qcow2 own/fresh; mv own/fresh own/new.qcow2
		ln -s ../outside/spare.qcow2 own/link; chown -h 1000 own/link; mv -T own/link own/evil
		cp --sparse=always own/empty.qcow2 own/top.qcow2
		cowchain attach cct own/top.qcow2; cowchain snapshot cct own/new.qcow2
		head -c 64K /dev/urandom >/dev/mapper/cct"
	cmp outside/spare.qcow2 spare.was || fail "an image elsewhere became the top"
}

it "attach --overlay: its data file" overlay_data
overlay_data() {
	owned
	race own/new.raw own/evil "$AGAIN; cowchain attach cct --layer raw:own/in.raw \\
			--overlay own/new.qcow2 --data-file own/new.raw
		head -c 64K /dev/urandom >/dev/mapper/cct; cowchain info cct; cowchain reload cct"
}

it "copy: the new image" copy
copy() { race_new own/new.qcow2 "cowchain copy cct own/new.qcow2 --pivot --wait --quiet"; }

run_cases
