# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of cowchain(8) for bash.

_cowchain_devices() {
	cowchain list --noheadings 2>/dev/null | while read -r name _; do echo "$name"; done
}

# Options of a verb, from its help: no second list to keep true.
_cowchain_options() {
	cowchain help "$1" 2>/dev/null | grep -o -E -e '--[a-z][a-z-]*' | sort -u
}

_cowchain_verbs() {
	cowchain --help 2>/dev/null | while read -r verb rest; do
		case $verb in
		usage:* | \'*) ;;
		*) [ -z "$rest" ] || echo "$verb" ;;
		esac
	done
	echo help
}

# Words of "$1" that fit what was typed so far.
_cowchain_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "${COMP_WORDS[COMP_CWORD]}")
}

_cowchain_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
}

# Returns 1 if the previous word takes no value that can be completed.
_cowchain_value() {
	case $1 in
	--backing | --data-file | --layer | -b | -l) _cowchain_files ;;
	--allow-dir | -a) mapfile -t COMPREPLY < <(compgen -d -- "${COMP_WORDS[COMP_CWORD]}") ;;
	--format | --backing-format | -F | -f) _cowchain_words 'raw qcow2' ;;
	--on-error) _cowchain_words 'report stop enospc' ;;
	--cluster-size) _cowchain_words '128K 256K 512K 1M 2M' ;;
	--base)
		_cowchain_files
		COMPREPLY+=(none)
		;;
	--size | --speed | --bandwidth | --timeout | --feature | --commit-ms | --backing-file) ;;
	*) return 1 ;;
	esac
}

_cowchain() {
	local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]-} i operands=0

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		_cowchain_words "$(_cowchain_verbs)"
		return
	fi
	_cowchain_value "${COMP_WORDS[COMP_CWORD - 1]}" && return
	if [[ $word = -* ]]; then
		_cowchain_words "$(_cowchain_options "$verb")"
		return
	fi
	for ((i = 2; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} = -* ]] || operands=$((operands + 1))
	done
	case $verb:$operands in
	help:0) _cowchain_words "$(_cowchain_verbs)" ;;
	detach:0 | reload:0 | snapshot:0 | base:0 | stream:0 | copy:0 | wait:0 | job:0 | status:*)
		_cowchain_words "$(_cowchain_devices)"
		;;
	job:1) _cowchain_words 'pause resume cancel speed info' ;;
	info:0)
		_cowchain_files
		mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$(_cowchain_devices)" -- "$word")
		;;
	create:* | attach:1 | snapshot:1 | base:1 | copy:1) _cowchain_files ;;
	esac
}

complete -F _cowchain cowchain
