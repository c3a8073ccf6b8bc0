#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# cowchain map as a picture. TAP; COWCHAIN names the program.
set -u
cowchain=${COWCHAIN:?the program to test}
# shellcheck source=userspace/tool/tests/lib/tap.sh
. "$(dirname "$0")/lib/tap.sh"

truncate -s 8M base.raw
dd if=/dev/urandom of=base.raw bs=1M count=2 conv=notrunc status=none
qemu-img create -q -f qcow2 -b base.raw -F raw mid.qcow2
qemu-io -f qcow2 -c 'write -q 1M 1M' -c 'write -q 3M 512k' mid.qcow2
qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 'é a name of many characters.qcow2'
qemu-io -f qcow2 -c 'write -q 1M 64k' -c 'write -q -z 7M 1M' 'é a name of many characters.qcow2'
cat >want.C <<END2
    LAYER                  BYTES  0             8M
  2 é a name of many cha    1.1M    :           ##
  1 mid.qcow2               1.4M    +#  #         
  0 base.raw                  1M  ##              
END2
cat >want.C.UTF-8 <<END2
    LAYER                  BYTES  0             8M
  2 é a name of many cha    1.1M    ▒           ██
  1 mid.qcow2               1.4M    ▓█  █         
  0 base.raw                  1M  ██              
END2
for locale in C C.UTF-8; do
	# shellcheck disable=SC2016
	shell "the picture in $locale" \
		'COLUMNS=50 LC_ALL=$1 "$2" map --picture "$3" >got; diff "want.$1" got' $locale "$cowchain" 'é a name of many characters.qcow2'
done
cat >read.py <<'END2'
import sys, xml.dom.minidom
svg = xml.dom.minidom.parse(sys.stdin).documentElement
rects = svg.getElementsByTagName("rect")
assert len([r for r in rects if r.getAttribute("class") == "disk"]) == 3
places = [(float(r.getAttribute("x")) - 240, float(r.getAttribute("width"))) for r in rects if r.getAttribute("class") == "data"]
# 256 parts of two pixels: 64 pixels for each MiB. The top first.
assert places == [(64, 4), (448, 64), (68, 60), (192, 32), (0, 64)], places
END2
shell 'as SVG' "'$cowchain' map --svg 'é a name of many characters.qcow2' | python3 read.py"
shell 'of the lower layers' "[ \$('$cowchain' map --picture --layer 1 'é a name of many characters.qcow2' | wc -l) = 3 ]"
shell 'in a narrow terminal' "COLUMNS=1 '$cowchain' map --picture mid.qcow2"
shell 'not as JSON' "'$cowchain' map --picture --json mid.qcow2; [ \$? = 2 ]"
printf x >small.raw
shell 'of a disk of one sector' "'$cowchain' map --picture -f raw small.raw && '$cowchain' map --svg -f raw small.raw"

finish
