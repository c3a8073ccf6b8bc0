#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tool cowchain: images that it makes: snapshots, copies, and create.
# Quick: ^snapshot|^copy
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

it "snapshot makes the image and puts it on top" snapshot
snapshot() {
	attached
	io random:20:1
	cp model.raw frozen.raw
	chown 1:2 d.qcow2
	chmod 640 d.qcow2
	cowchain snapshot cct "$T/e.qcow2"
	eq "$(stat -c '%u:%g %a' e.qcow2)" "1:2 640" "owner and mode"
	status cct
	eq "$S_LAYERS" 5 layers
	io random:20:2 verify
	cowchain detach cct
	wait_for 30 no_loops
	keep check d.qcow2
	keep compare d.qcow2 frozen.raw
	keep check e.qcow2
	keep compare e.qcow2 model.raw
	# the new image can be attached alone, and by QEMU
	cowchain attach cct "$T/e.qcow2"
	io verify
}

# The guest is promised that what it flushes lasts: so must the names of the files.
it "a new top is on disk, with its name, before it is used" lasting
lasting() {
	attached
	mkdir new
	LD_PRELOAD=$COWCHAIN_BIN/dm-step.so DM_STEP_LOG=$T/log cowchain snapshot cct new/e.qcow2 --data-file new/e.data
	grep -E '^(fsync|message)' log
	matches "$(grep -E '^(fsync|message)' log | xargs)" \
		"fsync $T/new/e.qcow2 fsync $T/new fsync $T/new/e.data fsync $T/new message cct" "what was done"
}

it "create, copy and info" copy
copy() {
	local out

	attached
	io random:20:1
	chmod 600 d.qcow2
	cowchain copy cct "$T/new.qcow2" --pivot --data-file "$T/new.data" --wait --quiet
	eq "$(stat -c %a new.qcow2 new.data | xargs)" "600 600" "modes"
	status cct
	eq "$S_LAYERS" 1 layers
	io verify random:20:2
	out=$(cowchain info cct)
	matches "$out" 'new.qcow2' "info"
	cowchain detach cct
	wait_for 30 no_loops
	cmp new.data model.raw || fail "the data file is not the guest's disk"
	# the tool writes absolute names, but the files are checked in another directory
	qcow2poke new.qcow2 ext 0x44415441 new.data
	cp model.raw new.model
	keep identical new.data new.model
	keep check new.qcow2
	keep compare new.qcow2 new.model
	cowchain create "$T/child.qcow2" --backing "$T/new.qcow2" --format qcow2
	cowchain attach cct "$T/child.qcow2"
	io verify random:20:3
	cowchain detach cct
	keep check child.qcow2
	keep compare child.qcow2 model.raw
}

it "a sealed top and a changed layer are refused, with the remedy" identity
identity() {
	local out

	attached
	cowchain snapshot cct "$T/e.qcow2"
	out=$(cowchain info cct --json)
	perl -MJSON::PP -e '
		my $l = decode_json($ARGV[0])->{layers};
		exit !($l->[4]{"parent-uuid"} eq $l->[3]{uuid} && $l->[3]{sealed} eq "yes" &&
			$l->[4]{sealed} eq "no" && !defined $l->[2]{uuid});' "$out" ||
		fail "the identities are wrong: $out"
	cowchain detach cct
	wait_for 30 no_loops
	tool_fails 1 'd.qcow2: .*backing file of another.*--allow-sealed' attach cct "$T/d.qcow2"
	cowchain attach cct "$T/d.qcow2" --read-only
	cowchain detach cct
	wait_for 30 no_loops
	cowchain attach cct "$T/d.qcow2" --allow-sealed
	cowchain detach cct
	wait_for 30 no_loops
	tool_fails 1 'e.qcow2: .*d.qcow2.*--ignore-identity' attach cct "$T/e.qcow2"
	cowchain attach cct "$T/e.qcow2" --ignore-identity
	io verify
}

it "two snapshots at the same time end up on top of each other" together
together() {
	attached
	qemu_img 'sleep 3'
	cowchain snapshot cct "$T/e.qcow2" >first 2>&1 &
	cowchain snapshot cct "$T/f.qcow2" >second 2>&1 || fail "the second: $(<second)"
	wait $! || fail "the first: $(<first)"
	status cct
	eq "$S_LAYERS" 6 layers
	matches "$(qcow2poke e.qcow2 backing) $(qcow2poke f.qcow2 backing)" \
		'^(d.qcow2 e.qcow2|f.qcow2 d.qcow2)$' "backing files"
	matches "$(cat first second)" 'cct: waiting for another' "what they say"
	io random:20:1 verify
}

it "a top that others change meanwhile is detected" meanwhile
meanwhile() {
	attached
	cowchain create "$T/g.qcow2" --backing "$T/d.qcow2" --format qcow2
	qemu_img "dmsetup message cct 0 snapshot qcow2 $(mkloop "$T/g.qcow2") -"
	tool_fails 1 'changed meanwhile' snapshot cct "$T/e.qcow2" --data-file "$T/e.data"
	[ ! -e e.qcow2 ] || fail "the new image is still there"
	[ ! -e e.data ] || fail "the new data file is still there"
	status cct
	eq "$S_LAYERS" 5 layers
	io verify
}

# Whoever owns the directory exchanges a file while it is being made.
it "a new image that is exchanged is refused, and nothing else is written" exchanged
exchanged() {
	local name

	attached
	cp a.raw victim
	for name in e.qcow2 e.data; do
		qemu_img "mv $T/$name $T/moved; ln -s $T/victim $T/$name"
		tool_fails 1 "$name: was replaced" snapshot cct "$T/e.qcow2" --data-file "$T/e.data"
		cmp victim a.raw || fail "another file was overwritten"
		[ -L $name ] || fail "what is not ours was removed"
		rm -f moved e.*
	done
	status cct
	eq "$S_LAYERS" 4 layers
}

it "a signal leaves nothing half done" signals
signals() {
	local delay rc

	attached
	# shellcheck disable=SC2016	# for the script
	qemu_img 'kill -TERM $PPID; exec sleep 100'
	tool_fails 143 . snapshot cct "$T/e.qcow2" --data-file "$T/e.data"
	[ ! -e e.qcow2 ] || fail "the new image is still there"
	[ ! -e e.data ] || fail "the new data file is still there"
	status cct
	eq "$S_LAYERS" 4 layers
	detached
	for delay in 0.01 0.02 0.04 0.06 0.08 0.1 0.15 0.2 0.3 0.5 1; do
		rc=0
		timeout "$delay" cowchain attach cct "$T/d.qcow2" || rc=$?
		[ $rc -eq 0 ] || [ $rc -eq 124 ] || fail "attach ended with $rc"
		[ $rc -ne 0 ] || dmsetup info cct >/dev/null || fail "there is no device"
		# the signal may have come too late
		! dmsetup info cct >/dev/null 2>&1 || whole_then_gone
		wait_for 30 no_loops
	done
}

whole_then_gone() {
	status cct
	eq "$S_MODE $S_LAYERS" "rw 4" "mode and layers"
	cowchain detach cct
}

it "an image that is there already must fit, and the remedy works" existing
existing() {
	local out

	attached
	cowchain create "$T/e.qcow2" --backing "$T/c.qcow2" --format qcow2
	tool_fails 1 'top of the chain is .*d.qcow2' snapshot cct "$T/e.qcow2"
	out=$(cowchain snapshot cct "$T/e.qcow2" 2>&1) || true
	eval "${out##*change it: }"
	tool_fails 1 'backing file is' snapshot cct "$T/e.qcow2" --backing-file d.qcow2
	cowchain snapshot cct "$T/e.qcow2" --backing-file "$T/d.qcow2"
	cowchain create "$T/f.qcow2" --backing "$T/e.qcow2" --format qcow2
	printf x >>f.qcow2
	out=$(cowchain snapshot cct "$T/f.qcow2" 2>&1) && fail "its length does not matter"
	matches "$out" 'truncate -s' "output"
	[[ $out != *--pad* ]] || fail "snapshot has no --pad: $out"
	out=$(cowchain snapshot cct "$T/g.qcow2" --data-file "$T/a.raw" 2>&1) && fail "a.raw is there"
	matches "$out" 'exists' "output"
	[[ $out != *--force* ]] || fail "snapshot has no --force: $out"
	io random:20:1 verify
	cowchain detach cct
	wait_for 30 no_loops
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	keep check e.qcow2
	keep compare e.qcow2 model.raw
}

# over FILE NEW ARGUMENT...: attaches an image that is not prepared by the command that the message ends with, in
# which NEW is the name for the new top, and uses it
over() {
	local file=$1 new=$2 out

	shift 2
	out=$(cowchain attach cct "$file" "$@" 2>&1) && fail "$file was attached as it is"
	matches "$out" ": cowchain attach cct .*--overlay $new\$" "the message"
	eval "${out##*: }"
	status cct
	eq "$S_MODE" rw mode
	cp /dev/mapper/cct "$file.model"
	DEV=/dev/mapper/cct
	cp "$file.model" model.raw
	io random:20:1 verify
	cp model.raw "$new.model"
	cowchain detach cct
	wait_for 30 no_loops
	keep check "$new"
	keep compare "$new" "$new.model"
}

it "an image that is not prepared: the recommended command puts a new top on it" not_prepared
not_prepared() {
	need cowchain
	use abcd
	over b.qcow2 b-top.qcow2
	keep compare b.qcow2 b.qcow2.model
	eq "$(qcow2poke b-top.qcow2 backing)" b.qcow2 "the backing file"
	eq "$(stat -c %a b-top.qcow2)" 600 "its mode"
	over a.raw a-top.qcow2
	cmp a.raw a.raw.model || fail "a.raw reads differently"
	untouched abcd a.raw b.qcow2
}

it "attach --overlay: a data file, a block device, a larger disk, listed layers" overlay
overlay() {
	local dev

	need cowchain
	use abcd
	truncate -s 32M disk.img
	dev=$(mkloop "$T/disk.img")
	cowchain attach cct d.qcow2 --overlay "$dev" --data-file "new data" --size 20M
	# shellcheck disable=SC2034	# for io
	DEV=/dev/mapper/cct
	eq "$(blockdev --getsize64 $DEV)" $((20 << 20)) "size"
	truncate -s 20M model.raw
	io verify random:20:1 verify
	cowchain detach cct
	tool_fails 1 'contains a qcow2 image.*--force' attach cct d.qcow2 --overlay "$dev"
	cp "$FIXTURES/abcd/model.raw" .
	cowchain attach cct --layer raw:a.raw --layer qcow2:b.qcow2 --layer qcow2:c.qcow2 --overlay "$dev" --force
	io verify random:20:1 verify
	cowchain detach cct
	cowchain attach cct "$dev" --allow-dir "$T"
	io verify
	untouched abcd a.raw b.qcow2 c.qcow2 d.qcow2
}

it "attach --overlay leaves nothing behind if it fails" overlay_fails
overlay_fails() {
	attached
	# the name, the features, an identity that does not fit, a layer that is written
	tool_fails 1 'exists' attach cct c.qcow2 --overlay n.qcow2
	tool_fails 1 'refuses the chain' attach cct2 c.qcow2 --overlay n.qcow2 --data-file n.raw --feature nonsense
	tool_fails 1 . attach cct2 d.qcow2 --overlay n.qcow2 --data-file n.raw
	[[ ! -e n.qcow2 && ! -e n.raw ]] || fail "something is left: $(ls)"
	cowchain detach cct
	wait_for 30 no_loops
	cowchain create e.qcow2 --backing d.qcow2 --format qcow2
	cowchain attach cct e.qcow2
	cowchain detach cct
	cowchain attach cct d.qcow2
	cowchain detach cct
	tool_fails 1 'was replaced or written to' attach cct e.qcow2 --overlay n.qcow2
	echo precious >n.raw
	tool_fails 1 'take another name' attach cct d.qcow2 --overlay n.qcow2 --data-file n.raw
	eq "$(<n.raw)" precious "what was there"
	[ ! -e n.qcow2 ] || fail "n.qcow2 is left"
	[ ! -e /dev/mapper/cct2 ] || fail "a device is left"
	wait_for 30 no_loops
}

# tails NUMBER: expects that many words of tails in the table of the device
tails() {
	local word n=0

	for word in $(dmsetup table cct); do
		[[ $word != tail && $word != data_tail ]] || n=$((n + 1))
	done
	eq $n "$1" "tails in the table"
}

# The names, sizes, times and contents of all that is not written
fingerprint() { stat -c '%n %s %y' "$@"; sha256sum "$@"; }

it "layers of any length are used as they are, through all changes of the chain" any_length
any_length() {
	local was out

	need cowchain
	use abcd a.raw
	mkdir below
	head -c 8388700 a.raw >below/base.raw
	qemu-img create -q -f qcow2 -b base.raw -F raw below/mid.qcow2
	[ $(($(stat -c %s below/mid.qcow2) % 512)) -ne 0 ] || fail "qemu-img makes whole sectors"
	cp below/base.raw model.raw
	truncate -s %512 model.raw
	was=$(fingerprint below/*)
	# nothing in it can be written
	mount --bind below below
	mount -o remount,bind,ro below
	DEV=/dev/mapper/cct
	cowchain attach cct below/mid.qcow2 --overlay top.qcow2
	tails 2
	io verify random:30:1 verify
	cowchain reload cct
	tails 2
	out=$(cowchain info cct --bytes --noheadings) || fail "info: $out"
	matches "$out" "0 +raw +8388700 .*below/base.raw" "info"
	matches "$out" "1 +qcow2 +8389120 .*below/mid.qcow2" "info"
	cowchain snapshot cct s.qcow2
	io random:30:2 verify
	cowchain stream cct --base below/base.raw --wait --quiet
	tails 1
	io verify random:30:3
	cowchain reload cct
	io verify
	cowchain copy cct new.qcow2 --pivot --wait --quiet
	tails 0
	io verify
	cowchain detach cct
	wait_for 30 no_loops
	umount below
	eq "$(fingerprint below/*)" "$was" "what is below"
	keep check new.qcow2
	keep compare new.qcow2 model.raw
}

it "data files of any length, and a raw disk that is only read" any_length_data
any_length_data() {
	local was

	need cowchain
	use abcd model.raw
	cp model.raw mid.model
	cowchain create mid.qcow2 --size 12345856 --data-file mid.data
	cowchain attach cct mid.qcow2
	dd if=model.raw of=/dev/mapper/cct bs=512 count=24113 status=none
	cowchain detach cct
	wait_for 30 no_loops
	# within the last sector; zeros are behind the end, as in QEMU
	truncate -s 12345678 mid.data
	truncate -s 12345678 model.raw
	truncate -s 16M model.raw
	was=$(fingerprint mid.*)
	DEV=/dev/mapper/cct
	cowchain attach cct mid.qcow2 --overlay top.qcow2 --size 16M
	tails 1
	io verify random:30:1 verify
	cowchain detach cct
	head -c 1000001 mid.model >odd.raw
	cowchain attach cct odd.raw --format raw --read-only
	eq "$(blockdev --getsize64 $DEV)" 1000448 "size"
	truncate -s 1000448 odd.raw
	cmp odd.raw $DEV || fail "the raw disk reads differently"
	cowchain detach cct
	eq "$(fingerprint mid.*)" "$was" "what is below"
	truncate -s 12345857 mid.data
	tool_fails 1 'mid.data: its length of .*was it cut off.*by --pad or: truncate -s %512' \
		attach cct mid.qcow2
	echo tiny >tiny.raw
	tool_fails 1 'cannot show less than a sector.*truncate -s 512 .*/tiny.raw' \
		attach cct tiny.raw --format raw --overlay tiny.qcow2 --size 1M
	[ ! -e tiny.qcow2 ] || fail "tiny.qcow2 is left"
}

# A device is always there, so that --force would be a habit: it is needed only where something is.
it "a block device with contents is not overwritten, an empty one is" contents
contents() {
	local dev

	need cowchain
	truncate -s 32M disk.img
	dev=$(mkloop "$T/disk.img")
	cowchain create "$dev" --size 16M
	tool_fails 1 "$dev: contains a qcow2 image.*--force" create "$dev" --size 16M
	cowchain create "$dev" --size 16M --force
	# a name that somebody has given it
	head -c 32M /dev/zero >"$dev"
	mkfs.ext4 -q -L $'a\e[2J' "$dev"
	tool_fails 1 "contains ext4 with the label 'a.x1b.2J'.*--force" create "$dev" --size 16M
	tool_fails 1 "contains ext4" create top.qcow2 --size 16M --data-file "$dev"
	[ ! -e top.qcow2 ] || fail "an image was left behind"
	head -c 32M /dev/zero >"$dev"
	printf '\x55\xaa' | dd of="$dev" bs=1 seek=510 conv=notrunc status=none
	printf '\x83' | dd of="$dev" bs=1 seek=450 conv=notrunc status=none
	printf '\x01\0\0\0\x10' | dd of="$dev" bs=1 seek=454 conv=notrunc status=none
	tool_fails 1 "contains (a partition table|data)" create "$dev" --size 16M
	head -c 32M /dev/zero >"$dev"
	echo data | dd of="$dev" bs=1 seek=1000000 conv=notrunc status=none
	tool_fails 1 "contains data of an unknown kind.*--force" create "$dev" --size 16M
	head -c 32M /dev/zero >"$dev"
	cowchain create top.qcow2 --size 16M --data-file "$dev"
}

# create does not touch what is in use, and names block devices as the user does.
it "create and block devices" create_block
create_block() {
	local dev

	need cowchain
	use abcd
	dev=$(mkloop "$T/a.raw")
	dmsetup create cct-base --table "0 $SECTORS linear $dev 0"
	ln -s /dev/mapper/cct-base link
	cowchain create x.qcow2 --backing link --format raw
	eq "$(qcow2poke x.qcow2 backing)" "$T/link" "a link"
	cowchain create y.qcow2 --backing "/dev/$(dmsetup info -c --noheadings -o blkdevname cct-base)" -F raw
	eq "$(qcow2poke y.qcow2 backing)" /dev/mapper/cct-base "a number"
	# in use: by a mapped device, by a loop device, by the same image
	tool_fails 1 'in use: part of /dev/mapper/cct-base' create "$dev" --size 1M --force
	tool_fails 1 'in use' create w.qcow2 --size 1M --data-file "$dev" --force
	tool_fails 1 "attached as $dev" create a.raw --size 1M --force
	tool_fails 1 'are the same' create link --backing /dev/mapper/cct-base --format raw --force
	[ ! -e w.qcow2 ] || fail "w.qcow2 was made"
	cmp a.raw "$FIXTURES/abcd/a.raw" || fail "a.raw was overwritten"
	cowchain create z.qcow2 --size 16M --data-file link --force
	eq "$(qcow2poke z.qcow2 ext 0x44415441)" "$T/link" "a link as the data file"
	# deep below, where it looks empty
	head -c 2M /dev/zero >/dev/mapper/cct-base
	cowchain create mid.qcow2 --backing /dev/mapper/cct-base --format raw
	cowchain create over.qcow2 --backing mid.qcow2 --format qcow2
	tool_fails 1 'are the same' create /dev/mapper/cct-base --backing over.qcow2 --format qcow2
	tool_fails 1 'are the same' create w.qcow2 --data-file /dev/mapper/cct-base --backing over.qcow2 -F qcow2
	cmp -n 2M /dev/mapper/cct-base /dev/zero || fail "the layer below was overwritten"
	dmsetup remove cct-base
	tool_fails 1 'are the same' create "$dev" --backing a.raw --format raw --force
	mkloop -x "$dev"
	cowchain create a.raw --size 1M --force
}

# So are snapshots and copies: a logical volume is there before it is used.
it "snapshot and copy to block devices, in one step" devices
devices() {
	local out

	attached
	io random:20:1
	truncate -s 32M new.img data.img target.img
	attach new.img data.img target.img
	ln -s "${LOOP[new.img]}" new
	ln -s "${LOOP[data.img]}" data
	ln -s "${LOOP[target.img]}" target
	mkfs.ext4 -q -L theirs new
	tool_fails 1 "new: contains ext4 with the label 'theirs'.*--force" snapshot cct new
	tool_fails 1 "new: contains ext4 .*--force" copy cct e.qcow2 --pivot --data-file new
	[ ! -e e.qcow2 ] || fail "an image was left behind"
	# a device that is another way to a layer
	tool_fails 1 "is already a layer" snapshot cct "$(mkloop -l "$T" | head -n 1)" --force
	tool_fails 1 "in use|the same" snapshot cct e.qcow2 --force --data-file "$(losetup -n -O NAME -j b.qcow2 | tr -d ' ')"
	# nor is a file overwritten by this --force
	tool_fails 1 'a.raw: File exists: take another name$' copy cct e.qcow2 --pivot --force --data-file a.raw
	cmp a.raw "$FIXTURES/abcd/a.raw" || fail "a.raw was overwritten"
	cowchain snapshot cct new --data-file data --force
	eq "$(qcow2poke new backing) $(qcow2poke new ext 0x44415441)" "$T/d.qcow2 $T/data" "names in the header"
	tool_fails 1 "in use|already a layer" snapshot cct target --data-file data --force
	io random:20:2 verify
	cowchain copy cct e.qcow2 --pivot --data-file target --wait --quiet
	io random:20:3 verify
	cowchain detach cct
	cmp -n $((16 << 20)) target model.raw || fail "the volume is not the guest's disk"
	# one that is prepared is used as it is, and another one is not
	cowchain attach cct e.qcow2 --allow-dir /dev --allow-dir "$T"
	tool_fails 1 "new: has an image already: --force makes a new one" snapshot cct new
	tool_fails 1 "new: its backing file is '$T/d.qcow2'.*--force makes a new one" snapshot cct new --data-file data
	cowchain create new --backing e.qcow2 --format qcow2 --force
	cowchain snapshot cct new
	io random:20:4 verify
	out=$(cowchain info cct --noheadings)
	matches "$out" "$T/new.img .*$T/e.qcow2 " "info"
	cowchain detach cct
}

# attach_says REGEX ARGUMENT...: attaches with output that matches and, after !, that does not match
attach_says() {
	local out

	out=$(cowchain attach cct "${@:2}" 2>&1) || fail "attach ${*:2}: $out"
	case $1 in
	!*) [[ ! $out =~ ${1#!} ]] || fail "output of attach ${*:2}: $out" ;;
	*) matches "$out" "$1" "output of attach ${*:2}" ;;
	esac
	cowchain detach cct
}

it "a backing file that has another length, or is another file than before" not_as_before
not_as_before() {
	local short='base.raw had 8388608 bytes when .* has 4194304 now.*--ignore-identity'

	need cowchain
	trash base.raw 8M
	cowchain create top.qcow2 --backing base.raw --backing-format raw
	truncate -s 4M base.raw
	tool_fails 1 "$short" attach cct top.qcow2
	tool_fails 1 "$short" attach cct top.qcow2 --read-only
	# what the user lists is what was meant
	attach_says "!had|another file" --layer raw:base.raw --layer qcow2:top.qcow2
	# what was accepted is what counts from then on
	attach_says "!had" top.qcow2 --ignore-identity
	attach_says "!had" top.qcow2
	truncate -s 6M base.raw
	tool_fails 1 'base.raw had 4194304 bytes when .* has 6291456 now' attach cct top.qcow2
	truncate -s 4M base.raw
	cp base.raw copy
	mv copy base.raw
	attach_says 'top.qcow2: its backing file .*/base.raw is another file' top.qcow2
	attach_says "!another file" top.qcow2
	# so is another name, or a copy of all
	cp base.raw other.raw
	qcow2poke top.qcow2 backing other.raw raw
	attach_says "!another file" top.qcow2
	mkdir copies
	cp top.qcow2 other.raw copies
	attach_says "!another file" copies/top.qcow2
	# longer than the disk: what is more is not seen
	cowchain create small.qcow2 --backing other.raw --backing-format raw --size 2M
	truncate -s 3M other.raw
	attach_says "!had" small.qcow2
	# a new top of a live chain, and the layers below it
	cowchain attach cct top.qcow2 --ignore-identity
	cowchain snapshot cct next.qcow2
	cowchain detach cct
	cp top.qcow2 copy
	mv copy top.qcow2
	attach_says 'next.qcow2: its backing file .*/top.qcow2 is another file' next.qcow2
	# a layer below another one
	truncate -s 1M other.raw
	cowchain create over.qcow2 --backing small.qcow2 --backing-format qcow2
	tool_fails 1 'small.qcow2: its backing file .* had 3145728 .* has 1048576' attach cct over.qcow2
	attach_says "!had" over.qcow2 --ignore-identity
	tool_fails 1 'small.qcow2: .* had' attach cct small.qcow2
}

run_cases
