#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Maps of images: what qemu-img map prints of the same image, for every kind there is, and what has changed between
# two layers. TAP; COWCHAIN names the program, QEMU_IMG another qemu-img.
set -u
cowchain=${COWCHAIN:?the program to test}
here=$(cd "$(dirname "$0")" && pwd) || exit 1
top=$here/../../..
fixtures=$top/build/fixtures
"$top/selftests/make-fixtures" "$fixtures" || exit 1
# shellcheck source=userspace/tool/tests/lib/tap.sh
. "$here/lib/tap.sh"

# expect STATUS TEXT ARG...: exit status of a map, and a part of what is printed
expect() {
	local status=$1 text=$2 got

	shift 2
	"$cowchain" map "$@" >out 2>&1 </dev/null
	got=$?
	echo "exit status $got" >>out
	[ "$got" = "$status" ] && grep -q -F -e "$text" out
	result $? "map $* -> $status $text"
}

cat >compare.py <<'END'
import json, os, subprocess, sys

COWCHAIN = os.environ["COWCHAIN"]
QEMU_IMG = os.environ.get("QEMU_IMG", "qemu-img")
KEYS = ["start", "length", "depth", "present", "zero", "data", "compressed", "offset"]


def run(*words, **kwargs):
    return subprocess.run(words, stdout=subprocess.PIPE, check=True, **kwargs).stdout


def merged(extents):
    "Neighbours that are alike become one."
    out = []
    for e in extents:
        last = out[-1] if out else None
        if last and last["start"] + last["length"] == e["start"] and \
           all(last.get(k) == e.get(k) for k in KEYS[2:-1]) and \
           ("offset" in last) == ("offset" in e) and \
           ("offset" not in e or last["offset"] + last["length"] == e["offset"]):
            last["length"] += e["length"]
        else:
            out.append(dict(e))
    return out


def cowchain_map(image, *options):
    return json.loads(run(COWCHAIN, "map", "--json", image, *options))


def qemu_map(image, fmt):
    where = os.path.dirname(image) or "."
    return json.loads(run(QEMU_IMG, "map", "-U", "--output=json", "-f", fmt, os.path.basename(image), cwd=where))


def same_as_qemu(image, fmt="qcow2", top=None, layer=None):
    theirs = qemu_map(image, fmt)
    if layer is None:
        ours = cowchain_map(image, "--format", fmt)
    else:
        ours = cowchain_map(top, "--layer", layer)
    for e in ours:
        assert [k for k in KEYS if k in e] == list(e), f"keys {list(e)}"
        # Versions before 8.2 do not tell.
        if "compressed" not in theirs[0]:
            del e["compressed"]
    assert ours == merged(ours), f"{image}: neighbours are alike"
    if ours != merged(theirs):
        for a, b in zip(ours, merged(theirs)):
            if a != b:
                sys.exit(f"{image}: cowchain {a}\nqemu-img {b}")
        sys.exit(f"{image}: {len(ours)} extents, qemu-img has {len(merged(theirs))}")


def content(image, fmt):
    run(QEMU_IMG, "convert", "-U", "-f", fmt, "-O", "raw", os.path.basename(image), os.path.realpath("content.raw"),
        cwd=os.path.dirname(image) or ".")
    with open("content.raw", "rb") as f:
        return f.read()


def changes_lead_to(top, a, a_fmt, b):
    "With what has changed from a to b, what a reads like becomes what b reads like."
    old, new = bytearray(content(a, a_fmt)), content(b, "qcow2")
    changes = cowchain_map(top, "--between", a, b)
    shown = sum(e["length"] for e in changes)
    assert shown < len(new), "all has changed: this tests nothing"
    old = old[:len(new)] + b"X" * (len(new) - len(old))
    end = 0
    for e in changes:
        assert e["start"] >= end, "not in order"
        end = e["start"] + e["length"]
        assert end <= len(new)
        old[e["start"]:end] = bytes(e["length"]) if e["zero"] else new[e["start"]:end]
    assert old == new, f"from {a} to {b}"


what, *words = sys.argv[1:]
{"same": same_as_qemu, "changes": changes_lead_to}[what](*words)
END
export COWCHAIN
# same IMAGE [FORMAT [TOP LAYER]]
same() {
	local text=${1#"$fixtures/"}

	check "the map of ${text##*/cowchain-map-*/}${3:+, as a layer,} is that of qemu-img" python3 compare.py same "$@"
}

# Every kind of layer
for image in "$fixtures"/{kinds,shorter,abcd,ext,parts,tops}/*.qcow2 \
	"$fixtures"/tails/{fresh,data,table,packed,prealloc,external}.qcow2 "$fixtures"/chain32/l{1,7,31}.qcow2 \
	"$fixtures"/chain255/l254.qcow2; do
	same "$image"
done
for image in "$fixtures"/{kinds/base,tails/raw,shorter/short,tops/odd}.raw; do
	same "$image" raw
done
for i in 1 4 8 15 30; do
	same "$fixtures/chain32/l$i.qcow2" qcow2 "$fixtures/chain32/l31.qcow2" "$i"
done
same "$fixtures/chain32/l0.raw" raw "$fixtures/chain32/l31.qcow2" 0
same "$fixtures/abcd/b.qcow2" qcow2 "$fixtures/abcd/d.qcow2" "$fixtures/abcd/b.qcow2"

# Preallocation: data in holes, which qemu-img looks for if the image has more clusters than space.
prealloc() {
	qemu-img create -q -f qcow2 -o "preallocation=metadata,$1" prealloc.qcow2 64M
	same "$PWD/prealloc.qcow2"
	qemu-io -f qcow2 -c 'write -q 1M 3M' -c 'write -q 40M 100k' -c 'write -q -z 2M 300k' prealloc.qcow2
	same "$PWD/prealloc.qcow2"
	truncate -s -301 prealloc.qcow2
	[ "${1#*data_file}" != "$1" ] || same "$PWD/prealloc.qcow2"
	rm prealloc.qcow2
}
for options in cluster_size=64k cluster_size=512 refcount_bits=1 refcount_bits=8 refcount_bits=64 \
	extended_l2=on,cluster_size=16k data_file=prealloc.data; do
	prealloc "$options"
done
# the place of guest cluster 0 in a data file is offset 0
for options in '' ,extended_l2=on; do
	qemu-img create -q -f qcow2 -o "data_file=zero.data$options" zero.qcow2 1M
	qemu-io -f qcow2 -c 'write -q 0 128k' zero.qcow2
	same "$PWD/zero.qcow2"
	qemu-io -f qcow2 -c 'write -q -z 0 128k' -c 'write -q -z -u 256k 64k' zero.qcow2
	same "$PWD/zero.qcow2"
done
qemu-img create -q -f qcow2 -o preallocation=falloc falloc.qcow2 64M
same "$PWD/falloc.qcow2"
truncate -s 64M sparse.raw
same "$PWD/sparse.raw" raw
printf x >small.raw
same "$PWD/small.raw" raw
# a disk and tables so large that nothing but a window of them may be in memory
qemu-img create -q -f qcow2 -o cluster_size=2M huge.qcow2 63T
qemu-io -f qcow2 -c 'write -q 0 64k' -c 'write -q 62T 64k' huge.qcow2
same "$PWD/huge.qcow2"
qemu-img create -q -f qcow2 -o preallocation=metadata,extended_l2=on,cluster_size=128k large.qcow2 256G
same "$PWD/large.qcow2"
# (the sanitizers reserve terabytes of it)
[[ $cowchain = *-san/* ]] ||
	shell 'which takes little memory' "ulimit -v 60000; '$cowchain' map large.qcow2 --json >large.json && [ -s large.json ]"
rm large.qcow2 huge.qcow2

# What has changed
check 'from l12 to l20' python3 compare.py changes "$fixtures/chain32/l31.qcow2" "$fixtures/chain32/l12.qcow2" qcow2 \
	"$fixtures/chain32/l20.qcow2"
check 'from l30 to l31, which is empty' python3 compare.py changes "$fixtures/chain32/l31.qcow2" \
	"$fixtures/chain32/l30.qcow2" qcow2 "$fixtures/chain32/l31.qcow2"
shell 'that is nothing' "[ \$('$cowchain' map '$fixtures/chain32/l31.qcow2' --between 30 31 --json) = '[]' ]"
for x in a.raw:raw:b a.raw:raw:c b.qcow2:qcow2:c; do
	IFS=: read -r a fmt b <<<"$x"
	check "from $a to $b" python3 compare.py changes "$fixtures/abcd/d.qcow2" "$fixtures/abcd/$a" "$fmt" \
		"$fixtures/abcd/$b.qcow2"
done
# layers that are shorter, and what they hide
check 'from a layer to a longer one' python3 compare.py changes "$fixtures/shorter/c.qcow2" \
	"$fixtures/shorter/b.qcow2" qcow2 "$fixtures/shorter/c.qcow2"
check 'from below a shorter layer' python3 compare.py changes "$fixtures/shorter/c.qcow2" \
	"$fixtures/shorter/a.raw" raw "$fixtures/shorter/c.qcow2"
check 'from a shorter raw disk' python3 compare.py changes "$fixtures/shorter/e.qcow2" \
	"$fixtures/shorter/short.raw" raw "$fixtures/shorter/e.qcow2"
check 'to a layer that ends within a cluster' python3 compare.py changes "$fixtures/shorter/n.qcow2" \
	"$fixtures/shorter/a.raw" raw "$fixtures/shorter/m.qcow2"

# Columns
qemu-img create -q -f qcow2 a.qcow2 1M
qemu-io -f qcow2 -c 'write -q 128k 64k' -c 'write -q -c 512k 64k' a.qcow2
"$cowchain" map a.qcow2 >rows
shell 'columns are aligned' "cat rows; [ \$(awk '{ print length }' rows | sort -u | wc -l) = 1 ] && [ \$(wc -l <rows) = 6 ]"
"$cowchain" map a.qcow2 >out 2>&1
grep -q -x -E ' +131072 +65536 +0  yes +no +yes +no +327680' out
result $? 'a row'
grep -q -x -E ' +524288 +65536 +0  yes +no +yes +yes +-' out
result $? 'a compressed one'
shell '--noheadings leaves the rows' "[ \$('$cowchain' map --noheadings a.qcow2 | wc -l) = 5 ]"

# What is wrong
for options in '' '--layer 0' '--between 0 1'; do
	# shellcheck disable=SC2086	# words
	expect 2 'one device or image is needed' $options
done
expect 2 'the option --layer needs a value' a.qcow2 --layer
expect 2 '--between needs two layers' a.qcow2 --between 0
expect 2 '--between needs two layers' a.qcow2 --between 0 --json
expect 2 'do not go together' a.qcow2 --between 0 1 --layer 0
expect 1 'none.qcow2: No such file' none.qcow2
expect 1 "'1' is not one of its layers" a.qcow2 --layer 1
expect 1 'the layers of' a.qcow2 --layer 1
expect 1 "'none.qcow2' is not one of its layers" a.qcow2 --layer none.qcow2
qemu-img create -q -f qcow2 -b a.qcow2 -F qcow2 b.qcow2
expect 1 'is not below' b.qcow2 --between 1 0
expect 1 'is not below' b.qcow2 --between 1 1
expect 0 'START' --between 0 1 b.qcow2
mkdir sub
qemu-img create -q -f qcow2 -u -b ../a.qcow2 -F qcow2 sub/c.qcow2 1M
expect 1 '--allow-dir' sub/c.qcow2
expect 0 'START' sub/c.qcow2 --allow-dir .
expect 1 'not a qcow2 image' compare.py
shell 'a pipe that is closed ends it without a message' \
	"'$cowchain' map '$fixtures/tops/huge.qcow2' --json 2>said | head -c 1 >/dev/null; status=\${PIPESTATUS[0]}; cat said
	[ \$status = 141 ] && [ ! -s said ]"
shell 'output that cannot be written is an error' \
	"! '$cowchain' map '$fixtures/tops/huge.qcow2' --json >/dev/full 2>said; cat said; grep 'No space left' said"
shell 'so it is of a short map' "! '$cowchain' map a.qcow2 >/dev/full 2>said; cat said; grep 'No space left' said"
shell 'standard output that is closed, too' "! '$cowchain' map a.qcow2 >&- 2>said; cat said; [ -s said ]"
# Half of the clusters: a map that no pipe takes as a whole.
for ((i = 0; i < 2000; i += 2)); do
	args+=(-c "write -q ${i}k 512")
done
qemu-img create -q -f qcow2 -o cluster_size=512 many.qcow2 2M
qemu-io -f qcow2 "${args[@]}" many.qcow2
shell 'SIGINT ends it, also while nobody reads on' \
	"mkfifo pipe; exec 9<>pipe; env --default-signal '$cowchain' map many.qcow2 --json >pipe 9>&- & head -c 1 <&9 >first; kill -INT \$!
	wait \$!; status=\$?; echo exit status \$status; [ \$status = 130 ]"
shell 'an image that a program writes to is refused, as qemu-img does' \
	"python3 -c 'import fcntl, subprocess, sys
f = open(\"a.qcow2\", \"r+b\")
fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 101)
sys.exit(subprocess.run(sys.argv[1:]).returncode)' '$cowchain' map b.qcow2 >said 2>&1; status=\$?
	cat said; [ \$status = 1 ] && grep 'a.qcow2: the image is open for writing' said"
shell 'but not with --no-lock' \
	"python3 -c 'import fcntl, subprocess, sys
f = open(\"a.qcow2\", \"r+b\")
fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 101)
sys.exit(subprocess.run(sys.argv[1:]).returncode)' '$cowchain' map b.qcow2 --no-lock"
# poke OFFSET BYTES: into a.qcow2
poke() { printf %b "$2" | dd of=a.qcow2 bs=1 seek="$1" conv=notrunc status=none; }
l1=$(python3 -c 'import struct; f = open("a.qcow2", "rb"); f.seek(40); print(struct.unpack(">Q", f.read(8))[0])')
l2=$(python3 -c 'import struct, sys; f = open("a.qcow2", "rb"); f.seek(int(sys.argv[1]))
print(struct.unpack(">Q", f.read(8))[0] & 0xfffffffffffe00)' "$l1")
cp a.qcow2 a.was
poke $((l2 + 3 * 8)) '\0200\0\0\0\0\0\0022\0'
expect 1 'a.qcow2: guest offset 196608: cluster offset is not aligned' a.qcow2
expect 1 'a.qcow2: guest offset 196608: cluster offset is not aligned' b.qcow2 --json
shell 'what was printed before is no JSON' \
	"! '$cowchain' map b.qcow2 --json 2>said | python3 -c 'import json, sys; json.load(sys.stdin)'"
expect 0 'START' b.qcow2 --between 0 1
poke "$l1" '\0200\0\0\0\0\0\0022\0'
expect 1 'a.qcow2: guest offset 0: L2 table is not aligned' a.qcow2
cp a.was a.qcow2
poke "$l1" '\0200\0\0377\0\0\0\0\0'
expect 1 'a.qcow2: guest offset 0: L2 table lies outside' a.qcow2

finish
