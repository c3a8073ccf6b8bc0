#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Help, completion and man page agree: all are about the same verbs and options. TAP; COWCHAIN names the
# program.
set -u
cowchain=${COWCHAIN:?the program to test}
here=$(cd "$(dirname "$0")" && pwd) || exit 1
man=$here/../../../Documentation/man/cowchain.8
# shellcheck source=userspace/tool/tests/lib/tap.sh
. "$here/lib/tap.sh"

# same WHAT WANTED GOT
same() {
	diff <(echo "$2") <(echo "$3") >out
	result $? "$1"
}

# Devices whose names are commands; all else is the program's.
mkdir bin
cat >bin/cowchain <<END
#!/bin/bash
[ "\$1" != --completion=devices ] || { printf '%s\n' vm1 '\$(touch\${IFS}ran)' '\`touch\${IFS}ran\`' 'two words'; exit; }
exec '$cowchain' "\$@"
END
chmod +x bin/cowchain
PATH=$dir/bin:$PATH
# shellcheck source=../cowchain.bash
. "$here/../cowchain.bash"

# complete_line WORD...: what can stand in place of the last word, sorted, a line each.
complete_line() {
	COMP_WORDS=(cowchain "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_cowchain
	[ "${#COMPREPLY[@]}" = 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort
}
lines() { printf '%s\n' "$@" | sort; }

mapfile -t verbs < <(cowchain --completion | sed -n 's/^verb //p')
same 'the overview has these verbs' "$(printf '%s\n' "${verbs[@]}")" \
	"$(cowchain --help | sed -n 's/^  \([a-z]*\) .*/\1/p')"
same 'verbs are completed' "$(lines "${verbs[@]}" help)" "$(complete_line '')"
same 'a verb that was begun' "$(lines stream)" "$(complete_line str)"
same 'after --debug' "$(lines stream)" "$(complete_line --debug str)"
same 'of help' "$(lines snapshot stats status stream)" "$(complete_line help s)"
for verb in "${verbs[@]}"; do
	same "$verb: the help shows what is completed" \
		"$(cowchain --completion | sed -n "s/^option $verb \(-[^ ]*\).*/\1/p" | sort)" \
		"$(cowchain help "$verb" | sed '/^Examples/,$d' |
			sed -n 's/^  \(-.*\)/\1/p; s/.*(also \(--.*\))/\1/p' |
			grep -o -E -e '^-[a-zA-Z]|^--[a-z-]+|^-[a-zA-Z], --[a-z-]+' |
			sed 's/, /\n/' | sort)"
	same "$verb: options are completed" \
		"$(cowchain --completion | sed -n "s/^option $verb \(--[^ ]*\).*/\1/p" | sort)" \
		"$(complete_line "$verb" --)"
done
touch file1 file2
mkdir dir1
same 'files' "$(lines file1 file2)" "$(complete_line attach vm 'fi')"
same 'files as values' "$(lines file1 file2)" "$(complete_line create --backing 'fi')"
same 'directories' "$(lines dir1)" "$(complete_line attach --allow-dir d)"
same 'words as values' "$(lines qcow2 raw)" "$(complete_line create x -F '')"
same 'no device is completed to a new one' '' "$(complete_line attach v)"
same 'devices' "$(lines vm1)" "$(complete_line stream v)"
same 'many devices' "$(lines vm1)" "$(complete_line status a b v)"
same 'a device or a file' "$(lines dir1)" "$(complete_line info d)"
same 'no second one' '' "$(complete_line stream vm1 v)"
same 'behind an option that takes a value' "$(lines vm1)" "$(complete_line stream --speed 5 v)"
same 'a value that cannot be known' '' "$(complete_line stream --speed '')"
same 'files and words' "$(lines none)" "$(complete_line base vm1 n)"
same 'an action' "$(lines resume)" "$(complete_line job vm1 r)"
# shellcheck disable=SC2016	# they are not to be expanded
same 'names that are commands are quoted' \
	"$(lines "$(printf %q '$(touch${IFS}ran)')" "$(printf %q '`touch${IFS}ran`')" vm1 'two\ words')" \
	"$(complete_line wait '')"
# shellcheck disable=SC2016
touch $'dir1/x\nfile1' 'dir1/$(touch ran)'
# shellcheck disable=SC2016
same 'a newline in the name of a file leads nowhere else' \
	"$(lines 'dir1/$(touch ran)' dir1/x)" "$(complete_line create dir1/)"
same 'and nothing is run' '' "$(ls ran 2>/dev/null)"

# The man page, without its fonts.
sed -e 's/\\f[BIRP]//g; s/\\-/-/g' "$man" >page
usage() {
	local verb

	for verb in "${verbs[@]}"; do
		cowchain help "$verb" | sed -n '/^$/q; s/^usage: //; s/^ *\(cowchain\)/\1/p'
	done
	echo 'cowchain help [VERB]'
}
same 'the synopsis of the man page is the usage of the verbs' "$(usage)" \
	"$(sed -n '/^\.SH SYNOPSIS/,/^\.SH/{/^cowchain/p}' page)"
# shellcheck disable=SC2016	# for sed
same 'the man page has all options' \
	"$(cowchain --completion | sed -n 's/^option [a-z]* \(--[^ ]*\).*/\1/p' | sort -u)" \
	"$(sed -n '/^\.SH VERBS/,/^\.SH GLOBAL/p' page | grep -o -E -e '--[a-z][a-z-]+' | sort -u)"
# Which letter belongs to which name: "-b, --base" in the help.
letters() {
	local verb

	for verb in "${verbs[@]}"; do
		cowchain help "$verb" | sed -n 's/^  \(-[a-zA-Z], --[a-z-]*\).*/\1/p'
	done | sort -u
}
same 'the man page has all letters' "$(letters)" \
	"$(sed 's/"//g; s/ *, */, /g' page | grep -o -E -e '-[a-zA-Z], --[a-z-]+' | sort -u)"

finish
