# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Layers, the devices below them, and chains made of them.

SECTORS=32768		# length of the devices that create makes: the 16 MiB of the fixtures
declare -A LOOP		# file name -> device that stands in a table for it
declare -A UNDER	# file name -> loop device below that, if "over" has put a device in between
TABLE=			# set by layers
DEV=			# device of the last mkchain

# use DIRECTORY [FILE...]: copies fixtures to $T
use() {
	local dir=$FIXTURES/$1 f files=()

	shift
	for f; do
		files+=("$dir/$f")
	done
	[ ${#files[@]} -gt 0 ] || files=("$dir/.")
	cp -r "${files[@]}" "$T"
}

# trash FILE BYTES: makes an external data file that holds what was there before, and nothing of the guest. The
# space of prepared fixtures is like that, except in lean/.
trash() { head -c "$2" /dev/zero | tr '\0' '!' >"$1"; }

# attach [ro:]FILE... : makes loop devices for files in $T and stores their names in LOOP
attach() {
	local args=() f i devices

	for f; do
		case $f in
		ro:*) args+=("ro:$T/${f#ro:}") ;;
		*) args+=("$T/$f") ;;
		esac
	done
	devices=$(mkloop "${args[@]}")
	mapfile -t devices <<<"$devices"
	for ((i = 0; i < ${#args[@]}; i++)); do
		f=${args[i]#ro:}
		LOOP[${f#"$T/"}]=${devices[i]}
	done
}

# detach FILE...
detach() {
	local f devices=()

	for f; do
		devices+=("${LOOP[$f]}")
		unset "LOOP[$f]"
	done
	mkloop -x "${devices[@]}"
}

# spare NAME BELOW [ext]: makes an empty layer that names BELOW as its backing file
spare() {
	local form=${3:-single}

	use spare "$form.qcow2"
	mv "$form.qcow2" "$1.qcow2"
	qcow2poke "$1.qcow2" backing "$2" qcow2
	if [ "$form" = ext ]; then
		trash "$1.data" $((16 << 20))
		qcow2poke "$1.qcow2" ext 0x44415441 "$1.data"
		attach "$1.qcow2" "$1.data"
	else
		attach "$1.qcow2"
	fi
}

# words FILE[,DATA]... : sets WORDS to the words of a table for these layers, which have to be attached
words() {
	local f out=()

	for f; do
		case $f in
		*.raw) out+=(raw "${LOOP[$f]}" -) ;;
		*,*) out+=(qcow2 "${LOOP[${f%,*}]}" "${LOOP[${f#*,}]}") ;;
		*) out+=(qcow2 "${LOOP[$f]}" -) ;;
		esac
	done
	WORDS=${out[*]}
}

# layers FILE[,DATA]... : attaches those that are not attached, the last one writable, and sets TABLE
layers() {
	local f args=() n=$# prefix=ro:

	for f; do
		n=$((n - 1))
		[ $n -gt 0 ] || prefix=
		[ -n "${LOOP[${f%,*}]:-}" ] || args+=("$prefix${f%,*}")
		case $f in
		*,*) [ -n "${LOOP[${f#*,}]:-}" ] || args+=("$prefix${f#*,}") ;;
		esac
	done
	[ ${#args[@]} -eq 0 ] || attach "${args[@]}"
	words "$@"
	TABLE="0 $SECTORS cowchain 0 $# $WORDS"
}

# tail_of FILE: prints in hexadecimal what a loop device does not show of it
tail_of() { perl -e 'open(F, "<", $ARGV[0]); seek(F, (-s F) & ~511, 0); read(F, $b, 512); print unpack("H*", $b)' "$1"; }

# tails FILE[,DATA]... : adds to TABLE, which layers has set for these, what their devices lack
tails() {
	local f i=0 hex words=()

	for f; do
		hex=$(tail_of "$T/${f%,*}")
		[ -z "$hex" ] || words+=(tail "$i" "$hex")
		[[ $f != *,* ]] || hex=$(tail_of "$T/${f#*,}")
		[[ $f != *,* ]] || [ -z "$hex" ] || words+=(data_tail "$i" "$hex")
		i=$((i + 1))
	done
	TABLE=${TABLE/ cowchain 0 / cowchain ${#words[@]} ${words[*]} }
}

# create NAME [OPTION...]: makes a device from TABLE
create() {
	local name=$1

	shift
	dmsetup create "$name" "$@" --table "$TABLE"
}

# mkchain NAME FILE[,DATA]...: layers, create, and sets DEV
mkchain() {
	local name=$1

	shift
	layers "$@"
	create "$name"
	# shellcheck disable=SC2034	# for the tests
	DEV=/dev/mapper/$name
}

remove() {
	dmsetup remove "$@"
}

# refuse_create ERRNO[|ERRNO...] [REGEX [OPTION...]]: expects that TABLE is refused with that error, that
# a line of the kernel log says why, and that no device is left behind
refuse_create() {
	local out rc=0

	mark refuse
	out=$(dmsetup create cct-no "${@:3}" --table "$TABLE" 2>&1) || rc=$?
	[ $rc -ne 0 ] || fail "accepted: $TABLE"
	expect_errno "$1" "$out" "$TABLE"
	[ ! -e /dev/mapper/cct-no ] || fail "the device exists in spite of the error"
	logged "cowchain: .*${2:-.{8\}}"
}

# ---- layers that are slow or fail ----

# over FILE TABLE-LINE...: puts a mapped device over FILE's loop device and makes it LOOP[FILE]. "@" in a
# line stands for the loop device.
over() {
	local file=$1 name=cct-over-${1//[^a-z0-9]/-} dev=${LOOP[$1]}

	shift
	printf '%s\n' "${@//@/$dev}" | dmsetup create "$name"
	LOOP[$file]=/dev/mapper/$name
	UNDER[$file]=$dev
}

# change FILE TABLE-LINE...: loads another table into the device that over made
change() {
	local name=cct-over-${1//[^a-z0-9]/-} dev=${UNDER[$1]}

	shift
	printf '%s\n' "${@//@/$dev}" | dmsetup load "$name"
	dmsetup suspend --noflush --nolockfs "$name"
	dmsetup resume "$name"
}

# under FILE TABLE-LINE...: puts another device below the one of FILE that over has made, so that the latter
# counts all I/O: dm-delay and the target error do not count theirs
under() {
	local file=$1 name=cct-under-${1//[^a-z0-9]/-} dev=${UNDER[$1]}

	shift
	printf '%s\n' "${@//@/$dev}" | dmsetup create "$name"
	change "$file" "0 $(sectors "$file") linear /dev/mapper/$name 0"
}

# not_under FILE: takes it away. What is delayed there goes on first.
not_under() {
	local name=cct-under-${1//[^a-z0-9]/-}

	echo "0 $(sectors "$1") linear ${UNDER[$1]} 0" | dmsetup load "$name"
	dmsetup suspend --noflush --nolockfs "$name"
	dmsetup resume "$name"
	change "$1" "0 $(sectors "$1") linear @ 0"
	remove "$name"
}

# io_count FILE reads|flying: prints how many I/Os of the device of FILE have been read, or are in flight
io_count() {
	case $2 in
	reads) dm_stat "cct-over-${1//[^a-z0-9]/-}" 0 ;;
	flying) dm_stat "cct-over-${1//[^a-z0-9]/-}" 8 ;;
	esac
}

# dm_stat NAME FIELD: prints a field of /sys/block/.../stat, counted from 0; 8 is the I/Os in flight
dm_stat() {
	local minor stat

	minor=$(dmsetup info -c --noheadings -o minor "$1")
	read -r -a stat <"/sys/block/dm-$minor/stat"
	echo "${stat[$2]}"
}

# sectors FILE: prints the length of its loop device
sectors() { echo $(($(stat -c %s "$T/$1") / 512)); }
