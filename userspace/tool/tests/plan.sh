#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# attach --dry-run of images: the lines, and that nothing changes. The test "tool-plan" of the selftests runs such
# lines. TAP; COWCHAIN names the program.
# shellcheck disable=SC2016	# names that are commands are not to be expanded
set -u
cowchain=${COWCHAIN:?the program to test}
# shellcheck source=userspace/tool/tests/lib/tap.sh
. "$(dirname "$0")/lib/tap.sh"

# plan TEXT WANTED ARGUMENT...: prints these lines, each valid for a shell, and changes nothing
plan() {
	local text=$1 wanted=$2 before after

	shift 2
	before=$(find . -type f ! -name out ! -name 'got*' -exec sha256sum {} + | sort; find . | sort)
	"$cowchain" "$@" >got 2>got.said </dev/null
	sed -i 's/COWCHAIN-[0-9a-f]\{32\}/UUID/' got
	after=$(find . -type f ! -name out ! -name 'got*' -exec sha256sum {} + | sort; find . | sort)
	{ diff <(echo "$wanted") got; diff <(echo "$before") <(echo "$after"); bash -n got; cat got.said; } >out 2>&1
	[ ! -s out ]
	result $? "$text"
}
touch got got.said out
direct=--direct-io=on
truncate -s 1M base.raw
# as on tmpfs
python3 -c 'import os; os.close(os.open("base.raw", os.O_RDONLY | os.O_DIRECT))' 2>/dev/null || direct=
opts="${direct:+$direct }--sector-size 512"
"$cowchain" create a.qcow2 -b base.raw -F raw
"$cowchain" create 'it'"'"'s $(touch ran).qcow2' -b a.qcow2 -F qcow2 --data-file d.raw
plan 'a chain' "loop0=\$(losetup --find --show --read-only $opts $dir/base.raw)
loop1=\$(losetup --find --show $opts $dir/a.qcow2)
dmsetup create vm --uuid UUID --table \"0 2048 cowchain 0 2 raw \$loop0 - qcow2 \$loop1 -\"
losetup --detach \"\$loop0\"
losetup --detach \"\$loop1\"" attach --dry-run vm a.qcow2
plan 'names that a shell would obey' "loop0=\$(losetup --find --show --read-only $opts $dir/base.raw)
loop1=\$(losetup --find --show --read-only $opts $dir/a.qcow2)
loop2=\$(losetup --find --show --read-only $opts '$dir/it'\\''s \$(touch ran).qcow2')
loop3=\$(losetup --find --show --read-only $opts $dir/d.raw)
dmsetup create 'v\$(m)' --uuid UUID --table \"0 2048 cowchain 2 a\\\$x b\\\"\\\`c 3 raw \$loop0 - qcow2 \$loop1 - qcow2 \$loop2 \$loop3\" --readonly
losetup --detach \"\$loop0\"
losetup --detach \"\$loop1\"
losetup --detach \"\$loop2\"
losetup --detach \"\$loop3\"" attach --dry-run 'v$(m)' "it's \$(touch ran).qcow2" --read-only -o 'a$x' -o 'b"`c'
plan 'a new top' "cowchain create 'new top' --backing $dir/base.raw --backing-format raw --size 2097152 --cluster-size 131072 --data-file n.raw
loop0=\$(losetup --find --show --read-only $opts $dir/base.raw)
loop1=\$(losetup --find --show $opts '$dir/new top')
loop2=\$(losetup --find --show $opts $dir/n.raw)
dmsetup create vm --uuid UUID --table \"0 4096 cowchain 0 2 raw \$loop0 - qcow2 \$loop1 \$loop2\"
losetup --detach \"\$loop0\"
losetup --detach \"\$loop1\"
losetup --detach \"\$loop2\"" attach --dry-run vm base.raw -f raw -O 'new top' -s 2M --data-file n.raw
# What attach would refuse has no lines.
for line in 'missing.qcow2:No such file' 'base.raw:not a qcow2 image' 'a.qcow2 -O a.qcow2:exists'; do
	# shellcheck disable=SC2086	# words
	"$cowchain" attach --dry-run vm ${line%%:*} >got 2>out
	[ $? = 1 ] && [ ! -s got ] && grep -q -F "${line#*:}" out
	result $? "attach --dry-run vm ${line%%:*} is refused: ${line#*:}"
done
"$cowchain" attach --dry-run --json vm a.qcow2 >got
python3 -c 'import json; c = json.load(open("got"))["commands"]; print(c)
assert len(c) == 5 and c[2].startswith("dmsetup create vm ")' >out 2>&1
result $? 'the lines as JSON'
[ ! -e ran ]
result $? 'nothing was run'

finish
