#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What holds for every verb that the tool has, where no device-mapper is needed: without arguments, with wrong options and
# names, without privileges, with descriptors that are closed or full. The message names what is wrong. TAP; COWCHAIN
# names the program.
set -u
cowchain=${COWCHAIN:?the program to test}
# shellcheck source=userspace/tool/tests/lib/tap.sh
. "$(dirname "$0")/lib/tap.sh"

# A line for each verb; @ stands for a name. The first column tells what @ is: a device or an image that there is not, a
# new image that cannot be made, or something else that is refused.
table='new	create @ --size 1M
image	attach vm @
device	detach @
device	reload @
device	snapshot @ new.qcow2
device	base @ none
device	stream @
device	record @ new.parts
device	commit @
device	copy @ new.qcow2 --pivot
device	wait @
device	job @ info
device	status @
device	stats @
word	top @
word	list @
image	tree @
image	info @
image	map @
device	export @ 0 --as other'

mapfile -t verbs < <("$cowchain" --completion | sed -n 's/^verb //p')
shell 'the table has every verb' \
	"diff <(printf '%s\n' ${verbs[*]} | sort) <(awk '{ print \$2 }' <<<'$table' | sort)"

# of VERB: its line; put LINE NAME: the words "words", with NAME in place of @
of() { awk -v verb="$1" '$2 == verb' <<<"$table"; }
put() {
	local word

	words=()
	for word in ${1#*$'\t'}; do
		[ "$word" != @ ] || word=$2
		words+=("$word")
	done
}

# run WORD...: "got" is the exit status, out and said what was printed
run() {
	timeout 60 "$cowchain" "$@" >out 2>said </dev/null
	got=$?
}

# judge WHAT STATUSES TEXT: one of these exit statuses, and a message of one or more lines, each by this program, with the
# text in them; no control characters
judge() {
	local ok=0

	[[ " $2 " == *" $got "* ]] || ok=1
	[ ! -s out ] || ok=1
	grep -q -F -e "$3" said || ok=1
	! LC_ALL=C grep -q -v -e "^cowchain: " -e "^Try 'cowchain help" said || ok=1
	! LC_ALL=C tr -d '\n' <said | LC_ALL=C grep -q '[[:cntrl:]]' || ok=1
	{ cat out said; echo "exit status $got, not one of: $2; '$3' is missing, or there is something else"; } >all
	mv all out
	result $ok "$1"
}

# needs_names VERB: does its first usage have a name that cannot be left out?
needs_names() { "$cowchain" help "$1" | sed -n '1p' | sed 's/\[[^]]*\]//g' | grep -q "usage: cowchain $1 *[A-Z]"; }

for verb in "${verbs[@]}"; do
	run "$verb"
	if needs_names "$verb"; then
		judge "$verb: without arguments" 2 "Try 'cowchain help $verb'"
	fi
	run "$verb" --help
	[ "$got" = 0 ] && [ ! -s said ] && grep -q "^usage: cowchain $verb" out
	result $? "$verb: --help goes to stdout"
	run "$verb" --no-such-option
	judge "$verb: an unknown option" 2 '--no-such-option'
	if [[ $(of "$verb") != word* && ! $("$cowchain" help "$verb") =~ [A-Z]\.\.\. ]]; then
		put "$(of "$verb")" no-such
		run "${words[@]}" 'one more'
		judge "$verb: a word too many" 2 'one more'
	fi
	run "$verb" -Z
	judge "$verb: an unknown letter" 2 '-Z'
	run "$verb" $'--\xc3\xa9\e[31m'
	judge "$verb: an option of odd bytes" 2 $'--\xc3\xa9\\x1b[31m'
	while read -r option kind; do
		if [ "$kind" = flag ]; then
			run "$verb" "$option=x"
			judge "$verb: $option with a value" 2 "$option"
		else
			run "$verb" "$option"
			judge "$verb: $option without its value" 2 "$option"
		fi
	done < <("$cowchain" --completion | sed -n "s/^option $verb \(--[^ ]*\) \([^ ]*\).*/\1 \2/p")
done

# ---- names ----

mkdir sealed
touch sealed/file
long=$(printf 'x%.0s' {1..300})
# name WHAT NAME SHOWN: of nothing that there is
name() {
	local verb line kind wanted

	for verb in "${verbs[@]}"; do
		line=$(of "$verb")
		kind=${line%%$'\t'*}
		put "$line" "$2"
		# what is not there yet can be made, but not in a file
		[ "$kind" != new ] || put "$line" "sealed/file/$2"
		run "${words[@]}"
		wanted=1
		[ "$kind" != word ] || wanted=2
		judge "$verb: $1" "$wanted 2" "$3"
	done
}
name 'a name of nothing' no-such no-such
name 'a name with blanks' 'two words' 'two words'
name 'a name in UTF-8' $'n\xc3\xa4me' $'n\xc3\xa4me'
name 'a name with control characters' $'e\e[31m\nx' 'e\x1b[31m\x0ax'
name 'a name that is no UTF-8' $'l\xe9' 'l\xe9'
name 'a name that is too long' "$long" "xxx"
name 'a name like a device' /dev/mapper/no-such no-such
name 'no name' '' ''
rm out said
check 'none of them has made anything' test "$(echo *)" = sealed

# ---- descriptors ----

"$cowchain" create image.qcow2 --size 1M
cp image.qcow2 was.qcow2
for verb in "${verbs[@]}"; do
	shell "$verb: a full stdout is a failure" \
		"'$cowchain' $verb --help >/dev/full 2>said; got=\$?; cat said; [ \$got = 1 ] && grep 'standard output: No space' said"
	shell "$verb: so is one that is closed" \
		"'$cowchain' $verb --help 2>said >&-; got=\$?; cat said; [ \$got = 1 ] && grep 'standard output: Bad file' said"
	put "$(of "$verb")" image.qcow2
	# shellcheck disable=SC2016	# for that shell
	shell "$verb: nothing is written to an image if the standard descriptors are closed" \
		'"$@" <&- >&- 2>&-; [ $? != 0 ] && cmp image.qcow2 was.qcow2; status=$?; cp was.qcow2 image.qcow2; exit $status' \
		timeout 60 "$cowchain" --debug "${words[@]}"
done
for verb in info map tree; do
	shell "$verb: a full stdout, of what it prints" \
		"'$cowchain' $verb --json image.qcow2 >/dev/full 2>said; got=\$?; cat said; [ \$got = 1 ] && grep 'standard output: No space' said"
	shell "$verb: one that is closed" \
		"'$cowchain' $verb --json image.qcow2 2>said >&-; got=\$?; cat said; [ \$got = 1 ] && grep 'standard output: Bad file' said"
done

# ---- without privileges ----

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 .
	chmod 644 image.qcow2
	cp "$cowchain" program
	cowchain=./program
	for verb in "${verbs[@]}"; do
		line=$(of "$verb")
		case ${line%%$'\t'*} in
		word) put "${line% @}" '' ;;
		new) put "$line" new.qcow2 ;;
		*) put "$line" image.qcow2 ;;
		esac
		[ "$verb" != top ] || words+=(--count 1)
		setpriv --reuid=65534 --regid=65534 --clear-groups timeout 60 "$cowchain" "${words[@]}" >out 2>said </dev/null
		got=$?
		case $verb in
		info | map | tree)
			shell "$verb: an image can be seen without privileges" "cat said; [ $got = 0 ]" ;;
		attach | create)
			judge "$verb: without privileges" 1 'Permission denied' ;;
		*)
			# Without device-mapper, it is not known what it would say.
			judge "$verb: without privileges" 1 "$([ -e /sys/class/misc/device-mapper ] && echo denied || echo root)" ;;
		esac
	done
fi

finish
