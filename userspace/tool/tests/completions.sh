#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The completions for zsh and fish offer the same as that for bash, which describe.sh tests. TAP; COWCHAIN names the
# program.
set -u
cowchain=${COWCHAIN:?the program to test}
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
dir=$(mktemp -d /tmp/cowchain-completions-XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
export HOME=$dir XDG_CONFIG_HOME=$dir XDG_DATA_HOME=$dir

# Devices whose names are commands; all else is the program's.
mkdir bin images
cat >bin/cowchain <<END
#!/bin/bash
[ "\$1" != --completion=devices ] || { printf '%s\n' vm1 '\$(touch\${IFS}ran)' 'two words'; exit; }
exec '$cowchain' "\$@"
END
chmod +x bin/cowchain
PATH=$dir/bin:$PATH
touch images/file1 images/file2
mkdir images/dir1
cd images || exit 1

# Each line is completed behind its last character, in one shell for all of them.
lines=('' str '--debug str' 'help s' 'attach vm fi' 'create --backing fi' 'attach --allow-dir d' 'create x -F ' 'attach v'
	'stream v' 'status a b v' 'info d' 'stream vm1 v' 'stream --wait v' 'stream --speed 5 v' 'stream --speed ' 'base vm1 n' 'job vm1 r'
	'wait ' 'snapshot --' 'snapshot vm1 -')

bash_offers() {
	# shellcheck source=../cowchain.bash
	. "$here/cowchain.bash"
	local line

	for line in "${lines[@]}"; do
		echo "== $line"
		read -r -a COMP_WORDS <<<"cowchain $line"
		case $line in
		'' | *' ') COMP_WORDS+=('') ;;
		esac
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		COMPREPLY=()
		_cowchain
		# unquoted, as the others offer them
		[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sed 's/\\//g' | LC_ALL=C sort
	done
}

# The functions of zsh's own completion that are used, without its line editor.
# shellcheck disable=SC2317	# called by name
zsh_offers() {
	cat >../run.zsh <<-'END'
		compadd() {
			local w

			[[ $1 != -- ]] || shift
			for w; do
				[[ $w != "${words[CURRENT]}"* ]] || print -r -- "$w"
			done
		}
		_files() {
			local f

			for f in "${words[CURRENT]}"*(N); do
				[[ ${1:-} = -/ && ! -d $f ]] || print -r -- "$f"
			done
		}
		_describe() {
			local w

			for w in "${(@P)2}"; do
				compadd -- "${w%%:*}"
			done
		}
		script=$1
		shift
		for line; do
			print -r -- "== $line"
			words=(cowchain "${(@s: :)line}")
			CURRENT=$#words
			. $script | LC_ALL=C sort
		done
	END
	zsh -f ../run.zsh "$here/cowchain.zsh" "${lines[@]}"
}

# fish completes a line without a terminal. It adds a slash to directories, and descriptions.
# shellcheck disable=SC2317	# called by name
fish_offers() {
	cat >../run.fish <<-'END'
		source $argv[1]
		for line in $argv[2..-1]
		    echo "== $line"
		    complete -C "cowchain $line" | string replace -r '/?(\t.*)?$' '' | env LC_ALL=C sort
		end
	END
	fish --no-config ../run.fish "$here/cowchain.fish" "${lines[@]}"
}

n=0
failed=0
# compare SHELL
compare() {
	n=$((n + 1))
	if ! command -v "$1" >/dev/null; then
		echo "ok $n - $1 # SKIP no $1"
	elif "$1_offers" >"../$1" 2>&1 && diff ../bash "../$1" >../difference; then
		echo "ok $n - $1 offers what bash does"
	else
		failed=1
		echo "not ok $n - $1 offers what bash does"
		sed 's/^/# /' ../difference
	fi
}

bash_offers >../bash
n=1
if [ "$(grep -c -v '^==' ../bash)" -ge 60 ]; then
	echo "ok 1 - bash has something to offer"
else
	failed=1
	echo "not ok 1 - bash has something to offer"
	sed 's/^/# /' ../bash
fi
compare zsh
compare fish
n=$((n + 1))
if [ -e ran ]; then
	failed=1
	echo "not ok $n - the name of a device is not run"
else
	echo "ok $n - the name of a device is not run"
fi
echo "1..$n"
exit "$failed"
