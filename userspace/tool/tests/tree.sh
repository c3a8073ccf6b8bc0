#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# cowchain tree of images, as text, JSON and picture. TAP; COWCHAIN names the program.
set -u
cowchain=${COWCHAIN:?the program to test}
# shellcheck source=userspace/tool/tests/lib/tap.sh
. "$(dirname "$0")/lib/tap.sh"

# Two images on one base, one with a name that XML, JSON and terminals take for something else.
hostile=$'x<&">\'\e]0;y\a é.qcow2'
truncate -s 10M golden.raw
dd if=/dev/urandom of=golden.raw bs=64k count=1 conv=notrunc status=none
qemu-img create -q -f qcow2 -b golden.raw -F raw a.qcow2
qemu-img create -q -f qcow2 -b a.qcow2 -F qcow2 top.qcow2
qemu-img create -q -f qcow2 -b golden.raw -F raw "$hostile"
cat >want.utf8 <<END2
NAME
$dir/golden.raw
├─$dir/a.qcow2
│ └─$dir/top.qcow2
└─$dir/x<&">'\\x1b]0;y\\x07 é.qcow2
END2
sed 's/├─/|-/; s/└─/`-/; s/│/|/' want.utf8 >want.ascii
# shellcheck disable=SC2016	# for sed
for locale in C.UTF-8:utf8 C:ascii; do
	shell "the tree in ${locale%:*}" \
		'LC_ALL=$1 "$2" tree top.qcow2 "$4" | sed "s/  *\(KIND\|raw\|qcow2\) .*//" >got; diff "want.$3" got' \
		"${locale%:*}" "$cowchain" "${locale#*:}" "$hostile"
done
shell 'the same image twice is there once' "[ \$('$cowchain' tree -n top.qcow2 top.qcow2 a.qcow2 | wc -l) = 3 ]"
cat >read.py <<'END2'
import json, os, sys
tree = json.load(sys.stdin)
by_id = {l["id"]: l for l in tree["layers"]}
assert tree["chains"] == []
base = by_id[0]
assert base["below"] is None and base["kind"] == "raw" and base["file"].endswith("/golden.raw"), base
assert [l["below"] for l in tree["layers"]] == [None, 0, 1, 0], tree
for layer in tree["layers"]:
    assert layer["size"] == 10 << 20 and layer["readers"] == [], layer
    assert layer["on-disk"] == os.stat(layer["file"]).st_blocks * 512, layer
assert by_id[3]["file"] == os.path.realpath(sys.argv[1])
END2
# shellcheck disable=SC2016
shell '--json has all of it' '"$1" tree --json top.qcow2 "$2" | python3 read.py "$2"' "$cowchain" "$hostile"
cat >picture.py <<'END2'
import sys, xml.dom.minidom
picture = xml.dom.minidom.parse(sys.stdin).documentElement
boxes = [r for r in picture.getElementsByTagName("rect")]
texts = [t.firstChild.data for t in picture.getElementsByTagName("text")]
assert len(boxes) == 4 and len(picture.getElementsByTagName("path")) == 3, picture.toxml()
assert "golden.raw" in texts and "raw, 10M, 64K on disk" in texts, texts
assert any(t.startswith("x<&\">'\\x1b]0;y") for t in texts), texts
width, height = float(picture.getAttribute("width")), float(picture.getAttribute("height"))
places = set()
for box in boxes:
    x, y, w, h = (float(box.getAttribute(k)) for k in ("x", "y", "width", "height"))
    assert x >= 0 and y >= 0 and x + w <= width and y + h <= height, box.toxml()
    places.add((x, y))
assert len(places) == 4, places
assert "prefers-color-scheme: dark" in picture.toxml()
END2
# shellcheck disable=SC2016
shell '--svg is a picture of it' '"$1" tree --svg top.qcow2 "$2" | python3 picture.py' "$cowchain" "$hostile"
# shellcheck disable=SC2016
shell 'what is missing is an error, and the rest is shown' \
	'"$1" tree none.qcow2 top.qcow2 >rows 2>said; [ $? = 1 ] && grep "none.qcow2: No such file" said && [ $(wc -l <rows) = 4 ]' "$cowchain"
rm golden.raw
# shellcheck disable=SC2016
shell 'so it is below an image' \
	'"$1" tree -n top.qcow2 >rows 2>said; [ $? = 1 ] && grep "golden.raw: No such file" said && [ $(wc -l <rows) = 2 ]' "$cowchain"
# shellcheck disable=SC2016
shell 'with nothing to show, nothing is printed' '"$1" tree --json none.qcow2 >rows; [ $? = 1 ] && [ ! -s rows ]' "$cowchain"
# shellcheck disable=SC2016
shell 'a picture is no JSON' '"$1" tree --json --svg top.qcow2; [ $? = 2 ]' "$cowchain"

finish
