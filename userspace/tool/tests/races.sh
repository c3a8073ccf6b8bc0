#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Whoever owns a directory exchanges names in it all the time, while the program uses them: it never uses
# what is elsewhere. Without devices; the test "names" of the selftests has the verbs that need some. TAP;
# COWCHAIN names the program, RACE_SECONDS is the time of each race.
set -u
cowchain=${COWCHAIN:?the program to test}
: "${RACE_SECONDS:=0.4}"
exchange=$(cd "$(dirname "$0")/../../../selftests/tools" && pwd)/exchange || exit 1
# shellcheck source=userspace/tool/tests/lib/tap.sh
. "$(dirname "$0")/lib/tap.sh"

# race TEXT A B COMMAND
race() {
	local rc=0

	"$exchange" "$RACE_SECONDS" "$2" "$3" outside "$4" >out 2>&1 || rc=$?
	[ $rc -ne 0 ] || echo "# $(tail -n 1 out)"
	result $rc "$1"
}

mkdir own outside outside/d own/d
for file in own/in.raw outside/out.raw own/d/base.raw outside/d/base.raw; do
	truncate -s 1M $file
done
ln -s in.raw own/link.raw
ln -s ../outside/out.raw own/other.raw
ln -s ../outside/d own/e

qemu-img create -q -f qcow2 -u -b link.raw -F raw own/top.qcow2 1M
race 'info: a backing file' own/link.raw own/other.raw "'$cowchain' info own/top.qcow2"
qemu-img create -q -f qcow2 -u -b d/base.raw -F raw own/dir.qcow2 1M
race 'info: its directory' own/d own/e "'$cowchain' info own/dir.qcow2"
"$cowchain" create own/data.qcow2 --size 1M --data-file own/data.raw
python3 - own/data.qcow2 <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    head = f.read(4096)
    end = head.rindex(b"data.raw") + 8
    start = head.rindex(b"/own/") + 1
    path = head[:end][head[:end].rindex(b"/tmp/"):end]
    new = path.replace(b"data.raw", b"link.raw")
    f.seek(end - len(path))
    f.write(new)
END
race 'info: a data file' own/link.raw own/other.raw "'$cowchain' info own/data.qcow2"
# What was made is removed under whatever name it has by now, so that own/evil leads elsewhere each time.
again='rm -f own/new.*; ln -sf ../outside/out.raw own/evil'
race 'create: the new image' own/new.qcow2 own/evil \
	"$again; '$cowchain' create own/new.qcow2 --size 1M"
rm -rf own/new* own/evil
race 'create: its data file' own/new.raw own/evil \
	"$again; '$cowchain' create own/new.qcow2 --size 1M --data-file own/new.raw"
rm -rf own/new* own/evil
# An owner other than root, whose links are not trusted.
if chown 65534 own/in.raw 2>/dev/null; then
	ln -s ../outside/out.raw own/evil
	chown -h 65534 own/evil
	"$cowchain" create own/new.qcow2 --size 1M
	race 'create --force: an image that is there' own/new.qcow2 own/evil \
		"'$cowchain' create own/new.qcow2 --size 1M --force"
fi

finish
