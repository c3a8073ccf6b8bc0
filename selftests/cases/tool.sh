#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tool cowchain, from images to devices and back.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# tool_fails STATUS REGEX ARGUMENT...: with that exit status and such a line
tool_fails() {
	local want=$1 regex=$2 out rc=0

	shift 2
	out=$(cowchain "$@" 2>&1) || rc=$?
	eq $rc "$want" "exit status of cowchain $*: $out"
	matches "$out" "$regex" "output of cowchain $*"
}

attached() {
	need cowchain
	use abcd
	cowchain attach cct "$T/d.qcow2"
	DEV=/dev/mapper/cct
}

no_loops() { [ -z "$(mkloop -l "$T")" ]; }

# After a detach nothing may be left: no device, no loops.
detached() {
	cowchain detach cct
	[ ! -e /dev/mapper/cct ] || fail "the device is still there"
	wait_for 30 no_loops
	keep check d.qcow2
}

it "attach follows the backing files, detach leaves nothing" attach_detach
attach_detach() {
	local uuid

	attached
	status cct
	eq "$S_LAYERS" 4 layers
	uuid=$(dmsetup info -c --noheadings -o uuid cct)
	matches "$uuid" '^COWCHAIN-' "UUID"
	io verify random:30:1 verify
	detached
	keep compare d.qcow2 model.raw
	untouched abcd a.raw b.qcow2 c.qcow2
}

it "layers given one by one" explicit
explicit() {
	need cowchain
	use ext
	# shellcheck disable=SC2034	# for io
	DEV=/dev/mapper/cct
	cowchain attach cct --layer "raw:$T/a.raw" --layer "qcow2:$T/b.qcow2" \
		--layer "qcow2:$T/c.qcow2" --layer "qcow2:$T/d.qcow2,data=$T/d.data"
	io verify random:30:1 verify
	detached
	keep compare d.qcow2 model.raw
}

it "the lower layers are attached read-only, and all of them autoclear" loops
loops() {
	local dev

	attached
	for dev in $(mkloop -l "$T"); do
		eq "$(<"/sys/block/${dev#/dev/}/loop/autoclear")" 1 "autoclear of $dev"
		case $(<"/sys/block/${dev#/dev/}/loop/backing_file") in
		*/d.qcow2) eq "$(<"/sys/block/${dev#/dev/}/ro")" 0 "read-only flag of the top" ;;
		*) eq "$(<"/sys/block/${dev#/dev/}/ro")" 1 "read-only flag of $dev" ;;
		esac
	done
	detached
}

it "stream with a base and progress" stream
stream() {
	local out

	attached
	out=$(cowchain stream cct --base "$T/a.raw" --wait 2>&1)
	matches "$out" '100' "progress"
	status cct
	eq "$S_STATE" concluded state
	eq "$S_LAYERS" 2 layers
	io verify
	wait_for 30 two_loops
	detached
	eq "$(qcow2poke d.qcow2 backing)" a.raw "backing file"
	rm b.qcow2 c.qcow2
	keep compare d.qcow2 model.raw
}

two_loops() { [ "$(mkloop -l "$T" | wc -l)" -eq 2 ]; }

it "base, then stream, then wait" base_stream_wait
base_stream_wait() {
	attached
	cowchain base cct 1
	cowchain stream cct --speed 4M
	io random:20:1
	cowchain wait cct --quiet --timeout 100
	status cct
	eq "$S_BASE" 1 base
	eq "$S_LAYERS" 3 layers
	io verify
	detached
	keep compare d.qcow2 model.raw
}

it "job control" job
job() {
	attached
	cowchain stream cct --speed 64K
	cowchain job cct pause
	wait_state cct paused
	cowchain job cct resume
	cowchain job cct speed 128K
	status cct
	eq "$S_SPEED" 131072 speed
	matches "$(cowchain job cct info)" 'running' "job info"
	cowchain job cct cancel
	wait_state cct concluded
	eq "$S_LAYERS" 4 layers
	tool_fails 1 . job cct cancel
	tool_fails 1 . wait no-such-device
	detached
	keep compare d.qcow2 model.raw
}

it "snapshot makes the image and puts it on top" snapshot
snapshot() {
	attached
	io random:20:1
	cp model.raw frozen.raw
	cowchain snapshot cct "$T/e.qcow2"
	status cct
	eq "$S_LAYERS" 5 layers
	io random:20:2 verify
	cowchain detach cct
	wait_for 30 no_loops
	keep check d.qcow2
	keep compare d.qcow2 frozen.raw
	keep check e.qcow2
	keep compare e.qcow2 model.raw
	# what it made can be attached by itself, and by QEMU
	cowchain attach cct "$T/e.qcow2"
	io verify
}

it "create, copy and info" copy
copy() {
	local out

	attached
	io random:20:1
	cowchain copy cct "$T/new.qcow2" --data-file "$T/new.data" --wait --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	io verify random:20:2
	out=$(cowchain info cct)
	matches "$out" 'new.qcow2' "info"
	cowchain detach cct
	wait_for 30 no_loops
	cmp new.data model.raw || fail "the data file is not the guest's disk"
	# the tool writes absolute names: the files will be looked at elsewhere
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

it "an interrupted stream goes on, and attach says so" interrupted
interrupted() {
	local out

	attached
	cowchain stream cct --speed 64K
	cowchain detach cct
	wait_for 30 no_loops
	matches "$(cowchain info "$T/d.qcow2" --noheadings)" 'stream' "info"
	out=$(cowchain attach cct "$T/d.qcow2" --no-auto-resume 2>&1)
	matches "$out" 'job cct resume' "output of attach"
	cowchain detach cct
	wait_for 30 no_loops
	out=$(cowchain attach cct "$T/d.qcow2" 2>&1)
	matches "$out" 'continues' "output of attach"
	cowchain job cct speed 0
	cowchain wait cct --quiet
	status cct
	eq "$S_LAYERS" 1 layers
	io verify
	detached
	keep compare d.qcow2 model.raw
}

# again OPTION...: detached, attached; OUT is what attach says
again() {
	cowchain detach cct
	wait_for 30 no_loops
	OUT=$(cowchain attach cct "$T/d.qcow2" "$@" 2>&1)
}

it "one that was paused, or cannot go on: attach says so, and wait does not hang" interrupted_stays
interrupted_stays() {
	attached
	cowchain stream cct --base "$T/b.qcow2" --speed 64K
	cowchain job cct pause
	wait_state cct paused
	again
	matches "$OUT" 'paused.*job cct resume' "output of attach"
	tool_fails 1 'paused.*job cct resume' wait cct --quiet --timeout 2
	cowchain job cct resume
	wait_state cct running
	again --no-auto-resume
	tool_fails 1 'job cct resume' wait cct --quiet
	# without its base
	cowchain detach cct
	wait_for 30 no_loops
	OUT=$(cowchain attach cct --ignore-identity --layer "raw:$T/model.raw" --layer "qcow2:$T/d.qcow2" 2>&1)
	matches "$OUT" 'cannot be continued.*job cct cancel' "output of attach"
	tool_fails 1 'job cct cancel' wait cct --quiet
	cowchain job cct cancel
	detached
}

it "status and list, as text and as JSON" output
output() {
	local out

	attached
	out=$(cowchain list --noheadings)
	matches "$out" '(^|[[:space:]])cct[[:space:]]' list
	out=$(cowchain status cct --json)
	perl -MJSON::PP -e 'decode_json($ARGV[0])' "$out" || fail "no JSON: $out"
	matches "$out" '"cct"' "JSON status"
	out=$(cowchain list --json)
	perl -MJSON::PP -e 'decode_json($ARGV[0])' "$out" || fail "no JSON: $out"
	out=$(cowchain info cct --json)
	perl -MJSON::PP -e 'decode_json($ARGV[0])' "$out" || fail "no JSON: $out"
	matches "$out" 'b.qcow2' "JSON info"
	detached
}

it "names from images are followed only where they may be" rules
rules() {
	need cowchain
	use abcd
	mkdir elsewhere inside
	cp a.raw elsewhere
	cp d.qcow2 inside/x.qcow2
	qcow2poke inside/x.qcow2 backing "$T/elsewhere/a.raw" raw
	tool_fails 1 'allow-dir|elsewhere' attach cct "$T/inside/x.qcow2"
	cowchain attach cct "$T/inside/x.qcow2" --allow-dir "$T/elsewhere"
	cowchain detach cct
	qcow2poke inside/x.qcow2 backing ../elsewhere/a.raw raw
	tool_fails 1 'allow-dir|elsewhere' attach cct "$T/inside/x.qcow2"
	# a link that leads out
	ln -s "$T/elsewhere/a.raw" inside/link.raw
	qcow2poke inside/x.qcow2 backing link.raw raw
	tool_fails 1 'allow-dir|link' attach cct "$T/inside/x.qcow2"
	for name in 'json:{"driver":"raw"}' nbd://localhost/x 'fat:.' /etc/passwd; do
		qcow2poke inside/x.qcow2 backing "$name" raw
		tool_fails 1 . attach cct "$T/inside/x.qcow2"
	done
	wait_for 30 no_loops
	[ ! -e /dev/mapper/cct ] || fail "a device was made"
}

it "the format is never probed" no_probing
no_probing() {
	need cowchain
	use abcd
	# a guest wrote a qcow2 header onto its raw disk
	dd if=c.qcow2 of=a.raw bs=64k count=1 conv=notrunc status=none
	cp a.raw model.raw
	cp "$FIXTURES/abcd/d.qcow2" d.qcow2
	qcow2poke d.qcow2 backing a.raw raw
	cowchain attach cct "$T/d.qcow2"
	io_verify
	cowchain detach cct
	# without a format in the header the user has to say it
	qcow2poke d.qcow2 backing a.raw raw
	without_format d.qcow2
	tool_fails 1 'format' attach cct "$T/d.qcow2"
	cowchain attach cct "$T/d.qcow2" --backing-format raw
	io_verify
}

io_verify() { cowio -m "$T/model.raw" /dev/mapper/cct verify; }

# The format extension becomes one that nobody knows.
without_format() {
	local off

	off=$(grep -obUaP '\xe2\x79\x2a\xca' "$1" | head -n 1)
	qcow2poke "$1" u32 "${off%%:*}" 0x11111111
}

it "errors name the file and the remedy, with the right status" errors
errors() {
	need cowchain
	use abcd
	use refused compressed.qcow2 luks.qcow2
	use spare unprepared.qcow2
	tool_fails 2 'usage|Usage'
	tool_fails 2 . frobnicate
	tool_fails 2 . attach
	tool_fails 2 . attach cct "$T/d.qcow2" --no-such-option
	tool_fails 1 'nothing.qcow2' attach cct "$T/nothing.qcow2"
	tool_fails 1 'luks.qcow2' attach cct "$T/luks.qcow2"
	qcow2poke unprepared.qcow2 backing a.raw raw
	tool_fails 1 'unprepared.qcow2|prepared' attach cct "$T/unprepared.qcow2"
	mv b.qcow2 gone.qcow2
	tool_fails 1 'b.qcow2' attach cct "$T/d.qcow2"
	tool_fails 1 'cct' detach cct
	tool_fails 1 'cct' stream cct
	tool_fails 1 'cct' status cct
	wait_for 30 no_loops
}

it "an image in use is refused" in_use
in_use() {
	attached
	tool_fails 1 'd.qcow2|use|busy' attach cct2 "$T/d.qcow2"
	tool_fails 1 . attach cct "$T/d.qcow2"
	detached
}

# qemu_img LINE: one that does this first
qemu_img() {
	local real

	real=$(command -v qemu-img) || skip "needs qemu-img"
	mkdir -p bin
	printf '#!/bin/sh\n%s\nexec %s "$@"\n' "$1" "$real" >bin/qemu-img
	chmod +x bin/qemu-img
	PATH=$T/bin:$PATH
}

it "two snapshots at the same time stand on each other" together
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

it "a top that others change meanwhile is noticed" meanwhile
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

it "a base that others select meanwhile spoils no copy unnoticed" copy_base
copy_base() {
	local out rc=0 pid

	attached
	while :; do dmsetup message cct 0 base 0 || true; done >/dev/null 2>&1 &
	pid=$!
	out=$(cowchain copy cct "$T/new.qcow2" --wait --quiet 2>&1) || rc=$?
	kill $pid
	wait $pid || true
	status cct
	if [ $rc -eq 0 ]; then
		eq "$S_LAYERS" 1 layers
	else
		matches "$out" 'layer 0 was selected as the base' "output of copy"
	fi
	io verify
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
		# the signal may have come when all was done
		! dmsetup info cct >/dev/null 2>&1 || whole_then_gone
		wait_for 30 no_loops
	done
}

whole_then_gone() {
	status cct
	eq "$S_MODE $S_LAYERS" "rw 4" "mode and layers"
	cowchain detach cct
}

it "a device without a table is shown and removed" no_table
no_table() {
	need cowchain
	dmsetup create cct --notable --uuid COWCHAIN-0123
	matches "$(cowchain list --noheadings)" 'cct .* no-table' list
	matches "$(cowchain status --noheadings)" 'cct .*no-table' status
	tool_fails 1 'no table.*detach' stream cct
	cowchain detach cct
	# somebody else's is not touched
	dmsetup create cct --notable
	tool_fails 1 'no table' detach cct
	dmsetup remove cct
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

# create leaves what is in use alone, and calls block devices what the user calls them.
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
	tool_fails 1 'in use' create "$dev" --size 1M --force
	tool_fails 1 'in use' create w.qcow2 --size 1M --data-file "$dev" --force
	tool_fails 1 "attached as $dev" create a.raw --size 1M --force
	tool_fails 1 'are the same' create link --backing /dev/mapper/cct-base --format raw --force
	[ ! -e w.qcow2 ] || fail "w.qcow2 was made"
	cmp a.raw "$FIXTURES/abcd/a.raw" || fail "a.raw was overwritten"
	cowchain create z.qcow2 --size 16M --data-file link --force
	eq "$(qcow2poke z.qcow2 ext 0x44415441)" "$T/link" "a link as the data file"
	dmsetup remove cct-base
	tool_fails 1 'are the same' create "$dev" --backing a.raw --format raw --force
	mkloop -x "$dev"
	cowchain create a.raw --size 1M --force
}

it "a base that was selected before is named from the top's directory" selected
selected() {
	need cowchain
	mkdir sub
	cp "$FIXTURES"/abcd/[ab].* sub
	cowchain create t.qcow2 --backing sub/b.qcow2 --format qcow2
	cowchain attach cct "$T/t.qcow2"
	cowchain base cct "$T/sub/a.raw"
	cowchain stream cct --wait --quiet
	cowchain detach cct
	wait_for 30 no_loops
	eq "$(qcow2poke t.qcow2 backing)" sub/a.raw "backing file"
	cowchain attach cct "$T/t.qcow2"
}

it "a name that does not lead to a layer is not used" wrong_names
wrong_names() {
	local base middle top

	need cowchain losetup
	use abcd
	cowchain create m.qcow2 --backing a.raw --format raw
	cowchain create t.qcow2 --backing m.qcow2 --format qcow2
	{ head -c 4096 /dev/zero; cat a.raw; } >shifted.raw
	base=$(losetup --find --show --read-only --offset 4096 "$T/shifted.raw")
	middle=$(mkloop "ro:$T/m.qcow2")
	top=$(mkloop "$T/t.qcow2")
	dmsetup create cct --table "0 $SECTORS cowchain 0 3 raw $base - qcow2 $middle - qcow2 $top -"
	tool_fails 1 'name it with --backing-file' stream cct --base 0
	cowchain base cct 0
	tool_fails 1 'name it with --backing-file' stream cct
	cowchain stream cct --backing-file a.raw --backing-format raw --wait --quiet
	eq "$(qcow2poke t.qcow2 backing)" a.raw "backing file"
	# the kernel calls a file that is gone so
	rm t.qcow2
	: >'t.qcow2 (deleted)'
	tool_fails 1 'name it with --backing-file' snapshot cct "$T/e.qcow2"
	cowchain snapshot cct "$T/e.qcow2" --backing-file gone.qcow2
	eq "$(qcow2poke e.qcow2 backing)" gone.qcow2 "backing file"
}

it "names with letters beyond ASCII, with blanks and newlines" letters
letters() {
	local dir

	need cowchain
	for dir in $'\303\240' $'\320\240' 'a b' $'a\nb'; do
		mkdir "$dir"
		cp "$FIXTURES"/abcd/* "$dir"
		mv "$dir/a.raw" "$dir/$dir.raw"
		qcow2poke "$dir/b.qcow2" backing "$dir.raw" raw
		cowchain attach cct "$T/$dir/d.qcow2"
		cowchain stream cct --base "$T/$dir/$dir.raw" --wait --quiet
		cowchain detach cct
		wait_for 30 no_loops
		eq "$(qcow2poke "$dir/d.qcow2" backing)" "$dir.raw" "backing file"
		rm -r "$dir"
	done
}

it "loop devices, by the tool's unit tests" unit_loop
unit_loop() {
	need test-loop
	CMOCKA_MESSAGE_OUTPUT=TAP test-loop >out 2>&1 || fail "$(<out)"
	! grep -i skip out || fail "a test was skipped"
	grep -q '^ok 4 ' out || fail "fewer than four tests"
}

run_cases
