# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of cowchain(8) for bash. Verbs, options and their values come from the program itself
# ("cowchain --completion"); none is listed here.

# Names of devices may contain anything, so they are quoted, and not passed to compgen -W, which runs
# commands that it finds in words.
_cowchain_words() {
	local word

	for word; do
		[[ $word == "$cur"* ]] || continue
		[ "$files" = 1 ] || printf -v word %q "$word"
		COMPREPLY+=("$word")
	done
}

# The program leaves those out that a terminal would obey.
_cowchain_devices() {
	local names

	mapfile -t names < <(cowchain --completion=devices 2>/dev/null)
	_cowchain_words "${names[@]}"
}

# Readline quotes names of files itself. A name with a newline comes as two words: what is elsewhere then
# was not asked for.
_cowchain_files() {
	local names name

	files=1
	compopt -o filenames 2>/dev/null
	mapfile -t names < <(compgen "$1" -- "$cur")
	for name in "${names[@]}"; do
		[ "${name%"${name##*/}"}" != "${cur%"${cur##*/}"}" ] || COMPREPLY+=("$name")
	done
}

# _cowchain_value KIND WORD...
_cowchain_value() {
	local files=0

	case ${1:-} in
	file) _cowchain_files -f ;;
	dir) _cowchain_files -d ;;
	device) _cowchain_devices ;;
	image)
		_cowchain_files -f
		_cowchain_devices
		;;
	esac
	_cowchain_words "${@:2}"
}

_cowchain() {
	local cur=${COMP_WORDS[COMP_CWORD]} verb='' last='' what name item rest i nr=0 files=0
	local -a verbs=() words=()
	local -A options=() operands=()

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} = -* ]] || { verb=${COMP_WORDS[i]}; break; }
	done
	while read -r what name item rest; do
		[ "$what" != verb ] || verbs+=("$name")
		[ "$name" = "$verb" ] || continue
		[ "$what" != option ] || options[$item]=$rest
		[ "$what" != operand ] || operands[$item]=$rest
	done < <(cowchain --completion 2>/dev/null)

	# Which operand is it, and does the word before it wait for a value?
	for ((i++; i < COMP_CWORD; i++)); do
		if [ -n "$last" ]; then
			last=
		elif [[ ${COMP_WORDS[i]} != -* ]]; then
			nr=$((nr + 1))
		elif [ "${options[${COMP_WORDS[i]}]:-flag}" != flag ]; then
			last=${COMP_WORDS[i]}
		fi
	done

	if [ -z "$verb" ]; then
		_cowchain_words "${verbs[@]}" help
	elif [ -n "$last" ]; then
		read -r -a words <<<"${options[$last]}"
		_cowchain_value "${words[@]}"
	elif [[ $cur = -* ]]; then
		_cowchain_words "${!options[@]}"
	elif [ "$verb:$nr" = help:0 ]; then
		_cowchain_words "${verbs[@]}"
	else
		rest=${operands[$nr]:-}
		for item in "${!operands[@]}"; do
			[[ $item != *+ || $nr -lt ${item%+} ]] || rest=${operands[$item]}
		done
		read -r -a words <<<"$rest"
		_cowchain_value "${words[@]}"
	fi
}

complete -F _cowchain cowchain
