#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# --json of every verb against the schema, as far as no device is needed: of images, and of what fails. The test
# "tool-json" of the selftests has the rest. TAP; COWCHAIN names the program.
set -u
cowchain=${COWCHAIN:?the program to test}
here=$(cd "$(dirname "$0")" && pwd) || exit 1
schema=$here/../../../Documentation/cowchain.schema.json
man=$here/../../../Documentation/man/cowchain.8
# shellcheck source=userspace/tool/tests/lib/tap.sh
. "$here/lib/tap.sh"

# json STATUS VERB ARG...: what it prints is as the schema says
json() {
	local want=$1

	shift
	# shellcheck disable=SC2016
	shell "$* -> $want" '
		want=$1 cowchain=$2 check=$3
		shift 3
		"$cowchain" "$@" >got.json 2>said
		status=$?
		cat got.json said
		[ $status = $want ] && "$check" "$1" got.json' "$want" "$cowchain" "$here/check-json.py" "$@"
}

mapfile -t verbs < <("$cowchain" --completion | sed -n 's/^verb //p')
for verb in "${verbs[@]}"; do
	shell "$verb: takes --json, and not everything is its result" \
		"'$cowchain' --completion | grep -x 'option $verb --json flag' && echo '{}' >got.json &&
		! '$here/check-json.py' '$verb' got.json"
done
shell 'the schema has all verbs, and no others' \
	"diff <(printf '%s\n' ${verbs[*]} exit-status messages device-job | sort) <(jq -r '.\"\$defs\" | keys[]' '$schema' | sort)"
# shellcheck disable=SC2016
shell 'the man page has all keys' \
	'sed -e "s/\\\\f[BIRP]//g; s/\\\\-/-/g" "$1" | sed -n "/^\.SH JSON/,/^\.SH/p" >page
	jq -r ".. | objects | .properties? // empty | keys[]" "$2" | sort -u | while read -r key; do
		grep -q -w -F -e "$key" page || echo "$key"
	done >missing; cat missing; [ ! -s missing ]' "$man" "$schema"

truncate -s 1M base.raw
json 0 create a.qcow2 --backing base.raw --backing-format raw --json
shell 'what was made' "jq -e '.verb == \"create\" and .status == 0 and .size == 1048576 and .image == \"a.qcow2\" and
	.\"backing-file\" == \"base.raw\" and .\"data-file\" == null and .messages == []' got.json"
json 0 create d.qcow2 --size 2M --data-file d.raw -J
json 1 create a.qcow2 --size 1M --json
shell 'why not' "jq -e '.status == 1 and (.messages[0] | .kind == \"error\" and (.text | test(\"take another name\")))' got.json &&
	[ \"cowchain: \$(jq -r '.messages[0].text' got.json)\" = \"\$(cat said)\" ]"
cp a.qcow2 $'x"\e\n\xff.qcow2'
json 1 create $'x"\e\n\xff.qcow2' --size 1M --json
json 0 info --json a.qcow2
json 0 tree --json a.qcow2
json 0 map --json a.qcow2
# What there is none of, or what only root may ask for: an error in words.
json 1 attach x missing.qcow2 --json
for line in 'detach x' 'reload x' 'snapshot x new.qcow2' 'snapshot x=1.qcow2 y=2.qcow2' 'base x none' 'stream x' 'commit x' \
	'copy x new.qcow2 --pivot' 'wait x'; do
	# shellcheck disable=SC2086	# words
	json 1 $line --json
	shell 'with a message' "jq -e '.messages | map(select(.kind == \"error\")) | length > 0' got.json"
done
json 1 export x 0 --as y --json
json 1 record x new.parts --json
json 1 job --json x pause
json 1 stats --json x --reset
for verb in "${verbs[@]}"; do
	case $verb in list | status | tree | top) continue ;; esac
	shell "$verb --json with a wrong command line prints no object" \
		"'$cowchain' $verb --json >got.json 2>said; [ \$? = 2 ] && [ ! -s got.json ] && [ -s said ]"
done
shell 'a key that is not described is found' \
	"jq '. + {new: 1}' <<<'{\"layers\": [], \"chains\": []}' >got.json; ! '$here/check-json.py' tree got.json"

finish
