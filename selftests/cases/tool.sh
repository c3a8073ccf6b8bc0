#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tool cowchain, from images to devices and back.
# Quick: attach_detach|errors|in_use
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

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

it "the lower layers are attached read-only, and all layers autoclear" loops
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

it "stats: what each layer has served, as text and as JSON" stats
stats() {
	local out

	use abcd
	cowchain attach cct d.qcow2
	DEV=/dev/mapper/cct
	tool_fails 2 'exclude each other' stats cct --on --off
	cowchain stats cct --on
	cowchain stats cct --reset
	io read:64k:64k write:6M:4k:1 write:6656k:512:2
	out=$(cowchain stats cct --bytes --noheadings | awk '{ print $1, $4, $5, $6, $7, $8, $9, $NF }')
	eq "$out" "0 0 0 0 0 0 0 yes
1 1 65536 0 0 0 0 yes
2 0 0 0 0 0 0 yes
3 0 0 2 4608 1 3584 yes
- 0 0 - - - - yes" "counters"
	cowchain stats cct --off
	io read:64k:64k
	out=$(cowchain stats cct --json)
	perl -MJSON::PP -e '
		my $layer = decode_json($ARGV[0])->{stats}[1];
		exit(!($layer->{"read-bytes"} == 65536 && $layer->{counting} eq "no" && $layer->{file} =~ m,/b\.qcow2$,))
		' "$out" || fail "JSON: $out"
	cowchain detach cct
	keep check d.qcow2
}

it "info of an image on a mapped device, and of a chain under any name" info_names
info_names() {
	local node chain

	attached
	chain=$(cowchain info cct --noheadings)
	node=/dev/$(dmsetup info -c --noheadings -o blkdevname cct)
	ln -s /dev/mapper/cct link
	: >cct
	eq "$(cowchain info /dev/mapper/cct --noheadings)" "$chain" "the chain, by its node"
	eq "$(cowchain info "$node" --noheadings)" "$chain" "the chain, by its number"
	eq "$(cowchain info link --noheadings)" "$chain" "the chain, by a link"
	eq "$(cowchain info cct --noheadings)" "$chain" "the chain, and a file with its name"
	cowchain create new.qcow2 --size 16M
	attach new.qcow2
	dmsetup create cct-lv --table "0 $(sectors new.qcow2) linear ${LOOP[new.qcow2]} 0"
	node=/dev/$(dmsetup info -c --noheadings -o blkdevname cct-lv)
	matches "$(cowchain info /dev/mapper/cct-lv --noheadings)" 'qcow2 +16M .*/dev/mapper/cct-lv' image
	matches "$(cowchain info "$node" --noheadings)" "qcow2 +16M .*$node" "image, by its number"
	tool_fails 1 'cct-lv: is a device of type linear' info cct-lv
	cp new.qcow2 cct-lv
	matches "$(cowchain info cct-lv --noheadings)" "qcow2 +16M .*$T/cct-lv" "a file with the name of a device"
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
	# a link to another directory
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

# The image on the device may come from a stranger, who knows the names of the host's disks.
it "an image on a block device names no other one of the host" rules_device
rules_device() {
	local other top name

	need cowchain
	use abcd a.raw d.qcow2
	other=$(mkloop "ro:$T/a.raw")
	dmsetup create cct-lv --readonly --table "0 $SECTORS linear $other 0"
	for name in "$other" "${other##*/}" "./${other##*/}" "$T/a.raw"; do
		qcow2poke d.qcow2 backing "$name" raw
		top=$(mkloop "$T/d.qcow2")
		tool_fails 1 'not followed.*(--layer|--allow-dir)' attach cct "$top"
		mkloop -x "$top"
	done
	qcow2poke d.qcow2 backing /dev/mapper/cct-lv raw
	top=$(mkloop "$T/d.qcow2")
	tool_fails 1 '--allow-dir /dev/mapper' attach cct "$top"
	cowchain attach cct "$top" --allow-dir /dev/mapper
	cowchain detach cct
	cowchain attach cct --layer raw:/dev/mapper/cct-lv --layer "qcow2:$top"
	cowchain detach cct
}

# As udev makes them for logical volumes: links in a directory of root's to nodes that are numbered.
it "a device by the link of a volume, or of a tree of links" rules_links
rules_links() {
	local lv=/dev/cct-vg/base name

	need cowchain
	use abcd a.raw
	attach ro:a.raw
	mkdir /dev/cct-vg
	ln -s "../${LOOP[a.raw]#/dev/}" $lv
	ln -s $lv here
	ln -s /dev/cct-vg volumes
	for name in $lv "$T/here" "$T/volumes/base"; do
		cowchain create x.qcow2 --backing "$name" --backing-format raw
		eq "$(qcow2poke x.qcow2 backing)" "$name" "what is in the header"
		tool_fails 1 'give --allow-dir /dev/cct-vg$' attach cct x.qcow2
		cowchain attach cct x.qcow2 --allow-dir /dev/cct-vg
		cowchain detach cct
		tool_fails 1 'give --allow-dir /dev/cct-vg$' attach cct x.qcow2 --allow-dir /dev/mapper
		rm x.qcow2
	done
	# a node that is no link: any directory that allows it would allow all disks
	cowchain create x.qcow2 --backing "${LOOP[a.raw]}" --backing-format raw
	tool_fails 1 'device of the host.*--layer' attach cct x.qcow2
	tool_fails 1 'no directory|not a directory' attach cct x.qcow2 --allow-dir $lv
	rm -r /dev/cct-vg
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
	# without a format in the header the user has to give it
	qcow2poke d.qcow2 backing a.raw raw
	without_format d.qcow2
	tool_fails 1 'format' attach cct "$T/d.qcow2"
	cowchain attach cct "$T/d.qcow2" --backing-format raw
	io_verify
}

io_verify() { cowio -m "$T/model.raw" /dev/mapper/cct verify; }

# Makes the format extension one of an unknown type.
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

it "a device in use: who uses it, and a removal that waits for them" users
users() {
	local out loop

	attached
	dmsetup create cct-over --table "0 $SECTORS linear $DEV 0"
	loop=$(losetup --find --show "$DEV")
	tool_fails 1 "part of /dev/mapper/cct-over, attached as $loop" detach cct
	losetup --detach "$loop"
	loop=$(losetup --find --show /dev/mapper/cct-over)
	tool_fails 1 "part of /dev/mapper/cct-over \\(attached as $loop\\)" detach cct
	losetup --detach "$loop"
	exec 8<$DEV
	tool_fails 1 "open in [^ ]+ \\($BASHPID\\)" detach cct
	exec 8<&-
	out=$(cowchain detach cct --deferred 2>&1)
	matches "$out" 'still in use: part of /dev/mapper/cct-over' "output of detach"
	[ -b $DEV ] || fail "its node is gone"
	matches "$(cowchain list --noheadings)" '(^|[[:space:]])cct .* pending' list
	matches "$(cowchain list --json)" '"removal": *"pending"' "JSON list"
	tool_fails 1 'when its last user closes it' attach cct "$T/d.qcow2"
	dmsetup remove cct-over
	wait_for 30 no_loops
	! dmsetup info cct >/dev/null 2>&1 || fail "the device is still there"
	# nobody removes its node if there is no udev
	cowchain attach cct2 "$T/d.qcow2"
	[ ! -e $DEV ] || fail "its node leads to another device"
	[[ $(cowchain list --noheadings) != *pending* ]] || fail "another removal is pending"
	cowchain detach cct2 --deferred
	[ ! -e /dev/mapper/cct2 ] || fail "its node is still there"
}

it "more layers than there are descriptors for all at once" descriptors
descriptors() {
	local i layers=()

	need cowchain
	use abcd a.raw
	cowchain create l0.qcow2 --size 16M --data-file l0.data
	for ((i = 1; i <= 50; i++)); do
		cp --sparse=always l0.qcow2 "l$i.qcow2"
		cp --sparse=always l0.data "l$i.data"
		layers+=(--layer "qcow2:l$i.qcow2,data=l$i.data")
	done
	# two for each layer at a time; not three
	(
		ulimit -n 140
		cowchain attach cct --layer raw:a.raw "${layers[@]}"
	)
	status cct
	eq "$S_LAYERS" 51 layers
	cowchain detach cct
	wait_for 30 no_loops
	(
		ulimit -n 60
		tool_fails 1 'Too many open files.*ulimit -n' attach cct --layer raw:a.raw "${layers[@]}"
	)
}

it "a device without a table is shown and removed" no_table
no_table() {
	need cowchain
	dmsetup create cct --notable --uuid COWCHAIN-0123
	matches "$(cowchain list --noheadings)" 'cct .* no-table' list
	matches "$(cowchain status --noheadings)" 'cct .*no-table' status
	tool_fails 1 'no table.*detach' stream cct
	cowchain detach cct
	# a device of another program is not touched
	dmsetup create cct --notable
	tool_fails 1 'no table' detach cct
	dmsetup remove cct
}

it "the owner of the node, and a chain for the host" owner
owner() {
	need cowchain
	use abcd
	tool_fails 2 'no such user' attach cct "$T/d.qcow2" --owner nosuch
	cowchain attach cct "$T/d.qcow2" --owner 1234:4321 --mode 640
	eq "$(stat -L -c '%u %g %a' /dev/mapper/cct)" '1234 4321 640' "owner, group and mode"
	matches "$(dmsetup info -c --noheadings -o uuid cct)" '^COWCHAIN-u1234-g4321-m640-[0-9a-f]{32}$' UUID
	cowchain reload cct
	eq "$(stat -L -c '%u %g %a' /dev/mapper/cct)" '1234 4321 640' "owner, group and mode after a reload"
	cowchain detach cct
	cowchain attach cct "$T/d.qcow2" --owner 0:0 --host
	eq "$(stat -L -c '%u %g %a' /dev/mapper/cct)" '0 0 600' "owner, group and mode"
	matches "$(dmsetup info -c --noheadings -o uuid cct)" '^COWCHAIN-HOST-u0-g0-m600-' UUID
	matches "$(cowchain list --noheadings)" '^cct ' list
	detached
}

# mbr START SECTORS...: a partition table
mbr() {
	local i n byte=() entry

	for ((i = 0; i < 446; i++)); do printf '\0'; done
	for ((i = 0; i < 4; i++)); do
		entry='\0\0\0\0\x83\0\0\0'
		[ $# -gt 0 ] || entry='\0\0\0\0\0\0\0\0'
		for n in "${1:-0}" "${2:-0}"; do
			printf -v byte '\\x%02x\\x%02x\\x%02x\\x%02x' $((n & 255)) $((n >> 8 & 255)) $((n >> 16 & 255)) $((n >> 24))
			entry+=$byte
		done
		# shellcheck disable=SC2059	# bytes
		printf "$entry"
		shift $(($# > 1 ? 2 : $#))
	done
	printf '\x55\xaa'
}

it "partitions are devices, too, and vanish with the disk" partitions
partitions() {
	local number

	need cowchain
	use abcd
	cowchain attach cct "$T/d.qcow2"
	mbr 2048 4096 8192 8192 >table
	dd if=table of=/dev/mapper/cct conv=fsync,notrunc 2>/dev/null
	cowchain detach cct
	cowchain attach cct "$T/d.qcow2" --partitions --owner 1234:4321
	number=$(dmsetup info -c --noheadings --separator : -o major,minor cct)
	eq "$(dmsetup table cct1)" "0 4096 linear $number 2048" "the first partition"
	eq "$(dmsetup table cct2)" "0 8192 linear $number 8192" "the second partition"
	matches "$(dmsetup info -c --noheadings -o uuid cct2)" '^part2-COWCHAIN-u1234-g4321-m600-[0-9a-f]+$' UUID
	eq "$(cowchain list --noheadings | wc -l)" 1 "devices in the list"
	exec 8</dev/mapper/cct2
	tool_fails 1 'its partition cct2 is in use: open in ' detach cct
	dmsetup info cct1 >/dev/null || fail "a refused detach has removed the other partition"
	exec 8<&-
	exec 8</dev/mapper/cct
	tool_fails 1 'cct: in use: part of /dev/mapper/cct[12], part of /dev/mapper/cct[12], open in ' detach cct
	dmsetup info cct1 >/dev/null || fail "a refused detach has removed a partition"
	exec 8<&-
	matches "$(cowchain detach cct --dry-run | tr '\n' ';')" '^dmsetup remove --retry cct[12];dmsetup remove --retry cct[12];dmsetup remove --retry cct;$' plan
	cowchain detach cct
	[[ $(dmsetup ls 2>&1) != *cct* ]] || fail "left: $(dmsetup ls)"
	# as kpartx names them, and in use
	cowchain attach cct9 "$T/d.qcow2" --partitions
	exec 8</dev/mapper/cct9p1
	cowchain detach cct9 --deferred
	dmsetup info cct9p1 >/dev/null || fail "the partition in use is gone"
	exec 8<&-
	wait_for 30 no_loops
	[[ $(dmsetup ls 2>&1) != *cct* ]] || fail "left: $(dmsetup ls)"
	# a table of a larger disk: all or nothing
	cowchain attach cct "$T/d.qcow2"
	mbr 2048 4096 8192 65536 >table
	dd if=table of=/dev/mapper/cct conv=fsync,notrunc 2>/dev/null
	cowchain detach cct
	tool_fails 1 'partition 2 is not on the disk' attach cct "$T/d.qcow2" --partitions
	[[ $(dmsetup ls 2>&1) != *cct* ]] || fail "left: $(dmsetup ls)"
	cowchain attach cct "$T/d.qcow2"
	dd if=/dev/zero of=/dev/mapper/cct bs=512 count=1 conv=fsync,notrunc 2>/dev/null
	cowchain detach cct
	matches "$(cowchain attach cct "$T/d.qcow2" --partitions 2>&1)" 'has no partitions' "without a table"
	detached
}

# each_time DO VERB ARGUMENT...: runs the tool as often as it calls device-mapper, with DO right before
# the first call, the second one and so on, and "again" before each run
each_time() {
	local step out

	for ((step = 1; step < 100; step++)); do
		again
		rm -f reached
		out=$(LD_PRELOAD=$COWCHAIN_BIN/dm-step.so DM_STEP=$step DM_STEP_DO=$1 DM_STEP_DONE=$T/reached \
			cowchain "${@:2}" 2>&1) || fail "$1 before call $step of $2: $out"
		[ -e reached ] || break
		[[ $out != *cowchain:* ]] || fail "$1 before call $step of $2: $out"
		[[ $2 != list && $2 != status || $out = *cct-stays* ]] || fail "$1 before call $step: $out"
	done
	[ "$step" -gt 3 ] || fail "$2: $((step - 1)) calls only: $out"
}

it "what vanishes or is cut off while all are shown is no failure" vanishing
vanishing() {
	need cowchain
	cowchain create one.qcow2 --size 16M
	cp --sparse=always one.qcow2 other.qcow2
	cowchain attach cct-stays other.qcow2
	again() {
		! dmsetup info cct >/dev/null 2>&1 || dmsetup remove cct
		cowchain attach cct one.qcow2 2>/dev/null
	}
	each_time 'dmsetup remove cct' list
	each_time 'cowchain detach --force cct; dmsetup create cct --notable' status
	again
	# what is named has to be there
	tool_fails 1 'cct-none' status cct cct-none
	cowchain detach cct
	cowchain detach cct-stays
}

# Tables of dm-crypt contain keys.
it "no tables are read but those of chains" tables
tables() {
	local log=$T/log

	attached
	attach a.raw
	dmsetup create cct-lv --readonly --table "0 $SECTORS linear ${LOOP[a.raw]} 0"
	export LD_PRELOAD=$COWCHAIN_BIN/dm-step.so DM_STEP_LOG=$log
	cowchain list
	cowchain status
	cowchain --completion=devices
	tool_fails 1 'of type linear' status cct-lv
	tool_fails 1 'of type linear' detach cct-lv
	tool_fails 1 'exists' attach cct-lv d.qcow2
	cowchain info /dev/mapper/cct-lv --format raw
	# space below a layer is asked for
	cowchain create other.qcow2 --backing /dev/mapper/cct-lv --format raw
	cowchain attach cct-other other.qcow2 --allow-dir /dev/mapper
	cowchain stream cct-other --wait --quiet
	cowchain detach cct-other
	unset LD_PRELOAD
	grep -q '^table cct$' log || fail "nothing was logged"
	! grep '^table cct-lv' log || fail "a foreign table was read"
	dmsetup remove cct-lv
	detach a.raw
	detached
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

# The loop driver looks at the size of a file once, when the device is made.
it "a loop device that shows other bytes is not shared" stale
stale() {
	local old dev

	need cowchain
	trash base.raw 8M
	# another chain is on it
	cowchain create mid.qcow2 --backing base.raw --backing-format raw
	cowchain create old.qcow2 --backing mid.qcow2 --backing-format qcow2
	losetup -r -f base.raw
	dev=$(mkloop -l "$T")
	cowchain attach cct-old old.qcow2
	eq "$(mkloop -l "$T" | wc -l)" 3 "loop devices: the base is shared"
	old=$(sha256sum </dev/mapper/cct-old)
	head -c 8M /dev/urandom >>base.raw
	cowchain create top.qcow2 --backing base.raw --backing-format raw
	cowchain attach cct top.qcow2
	cmp /dev/mapper/cct base.raw || fail "the chain has other contents than its base"
	eq "$(sha256sum </dev/mapper/cct-old)" "$old" "what the other chain has"
	cowchain stream cct --base none --wait --quiet
	cmp /dev/mapper/cct base.raw || fail "a stream has copied other contents"
	cowchain detach cct
	# nor is its name one to be written down: what it leads to has become more
	tool_fails 1 'cannot find the name of the file of layer 0.*--backing-file' \
		stream cct-old --base 0 --wait --quiet
	cowchain detach cct-old
	losetup -d "$dev"
	wait_for 30 no_loops
	# one that can be written could be in use
	losetup -f base.raw
	truncate -s 20M base.raw
	cowchain create other.qcow2 --backing base.raw --backing-format raw
	tool_fails 1 'already attached as /dev/loop.*shows 16777216 bytes .*which has 20971520.*losetup -d' \
		attach cct other.qcow2
	losetup -d "$(mkloop -l "$T")"
}

it "a loop device with larger sectors is not shared" stale_sectors
stale_sectors() {
	need cowchain
	trash base.raw 16M
	losetup -r -f --sector-size 4096 base.raw
	cowchain create top.qcow2 --backing base.raw --backing-format raw
	cowchain attach cct top.qcow2
	eq "$(blockdev --getss /dev/mapper/cct)" 512 "size of the sectors"
	cowchain detach cct
	losetup -d "$(mkloop -l "$T")"
}

# It belongs to the file system: device-mapper could not have it.
it "a loop device that is mounted is not shared" stale_mounted
stale_mounted() {
	local dev

	need cowchain
	truncate -s 16M base.raw
	mkfs.ext4 -q base.raw
	dev=$(mkloop "ro:$T/base.raw")
	mkdir mnt
	mount -o ro "$dev" mnt
	cowchain create top.qcow2 --backing base.raw --backing-format raw
	cowchain attach cct top.qcow2
	cmp /dev/mapper/cct base.raw
	cowchain detach cct
	umount mnt
	mkloop -x "$dev"
	wait_for 30 no_loops
	dev=$(mkloop "$T/base.raw")
	mount "$dev" mnt
	tool_fails 1 "already attached as $dev, which is mounted" attach cct top.qcow2
	umount mnt
}

it "loop devices, by the tool's unit tests" unit_loop
unit_loop() {
	need test-loop
	CMOCKA_MESSAGE_OUTPUT=TAP test-loop >out 2>&1 || fail "$(<out)"
	! grep -i skip out || fail "a test was skipped"
	grep -q '^ok 7 ' out || fail "fewer than seven tests"
}

run_cases
