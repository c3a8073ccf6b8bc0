#compdef cowchain
# SPDX-License-Identifier: GPL-2.0-only
#
# Completion of cowchain(8) for zsh. Verbs, options and their values come from the program itself
# ("cowchain --completion"); none is listed here.

# The program leaves those out that a terminal would obey.
_cowchain_devices() {
	local -a names

	names=("${(@f)$(cowchain --completion=devices 2>/dev/null)}")
	compadd -- ${names:#}
}

# _cowchain_value KIND WORD...
_cowchain_value() {
	case ${1:-} in
	file) _files ;;
	dir) _files -/ ;;
	device) _cowchain_devices ;;
	image)
		_files
		_cowchain_devices
		;;
	esac
	[ $# -lt 2 ] || compadd -- "${@:2}"
}

# With what the overview says about them.
_cowchain_verbs() {
	local -a shown
	local line

	setopt local_options extended_glob
	for line in "${(@f)$(cowchain --help 2>/dev/null)}"; do
		[[ $line != '  '[a-z]* ]] || shown+=("${${line#  }%% *}:${line##  [a-z]## ##}")
	done
	[ "${1:-}" = operand ] || shown+=('help:show the options of a verb')
	_describe 'verb' shown
}

_cowchain() {
	local cur=${words[CURRENT]} verb='' last='' what name item rest word
	local -i i nr=0
	local -A options operands

	for ((i = 2; i < CURRENT; i++)); do
		[[ ${words[i]} = -* ]] || { verb=${words[i]}; break; }
	done
	while read -r what name item rest; do
		[ "$name" = "$verb" ] || continue
		[ "$what" != option ] || options[$item]=$rest
		[ "$what" != operand ] || operands[$item]=$rest
	done < <(cowchain --completion 2>/dev/null)

	# Which operand is it, and does the word before it wait for a value?
	for ((i++; i < CURRENT; i++)); do
		word=${words[i]}
		if [ -n "$last" ]; then
			last=
		elif [[ $word != -* ]]; then
			nr+=1
		elif [ "${options[$word]:-flag}" != flag ]; then
			last=$word
		fi
	done

	if [ -z "$verb" ]; then
		_cowchain_verbs
	elif [ -n "$last" ]; then
		_cowchain_value ${=options[$last]}
	elif [[ $cur = -* ]]; then
		compadd -- ${(k)options}
	elif [ "$verb:$nr" = help:0 ]; then
		_cowchain_verbs operand
	else
		rest=${operands[$nr]:-}
		for item in ${(k)operands}; do
			[[ $item != *+ || $nr -lt ${item%+} ]] || rest=${operands[$item]}
		done
		_cowchain_value ${=rest}
	fi
}

_cowchain "$@"
