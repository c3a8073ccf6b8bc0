#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Identity and jobs after a power loss at each single write to a header: a snapshot and a stream are
# logged by dm-log-writes, and the two images are played back up to each point.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

CHAIN=(a.raw b.qcow2 c.qcow2 d.qcow2)
COPIED=4		# flag of the identity: everything is in the top
SECOND=$((48 << 11))	# sector at which e.qcow2 begins on the disk that holds both

# Puts both images on one disk, so that the log has one order for both.
logged_disk() {
	local n_d n_e f

	need_target log-writes
	n_d=$(sectors d.qcow2)
	n_e=$(sectors e.qcow2)
	truncate -s 96M disk.img
	dd if=d.qcow2 of=disk.img conv=notrunc,sparse bs=64k status=none
	dd if=e.qcow2 of=disk.img conv=notrunc,sparse bs=64k seek=$((SECOND / 128)) status=none
	cp disk.img first.img
	truncate -s 400M log.img
	attach disk.img log.img
	dmsetup create cct-log --table "0 $((96 << 11)) log-writes ${LOOP[disk.img]} ${LOOP[log.img]}"
	dmsetup create cct-d --table "0 $n_d linear /dev/mapper/cct-log 0"
	dmsetup create cct-e --table "0 $n_e linear /dev/mapper/cct-log $SECOND"
	for f in d e; do
		LOOP[$f.qcow2]=/dev/mapper/cct-$f
	done
}

logmark() { dmsetup message cct-log 0 mark "$1"; }

end_of_log() {
	remove cct-d
	remove cct-e
	remove cct-log
	unset "LOOP[d.qcow2]" "LOOP[e.qcow2]"
	detach disk.img log.img
}

# replay FROM TO NAME: makes NAME.1, NAME.2, ..., the disk after each write to a header between two marks
replay() {
	perl -MIO::Handle -e '
		my ($from, $to, $name, $second) = @ARGV;
		open(my $log, "<", "log.img") or die;
		read($log, my $b, 512) == 512 or die;
		my ($magic, $version, $nr, $size) = unpack("Q<Q<Q<L<", $b);
		$magic == 0x6a736677736872 or die "no log";
		open(my $disk, "+<", "first.img") or die;
		my ($on, $n) = (0, 0);
		seek($log, $size, 0);
		for (1 .. $nr) {
			read($log, my $e, $size) == $size or die;
			my ($sector, $len, $flags, $data) = unpack("Q<Q<Q<Q<", $e);
			if ($flags & 8) {
				my $mark = substr($e, 32, $data);
				$on = 1 if $mark eq $from;
				last if $mark eq $to;
			}
			next if !$len || $flags & 4;
			read($log, my $d, $len * 512) == $len * 512 or die;
			seek($disk, $sector * 512, 0);
			print $disk $d;
			next if !$on || $sector % $second >= 256;
			$disk->flush();
			$n++;
			system("cp", "--sparse=always", "first.img", "$name.$n") == 0 or die;
		}
		print "$n\n";' "$1" "$2" "$3" "$SECOND"
}

# point FILE: extracts d.qcow2 and e.qcow2 from a disk
point() {
	dd if="$1" of=d.qcow2 bs=64k count=$((SECOND / 128)) conv=sparse status=none
	dd if="$1" of=e.qcow2 bs=64k skip=$((SECOND / 128)) conv=sparse status=none
	truncate -s "$D_BYTES" d.qcow2
	truncate -s "$E_BYTES" e.qcow2
}

# reads MODEL FILE...: expects that the chain can be attached for writing, reads like MODEL, and its job ends
reads() {
	local model=$1 left

	shift
	layers "$@"
	create cct2
	status cct2
	if [ -n "$S_STATE" ]; then
		msg cct2 job-set-speed 0 || true
		job_done cct2
	fi
	cowio -m "$model" /dev/mapper/cct2 verify
	remove cct2
	mapfile -t left < <(mkloop -l "$T")
	mkloop -x "${left[@]}"
	LOOP=()
}

images() {
	[ -e d.qcow2 ] || use abcd
	use spare single.qcow2
	mv single.qcow2 e.qcow2
	qcow2poke e.qcow2 backing d.qcow2 qcow2
	D_BYTES=$(stat -c %s d.qcow2)
	E_BYTES=$(stat -c %s e.qcow2)
	logged_disk
}

# The header of the new top names the layer below; a top without an identity was never used.
snapshot_point() {
	local parent d_uuid sealed

	point "$1"
	ident d.qcow2
	d_uuid=$I_UUID sealed=$I_FLAGS
	ident e.qcow2
	parent=$I_PARENT
	if [ "$I_UUID" = - ]; then
		eq "${sealed:-0}" 0 "sealed, but no layer is on top of it"
		reads one.raw "${CHAIN[@]}"
		return
	fi
	eq "$parent" "$d_uuid" "parent"
	if [ "$sealed" = 1 ]; then
		layers "${CHAIN[@]}"
		refuse_create EMEDIUMTYPE allow_sealed
	fi
	reads one.raw "${CHAIN[@]}" e.qcow2
}

it "a snapshot" snapshot
snapshot() {
	local i n

	images
	mkchain cct "${CHAIN[@]}"
	io random:20:1 flush
	cp model.raw one.raw
	logmark begin
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	logmark end
	remove cct
	end_of_log
	n=$(replay begin end at)
	# 4 for the first identity of the new top, 1 for the seal
	[ "$n" -ge 5 ] || fail "only $n writes to headers"
	detach a.raw b.qcow2 c.qcow2
	for ((i = 1; i <= n; i++)); do
		note "point $i"
		snapshot_point "at.$i"
	done
}

# stream_points BASE CHAIN...: the points of a stream, from its start to its end; CHAIN is its result
stream_points() {
	local base=$1 i n name copied='' names=()

	shift
	[ "$base" = none ] || names=(backing-file "${*: -2:1}" qcow2)
	images
	mkchain cct "${CHAIN[@]}"
	io random:20:1 flush
	msg cct snapshot qcow2 "${LOOP[e.qcow2]}" -
	io random:20:2 flush
	cp model.raw two.raw
	msg cct base "$base"
	logmark begin
	msg cct stream "${names[@]}"
	job_done cct
	logmark end
	remove cct
	end_of_log
	n=$(replay begin end at)
	# the record; copied; the name or two writes for it; the end
	[ "$n" -ge 4 ] || fail "only $n writes to headers"
	detach a.raw b.qcow2 c.qcow2
	for ((i = 1; i <= n; i++)); do
		note "point $i"
		point "at.$i"
		name=$(qcow2poke e.qcow2 backing)
		ident e.qcow2
		if [ "$name" = d.qcow2 ] && [ "$I_JOB" = 0 ]; then
			# the name of the base is written before the record that refers to it
			[[ $base != none && $i = 1 ]] || fail "the stream is not recorded"
			reads two.raw "${CHAIN[@]}" e.qcow2
			continue
		fi
		if [ "$name" = d.qcow2 ]; then
			stream_ends "$@" -- "${CHAIN[@]}" e.qcow2
			point "at.$i"
			ident e.qcow2
			[ $((I_FLAGS & COPIED)) -ne 0 ] || continue
			copied=1
		else
			eq "$name" "${2:+${*: -2:1}}" "backing file"
		fi
		stream_ends "$@" -- "$@"
	done
	[ -n "$copied" ] || fail "no point between the last copy and the header"
}

# stream_ends TO... -- CHAIN...: expects that the job in CHAIN leads to the chain TO
stream_ends() {
	local to=()

	while [ "$1" != -- ]; do
		to+=("$1")
		shift
	done
	shift
	reads two.raw "$@"
	eq "$(qcow2poke e.qcow2 backing)" "${to[1]:+${to[-2]}}" "backing file in the end"
	ident e.qcow2
	eq "$I_JOB" 0 "job in the end"
}

it "a stream with a base" with_base
with_base() { stream_points 1 a.raw b.qcow2 e.qcow2; }

it "a stream without a base" without_base
without_base() { stream_points none e.qcow2; }

it "a stream with a base, into a top that can have no identity" without_identity
# With one, the name of the base is in the header before the header refers to it, since the identity names it.
# Here, too, it has to be written first.
without_identity() {
	local i n name named=

	use abcd
	qcow2poke d.qcow2 ext 0x43774964 "too short for an identity"
	images
	mark without
	mkchain cct "${CHAIN[@]}"
	logged 'used without an identity'
	io random:20:1 flush
	cp model.raw two.raw
	msg cct base 0
	logmark begin
	msg cct stream backing-file a.raw raw
	job_done cct
	logmark end
	remove cct
	end_of_log
	n=$(replay begin end at)
	eq "$n" 2 "writes to the header"
	detach a.raw b.qcow2 c.qcow2
	for ((i = 1; i <= n; i++)); do
		point "at.$i"
		name=$(qcow2poke d.qcow2 backing)
		note "point $i: $name"
		case $name in
		c.qcow2) reads two.raw "${CHAIN[@]}" ;;
		a.raw) reads two.raw a.raw d.qcow2 ;;
		*) fail "backing file '$name'" ;;
		esac
		named+="$name "
	done
	eq "$named" "c.qcow2 a.raw " "what the headers name"
}

run_cases
