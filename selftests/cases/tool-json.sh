#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# --json of all verbs with devices. What they print is compared with the schema where python is: see oracle.
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

# j STATUS REGEX VERB ARGUMENT...: with --json; standard output in $out on one line, which matches
j() {
	local want=$1 regex=$2 verb=$3 rc=0

	shift 3
	nr=$((${nr:-0} + 1))
	cowchain "$verb" --json "$@" >"$nr.json" 2>said || rc=$?
	eq $rc "$want" "exit status of cowchain $verb $*: $(<said)"
	out=$(tr -s '\n ' ' ' <"$nr.json")
	matches "$out" "$regex" "JSON of cowchain $verb $*"
	keep json "$verb" "$nr.json"
}

it "results of all verbs, with and without success" results
results() {
	need cowchain
	use abcd
	# shellcheck disable=SC2034	# for io
	DEV=/dev/mapper/cct
	j 0 '"size": 16777216' create e.qcow2 --backing d.qcow2 --backing-format qcow2
	j 0 "\"device\": \"/dev/mapper/cct\", \"image\": \"$T/d.qcow2\", \"layers\": 4, \"size\": 16777216, \"read-only\": false" \
		attach cct "$T/d.qcow2"
	j 1 '"kind": "error", "text": "cct: a device of this name exists' attach cct "$T/d.qcow2"
	j 0 '"chains": \[ \{ "name": "cct"' list
	j 0 '"mode": "rw", "layers": 4' status cct
	j 0 '"layer": 3' info cct
	j 0 '"name": "cct", "action": "on"' stats cct --on
	j 0 '"layer": 3, .* "counting": "yes" \}, \{ "layer": null, "device": null, .* "unpack-misses": null, "counting": "yes" \} \]' stats cct
	j 0 '"action": "reset"' stats cct --reset
	j 0 '"action": "off"' stats cct --off
	j 0 '"readers": \[ "cct" \]' tree
	j 0 '"depth": ' map cct
	j 0 '"base": 1' base cct 1
	j 0 '"base": null' base cct none
	j 0 '"snapshots": \[ \{ "name": "cct", "image": "s1.qcow2" \} \]' snapshot cct s1.qcow2
	j 0 '"image": "s2.qcow2"' snapshot cct=s2.qcow2
	j 0 '"job": \{ "job": "stream", "state": "[a-z]+", "base": 1,.* "error": null, "verified": null, "top": 5 \}' stream cct --base 1 --speed 4K
	j 1 'stream.* failed: Device or resource busy' stream cct
	j 0 '"action": "pause", "job": \{ "job": "stream", "state": "paused"' job cct pause
	j 0 '"jobs": \[ \{ "name": "cct", "job": "stream", "state": "paused"' job cct info
	j 0 '"job": "stream"' status
	j 0 '"job": \{ "job": "stream", "state": "paused"' tree cct
	j 124 '"status": 124, .*still paused' wait cct --timeout 1
	j 0 '"action": "cancel"' job cct cancel
	j 4 '"error": "ECANCELED".* "status": 4, "messages": \[ .*was cancelled' wait cct
	j 0 '"job": \{ "job": "stream", "state": "concluded", .* "done": 100.000' stream cct --base 1 --wait
	j 0 '"layer": 1' export cct 1 --as cct2
	j 0 '"pending": false' detach cct2
	j 0 '"image": "s4.qcow2"' snapshot cct s4.qcow2
	j 0 '"job": \{ "job": "commit"' commit cct --active --shallow --wait
	j 0 '"job": \{ "job": "stream", "state": "concluded"' copy cct s3.qcow2 --pivot --wait
	j 0 '"name": "cct"' reload cct
	exec 8<$DEV
	j 1 'in use' detach cct
	j 0 '"pending": true' detach cct --deferred
	exec 8<&-
	wait_for 30 no_loops
	j 0 '"chains": \[ *\]' list
	j 1 'no such device' wait cct
	dmsetup create cct --notable --uuid COWCHAIN-0123
	j 0 '"mode": "no-table"' list
	j 0 '"mode": "no-table"' status
	j 0 '"top": null' tree
	j 0 '"pending": false' detach cct
}

run_cases
