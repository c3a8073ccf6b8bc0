#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The command line where no device-mapper is needed: usage, create, info of images, and what attach
# refuses by itself. TAP; COWCHAIN names the program.
set -u
cowchain=${COWCHAIN:?the program to test}
# shellcheck source=userspace/tool/tests/lib/tap.sh
. "$(dirname "$0")/lib/tap.sh"

# expect STATUS TEXT ARG...: exit status and a part of what is printed.
expect() {
	local status=$1 text=$2 got

	shift 2
	"$cowchain" "$@" >out 2>&1 </dev/null
	got=$?
	echo "exit status $got" >>out
	[ "$got" = "$status" ] && grep -q -F -e "$text" out
	result $? "cowchain $* -> $status $text"
}

# Usage
expect 2 'usage: cowchain'
expect 0 'usage: cowchain' --help
expect 0 'cowchain ' --version
expect 2 "no verb 'frobnicate'" frobnicate
expect 2 "no verb 'frobnicate'" help frobnicate
for verb in create attach detach reload snapshot base stream record copy wait job status stats top list tree info map export; do
	expect 0 "usage: cowchain $verb" help "$verb"
	expect 0 "usage: cowchain $verb" "$verb" --help
	expect 2 "cowchain help $verb" "$verb" --no-such-option
done
for verb in create attach detach reload snapshot base stream record copy wait job stats info map export; do
	expect 2 "cowchain help $verb" "$verb"
done
expect 2 'takes no names' list x
expect 2 'takes no names' top x
expect 2 'above 0' top --count 0
expect 2 'number of seconds' top --interval 0
expect 2 'number of seconds' top --interval nan
expect 2 'number of seconds' top -i 1x
expect 2 'exclude each other' stats x --on --reset
expect 2 'exclude each other' stats x --on --off --on
expect 2 'one word too many' stats x y
expect 1 'x: ' stats x
expect 1 'x: ' stats x --on
expect 2 '--backing-format' create x --backing base.raw
expect 2 '--size' create x
expect 2 'multiple' create x --size 100
expect 2 'cluster-size' create x --size 1M --cluster-size 64K
expect 2 'cannot be the name' attach a/b top.qcow2
long=$(printf 'x%.0s' {1..128})
expect 2 'too long' attach "$long" top.qcow2
expect 1 'too long' detach "$long"
expect 1 'too long' snapshot "/dev/mapper/$long" new.qcow2
expect 2 'a device and the new image' snapshot x=new.qcow2 y new2.qcow2
expect 2 'on both sides' snapshot x=new.qcow2 =new2.qcow2
expect 2 'on both sides' snapshot x=
expect 2 'one device only' snapshot x=new.qcow2 y=new2.qcow2 --data-file new.raw
expect 2 'number of seconds' snapshot x new.qcow2 --hook true --hook-timeout 0
expect 2 'number of seconds' snapshot x new.qcow2 --hook true --hook-timeout soon
expect 1 'x: ' snapshot x=new.qcow2 y=new2.qcow2
expect 2 'cannot be the name' export x 0 --as a/b
expect 2 'too long' export x 0 --as "$long"
expect 2 '--as with a new name' export x 0
expect 2 'one of its layers' export x --as y
expect 1 'x' export x 0 --as y
expect 2 'one word' attach x y --feature 'a b'
expect 2 'one word' attach x y --feature $'a\u00a0b'
expect 2 'number' attach x y --commit-ms soon
expect 2 'raw:FILE' --debug attach --layer base.raw x
expect 2 'raw:FILE or qcow2:FILE' attach --layer vmdk:base.raw x
expect 2 'raw:FILE or qcow2:FILE' attach --layer raw:base.raw,data=x x
expect 2 'give one' stream x --speed 1 --bandwidth 1
expect 2 '--bytes' stream x --bytes
# Old spellings: an option means one thing, but what once worked does.
expect 2 'a device and the new image' copy -q
expect 1 'x' detach -f x
expect 1 'x' stream x -b 0
expect 1 'x' stream x --top 1 --base none
# before anybody waits for the chain
expect 1 'missing: No such file' stream x --first missing
expect 1 '.: is no regular file' stream x --first .
expect 2 'moves the disk' copy x new.qcow2 --wait
expect 2 'copy the old top' copy x new.qcow2
expect 1 'x' copy x new.qcow2 --pivot
expect 2 "'cowchain commit' does that" blockcommit vm
expect 2 'one device is needed' commit
expect 2 'exclude each other' commit vm --base 0 --shallow
expect 2 'old top' backup vm
expect 2 'dmsetup rename' help rename
shell 'one letter means one option, whatever the verb' \
	"'$cowchain' --completion | sed -n 's/^verb //p' | while read -r verb; do '$cowchain' help \"\$verb\"; done |
		sed -n 's/^  \\(-[a-zA-Z]\\), --\\([a-z-]*\\).*/\\1 \\2/p' | sort -u | awk '{ print \$1 }' | uniq -d >letters
	cat letters; [ ! -s letters ]"
expect 2 '--speed' stream x --speed fast
expect 0 '--verify' help stream
expect 0 '--verify' help commit
expect 0 '--verify' help copy
expect 2 '--verify' stream x --verify=1
expect 0 '--force' help stream
expect 0 '--force' help copy
expect 2 '--on-error' stream x --on-error panic
expect 2 '--timeout' wait x --timeout 0
expect 2 '--seconds soon: must be a number of seconds' record x new.parts --seconds soon
expect 2 'a device and a file are needed' record x
expect 2 'go together' stream x --backing-file y
expect 2 'pause' job x explode
expect 2 'speed needs a number' job x speed
expect 2 'too many words' job x pause now

# create
truncate -s 100M base.raw
expect 0 '' create b.qcow2 --backing base.raw --format raw
mkdir sub
expect 0 '' create sub/c.qcow2 --backing b.qcow2 --format qcow2
expect 0 '' create 'd,x:y.qcow2' -b b.qcow2 -F qcow2 --data-file 'sub/d,d:1.raw'
expect 0 '' create e.qcow2 --size 1G --cluster-size 2M
expect 1 'take another name' create b.qcow2 --size 1M
expect 0 '' create e.qcow2 --size 2M --force
expect 1 'are the same' create same.qcow2 --size 1M --data-file ./same.qcow2 --force
check 'nothing is left of that' test ! -e same.qcow2
ln e.qcow2 hard.qcow2
ln -s e.qcow2 soft.qcow2
expect 1 'are the same' create hard.qcow2 --backing e.qcow2 --format qcow2 --force
expect 1 'are the same' create soft.qcow2 --backing e.qcow2 --format qcow2 --force
expect 1 'are the same' create x.qcow2 --size 1M --data-file base.raw -b ../"${dir##*/}"/base.raw -F raw --force
expect 1 'are the same' create e.qcow2 --size 1M --data-file soft.qcow2 --force
expect 0 '' create sub/low.qcow2 --backing e.qcow2 -F qcow2 --data-file low.raw
expect 0 '' create high.qcow2 --backing sub/low.qcow2 -F qcow2
expect 1 'are the same' create e.qcow2 --backing high.qcow2 --format qcow2 --force
expect 1 'are the same' create low.raw --backing high.qcow2 --format qcow2 --force
expect 0 '' create high.qcow2 --backing sub/low.qcow2 -F qcow2 --force
rm sub/low.qcow2 low.raw high.qcow2
check 'the backing file is whole' qemu-img check -q e.qcow2
rm hard.qcow2 soft.qcow2
expect 1 'not a qcow2 image' create f.qcow2 --backing base.raw --format qcow2
expect 1 'No such file' create f.qcow2 --backing missing --format raw
expect 1 'No such file' create missing/f.qcow2 --size 1M
check 'nothing is left of a failed create' test ! -e f.qcow2
shell 'a failed qemu-img leaves nothing' \
	"mkdir bin; printf '#!/bin/sh\nexit 1\n' >bin/qemu-img; chmod +x bin/qemu-img
	! COWCHAIN_QEMU_IMG=\$PWD/bin/qemu-img '$cowchain' create f.qcow2 --size 1M --data-file f.raw &&
		[ ! -e f.qcow2 ] && [ ! -e f.raw ]"
# a real one removes a file that it cannot fill
shell 'nor does one that removes the image itself, and nothing is said about that' \
	"printf '#!/bin/sh\nrm -f $dir/f.qcow2\nexit 1\n' >bin/qemu-img
	! COWCHAIN_QEMU_IMG=\$PWD/bin/qemu-img '$cowchain' create f.qcow2 --size 1M 2>said; cat said
	grep 'qemu-img create failed' said && ! grep 'cannot remove' said && [ ! -e f.qcow2 ]"
shell 'qemu-img is none that PATH leads to, and gets no descriptors but its own' \
	"printf '#!/bin/sh\ntouch ran\n' >bin/qemu-img; exec 9<base.raw
	PATH=\$PWD/bin:\$PATH '$cowchain' create f.qcow2 --size 1M && [ ! -e ran ] && rm f.qcow2
	printf '#!/bin/sh\nls -l /proc/self/fd >%s\nexit 1\n' $dir/fds >bin/qemu-img
	COWCHAIN_QEMU_IMG=\$PWD/bin/qemu-img '$cowchain' create f.qcow2 --size 1M --data-file f.raw; cat fds
	! grep base.raw fds && grep f.qcow2 fds && grep f.raw fds; status=\$?; rm -f f.*; exit \$status"
shell 'a relative name of another qemu-img starts where the program does' \
	"printf '#!/bin/sh\ntouch $dir/ran\nexit 1\n' >bin/qemu-img
	cd sub; COWCHAIN_QEMU_IMG=../bin/qemu-img '$cowchain' create f.qcow2 --size 1M; rm ../ran"
shell 'a qemu-img that is missing is named' \
	"! COWCHAIN_QEMU_IMG=bin/missing '$cowchain' create f.qcow2 --size 1M 2>said; cat said
	grep -F '$dir/bin/missing, which COWCHAIN_QEMU_IMG names: No such file' said && ! grep install said"
shell 'so is one by a name without a directory, which is searched where the system has programs' \
	"! PATH=\$PWD/bin:\$PATH COWCHAIN_QEMU_IMG=missing '$cowchain' create f.qcow2 --size 1M 2>said; cat said
	grep 'missing, which COWCHAIN_QEMU_IMG names: No such file' said && [ ! -e f.qcow2 ]"
shell 'a disk that is too large leaves nothing, either' \
	"! '$cowchain' create f.qcow2 --size 8000P 2>said; cat said
	grep 'qemu-img create failed' said && ! grep 'cannot remove' said && [ ! -e f.qcow2 ]"
shell 'it is not made to be setuid' \
	"cp '$cowchain' suid; chown 65534 suid && chmod u+s suid && ! ./suid --version >said 2>&1 && cat said &&
		grep 'run it as root' said; status=\$?; rm suid; [ \$(id -u) != 0 ] || exit \$status"
# Whoever owns the directory exchanges what is being made. $1 is put in place of f.qcow2 or f.raw.
exchanged() {
	printf '#!/bin/sh\nmv %s %s.moved; %s\nexec /usr/bin/env PATH=%s qemu-img "$@"\n' "$dir/$1" "$dir/$1" \
		"$2" "$PATH" >bin/qemu-img
	shell "a new file that is exchanged: $1, $2" \
		"! COWCHAIN_QEMU_IMG=\$PWD/bin/qemu-img '$cowchain' create f.qcow2 --size 1M --data-file f.raw 2>said; cat said
		grep '$1: was replaced' said && cmp victim victim.was && ls $1 && ls | grep '^f[.]'"
	rm -f f.*
}
printf 'precious' >victim
cp victim victim.was
for name in f.qcow2 f.raw; do
	exchanged $name "ln -s $dir/victim $dir/$name"
	exchanged $name "ln $dir/victim $dir/$name"
	exchanged $name "mkfifo $dir/$name"
done
if chown 65534 victim 2>/dev/null; then
	ln -s victim link.qcow2
	chown -h 1 link.qcow2
	expect 1 'is a link of another user' create link.qcow2 --size 1M --force
	check 'what it leads to is whole' cmp victim victim.was
	ln -s sub/../link.qcow2 roots.qcow2
	expect 1 'is a link of another user' create roots.qcow2 --size 1M --force
	check 'also if another link leads to that one' cmp victim victim.was
	rm roots.qcow2
	ln -s loop.qcow2 loop.qcow2
	expect 1 'Too many levels' create loop.qcow2 --size 1M --force
	rm loop.qcow2
	chown -h 0 link.qcow2
	expect 0 '' create link.qcow2 --size 1M --force
	rm link.qcow2
	cp victim.was victim
	chown 0 victim
fi
# A block device is taken without --force. Nobody opens this one, whose number no driver has.
if mknod device b 255 0 2>/dev/null; then
	ln -s device link.raw
	chown -h 1 link.raw
	expect 1 'link.raw: is a link of another user' create link.raw --size 1M
	expect 1 'link.raw: is a link of another user' create f.qcow2 --size 1M --data-file link.raw
	check 'nothing is left of that' test ! -e f.qcow2
	chown -h 0 link.raw
	expect 1 'link.raw: No such device or address' create link.raw --size 1M
	rm link.raw device
fi
shell 'a link that leads nowhere is not followed' \
	"ln -s $dir/made f.qcow2; ! '$cowchain' create f.qcow2 --size 1M && ! '$cowchain' create f.qcow2 --size 1M --force &&
		[ ! -e made ]; status=\$?; rm f.qcow2; exit \$status"
# interrupted SIGNAL STATUS SCRIPT: create, with SCRIPT as qemu-img, leaves nothing behind. Signals may
# be ignored if this runs in the background, hence --default-signal.
interrupted() {
	printf '#!/bin/sh\n%s\n' "$3" >bin/qemu-img
	shell "create that is interrupted by $1 leaves nothing" \
		"COWCHAIN_QEMU_IMG=\$PWD/bin/qemu-img env --default-signal '$cowchain' create f.qcow2 --size 1M --data-file f.raw
		status=\$?; echo exit status \$status
		[ \$status = $2 ] && [ ! -e f.qcow2 ] && [ ! -e f.raw ]"
}
# shellcheck disable=SC2016	# for the script
{
	interrupted 'SIGINT of qemu-img' 130 'kill -INT $$'
	interrupted 'SIGINT of both' 130 'kill -INT $PPID $$'
	interrupted 'SIGTERM' 143 'kill -TERM $PPID; exec sleep 100'
	interrupted 'SIGHUP at the end' 129 'kill -HUP $PPID; sleep 0.2; exit 0'
	interrupted 'SIGTERM that is ignored by qemu-img' 143 'trap "" TERM; kill -TERM $PPID; sleep 0.2'
}
rm bin/qemu-img
shell 'an ignored signal does not interrupt' \
	"printf '#!/bin/sh\nkill -HUP \$PPID; exec /usr/bin/env PATH=%s qemu-img \"\$@\"\n' \"\$PATH\" >bin/qemu-img
	chmod +x bin/qemu-img; trap '' HUP
	COWCHAIN_QEMU_IMG=\$PWD/bin/qemu-img '$cowchain' create f.qcow2 --size 1M && qemu-img check -q f.qcow2 && rm f.qcow2"
rm bin/qemu-img
shell 'a name next to the image is stored relative' \
	'qemu-img info --output=json b.qcow2 | grep "\"backing-filename\": \"base.raw\""'
shell 'another one absolute' \
	"qemu-img info --output=json sub/c.qcow2 | grep '\"backing-filename\": \"$dir/b.qcow2\"'"
shell 'a data file absolute: QEMU resolves a relative name from its working directory' \
	"cd /; qemu-img info '$dir/d,x:y.qcow2' | grep 'data file: $dir/sub/d,d:1.raw'"
shell 'new files are nobody else'"'"'s business' \
	"umask 022; rm -f p.*; '$cowchain' create p.qcow2 --size 1M --data-file p.raw --backing base.raw --format raw &&
		[ \"\$(stat -c %a p.qcow2 p.raw | xargs)\" = '600 600' ]"
rm p.qcow2 p.raw
shell 'and is as long as the disk' "test \$(stat -c %s 'sub/d,d:1.raw') = 104857600"
expect 0 '' create r.qcow2 -b base.raw -F raw --data-file r.raw --reserve
# shellcheck disable=SC2016
shell '--reserve takes the space' '[ $(($(stat -c %b r.raw) * 512)) -ge 104857600 ]'
rm r.raw
for image in b.qcow2 sub/c.qcow2 e.qcow2 'file:d,x:y.qcow2'; do
	check "qemu-img check $image" qemu-img check -q "$image"
done

# info of images
expect 0 'base.raw' info b.qcow2
expect 1 '--allow-dir' info sub/c.qcow2
expect 0 'base.raw' info sub/c.qcow2 --allow-dir .
expect 0 '"layers":' info --json sub/c.qcow2 --allow-dir .
shell 'info --json is JSON, the base first' \
	"'$cowchain' info --json sub/c.qcow2 --allow-dir . | python3 -c '
import json, sys
layers = json.load(sys.stdin)[\"layers\"]
assert [l[\"kind\"] for l in layers] == [\"raw\", \"qcow2\", \"qcow2\"]
assert [l[\"layer\"] for l in layers] == [0, 1, 2]
assert layers[0][\"size\"] == 104857600
assert layers[2][\"backing-file\"].endswith(\"/b.qcow2\")
assert layers[0][\"backing-file\"] is None'"
shell '--noheadings leaves the rows' \
	"[ \$('$cowchain' info --noheadings b.qcow2 | wc -l) = 2 ]"

cp b.qcow2 $'\xc3\xa9.qcow2'
for locale in C C.UTF-8 xx_YY.ISO-8859-1; do
	shell "names beyond ASCII in the locale $locale" \
		"LC_ALL=$locale timeout 20 '$cowchain' info $'\xc3\xa9.qcow2' | tee said; grep -F $'\xc3\xa9.qcow2' said"
done
rm $'\xc3\xa9.qcow2'

cp b.qcow2 $'l\xe9\xc3\xa9\xed\xa0\x80.qcow2'
shell '--json is UTF-8, also of a name that is not' \
	"'$cowchain' info --json \$'l\\xe9\\xc3\\xa9\\xed\\xa0\\x80.qcow2' | python3 -c '
import json, sys
name = json.loads(sys.stdin.buffer.read().decode())[\"layers\"][1][\"file\"]
assert name.endswith(\"/l\\ufffd\\u00e9\\ufffd\\ufffd\\ufffd.qcow2\"), ascii(name)'"

# Names in images may have been written by a guest. Whatever they do to a terminal, and where they pretend
# to be another line, nothing but what can be shown reaches the output.
evil=$'a\e]0;x\a\n5 raw - forged\xc2\x9b31m\xe2\x80\xae\r\xff'"'\$(touch ran)"
shown='a\x1b]0;x\x07\x0a5 raw - forged\xc2\x9b31m\xe2\x80\xae\x0d\xff'"'\$(touch ran)"
# clean COMMAND...: its output has neither control characters but newlines, nor those of two bytes, nor others that are hidden
# shellcheck disable=SC2317	# check calls it
clean() {
	"$@" >said 2>&1
	LC_ALL=C sed 's/^/# /' said | cat -v
	! LC_ALL=C grep -a -q -e "[$(printf '\001-\010\013-\037\177')]" -e $'\xc2[\x80-\x9f]' -e $'\xe2\x80[\x8b-\x8f\xa8-\xae]' said &&
		iconv -f UTF-8 -t UTF-8 said >/dev/null
}
qemu-img create -q -f qcow2 -u -b "$evil" -F raw hostile.qcow2 1M
check 'a hostile name in a table' clean "$cowchain" info hostile.qcow2
shell 'is quoted there' "grep -F -q -- \"\$1\" said && [ \$(grep -c forged said) = 2 ]" "$shown"
check 'in JSON' clean "$cowchain" info --json hostile.qcow2
shell 'and what it is there' "{ '$cowchain' info --json hostile.qcow2 2>/dev/null; :; } | python3 -c '
import json, os, sys
name = json.load(sys.stdin)[\"layers\"][0][\"backing-file\"]
want = os.fsencode(sys.argv[1]).decode(errors=\"replace\")
assert name == want, ascii(name)' \"\$1\"" "$evil"
cp b.qcow2 "$evil"
check 'the name of a file' clean "$cowchain" info "$evil"
check 'one that cannot be opened' clean "$cowchain" info "$evil.none"
check 'what is no option' clean "$cowchain" info "--$evil"
check 'what is no verb' clean "$cowchain" "$evil"
check 'no name of a device' clean "$cowchain" attach "$evil" b.qcow2
shell 'is refused' "grep -q 'cannot be the name of a device' said"
check 'what qemu-img says' clean "$cowchain" create hostile2.qcow2 --size 8000P --backing "$evil" --format raw
rm -f hostile2.qcow2 "$evil"
shell 'nothing of it was run' '[ ! -e ran ]'

# What attach refuses
qemu-img create -q -f qcow2 plain.qcow2 1M
qemu-img create -q -f qcow2 -u -b base.raw noformat.qcow2 1M 2>/dev/null ||
	{ cp b.qcow2 noformat.qcow2; qemu-img rebase -u -b '' noformat.qcow2; }
qemu-img create -q -f qcow2 -u -b json:{} -F raw json.qcow2 1M
qemu-img create -q -f qcow2 -u -b loop2.qcow2 -F qcow2 loop1.qcow2 1M
qemu-img create -q -f qcow2 -u -b loop1.qcow2 -F qcow2 loop2.qcow2 1M
qemu-img create -q -f qcow2 -u -b x.vmdk -F vmdk vmdk.qcow2 1M
qemu-img create -q -f qcow2 -u -b fifo -F raw fifo.qcow2 1M
qemu-img create -q -f qcow2 -u -b /dev/zero -F raw zero.qcow2 1M
mkfifo fifo
truncate -s %512 ./*.qcow2
expect 1 'not prepared for writing' attach x plain.qcow2
expect 1 'an ordinary qcow2 image, which is never written' attach x plain.qcow2
expect 1 'never followed' attach x json.qcow2
expect 1 'twice' attach x loop1.qcow2
expect 1 "format 'vmdk'" attach x vmdk.qcow2
expect 1 'neither a regular file nor a block device' attach x fifo.qcow2
expect 1 'is not followed' attach x zero.qcow2
expect 1 'neither a regular file nor a block device' attach x zero.qcow2 --allow-dir /dev
expect 1 'No such file' attach x missing.qcow2
expect 1 'raw image cannot be the writable top' attach x --format raw base.raw
expect 1 'only be the base' attach x --layer qcow2:b.qcow2 --layer raw:base.raw
expect 1 'twice' attach x --layer qcow2:b.qcow2 --layer qcow2:./b.qcow2
expect 1 'no external data file' attach x --layer qcow2:b.qcow2,data=base.raw
expect 1 'No such file' attach x b.qcow2 --allow-dir missing
rm 'sub/d,d:1.raw'
expect 1 'data file' attach x 'd,x:y.qcow2'
truncate -s 1M 'sub/d,d:1.raw'
expect 1 'shorter than the disk' attach x 'd,x:y.qcow2'
# A layer that is only read may have any length; a prepared image has whole sectors, unless it was cut off.
cp b.qcow2 cut.qcow2
truncate -s -100 cut.qcow2
expect 1 "is not a multiple of 512, which that of a prepared image is: was it cut off? If 'qemu-img check' finds it whole, pad it with zeros, by --pad or: truncate -s %512 $dir/cut.qcow2" attach x cut.qcow2
cp base.raw base.was
echo x >>base.raw
echo x >>base.was
"$cowchain" attach x b.qcow2 --pad >said 2>&1
check 'the base is not padded, and why' grep 'base.raw: is not padded, and need not be' said
check 'it is as it was' cmp base.raw base.was
rm base.was
shell 'a refused image is not padded' \
	"printf x >>plain.qcow2; size=\$(stat -c %s plain.qcow2)
	! '$cowchain' attach x plain.qcow2 --pad && [ \$(stat -c %s plain.qcow2) = \$size ]"

# An image that cannot be the top: one message ends with the one command that goes on, whatever the names are.
# remedy COMMAND ARG...: attach fails with one line that ends with that command.
remedy() {
	local command=$1

	shift
	# shellcheck disable=SC2016	# for bash -c
	shell "cowchain attach $* -> $command" '
		cowchain=$1 command=$2
		shift 2
		! "$cowchain" attach "$@" >said 2>&1
		cat said
		[ "$(wc -l <said)" = 1 ] && [[ $(<said) == *": $command" ]]' "$cowchain" "$command" "$@"
}
mkdir 'a b'
cp plain.qcow2 "a b/it's.qcow2"
cp plain.qcow2 ./-dash.qcow2
truncate -s 1M 'a b/disk.raw'
remedy "cowchain attach x 'a b/it'\\''s.qcow2' --overlay 'a b/it'\\''s-top.qcow2'" x "a b/it's.qcow2"
remedy "cowchain attach x plain.qcow2 --allow-dir 'a b' --overlay plain-top.qcow2" x --allow-dir 'a b' plain.qcow2
remedy 'cowchain attach --overlay -dash-top.qcow2 -- x -dash.qcow2' x -- -dash.qcow2
remedy 'cowchain attach x plain.qcow2 --overlay plain-top.qcow2' -- x plain.qcow2
touch plain-top.qcow2
remedy 'cowchain attach x plain.qcow2 --overlay plain-2-top.qcow2' x plain.qcow2
rm plain-top.qcow2 ./-dash.qcow2
remedy "cowchain attach x 'a b/disk.raw' --format raw --overlay 'a b/disk-top.qcow2'" x 'a b/disk.raw'
remedy "cowchain attach x 'a b/disk.raw' -f raw --overlay 'a b/disk-top.qcow2'" x 'a b/disk.raw' -f raw
remedy "cowchain attach x 'a b/disk.raw' -r --format raw" x 'a b/disk.raw' -r
remedy "cowchain attach x 'a b/disk.raw' --overlay n.qcow2 --format raw" x 'a b/disk.raw' --overlay n.qcow2
remedy 'cowchain attach x --layer raw:base.raw --layer qcow2:plain.qcow2 --overlay plain-top.qcow2' \
	x --layer raw:base.raw --layer qcow2:plain.qcow2
expect 1 'give its format as raw' attach x 'a b/disk.raw' -f qcow2
cp plain.qcow2 dirty.qcow2
printf '\1' | dd of=dirty.qcow2 bs=1 seek=79 conv=notrunc status=none
remedy 'cowchain attach x dirty.qcow2 --overlay dirty-top.qcow2' x dirty.qcow2
expect 1 'run qemu-img check -r all, or put a new top on it' attach x dirty.qcow2
# What cannot be written: what it is comes first.
if [ "$(id -u)" = 0 ] && chattr +i plain.qcow2 2>/dev/null; then
	remedy 'cowchain attach x plain.qcow2 --overlay plain-top.qcow2' x plain.qcow2
	chattr -i plain.qcow2
	cp e.qcow2 fixed.qcow2
	chattr +i fixed.qcow2
	remedy 'cowchain attach x fixed.qcow2 --overlay fixed-top.qcow2' x fixed.qcow2
	expect 1 'cannot be written: ' attach x fixed.qcow2
	chattr -i fixed.qcow2
fi
expect 2 '--read-only' attach x plain.qcow2 --overlay n.qcow2 --read-only
expect 2 'give --overlay NEW, too' attach x plain.qcow2 --data-file n.raw
expect 2 'give --overlay NEW, too' attach x plain.qcow2 --force
expect 2 'multiple of 512' attach x plain.qcow2 --overlay n.qcow2 --size 100
expect 2 'must be 128K' attach x plain.qcow2 --overlay n.qcow2 --cluster-size 4K
# As with create, nothing that exists is overwritten, and nothing is left behind: there is no device-mapper, or no
# chain of these.
cp plain.qcow2 plain.was
cp base.raw base.was
expect 1 'take another name, or --force' attach x plain.qcow2 --overlay b.qcow2
expect 1 'are the same' attach x plain.qcow2 --overlay plain.qcow2 --force
expect 1 'are the same' attach x plain.qcow2 --overlay n.qcow2 --data-file plain.qcow2 --force
expect 1 'are the same' attach x b.qcow2 --overlay base.raw --force
expect 1 'only be the base' attach x --layer qcow2:plain.qcow2 --layer raw:base.raw --overlay n.qcow2
expect 1 'No such file' attach x missing.qcow2 --overlay n.qcow2
expect 1 'No such file' attach x plain.qcow2 --overlay missing/n.qcow2
check 'nothing is left of that' test ! -e n.qcow2
check 'and nothing was written' cmp plain.qcow2 plain.was
check 'nor in the base' cmp base.raw base.was
rm base.was
shell 'a signal leaves nothing, either' \
	"mkdir -p bin; printf '#!/bin/sh\nkill -TERM \$PPID; exec sleep 100\n' >bin/qemu-img; chmod +x bin/qemu-img
	COWCHAIN_QEMU_IMG=\$PWD/bin/qemu-img env --default-signal '$cowchain' attach x plain.qcow2 --overlay n.qcow2 --data-file n.raw
	status=\$?; rm bin/qemu-img; echo exit status \$status
	[ \$status = 143 ] && [ ! -e n.qcow2 ] && [ ! -e n.raw ]"

# Formats that cannot be layers are named, with the way round; as raw they are used as such, but not silently.
for format in vmdk vdi vpc vhdx qed qcow parallels; do
	qemu-img create -q -f $format "d.$format" 8M
	truncate -s %512 "d.$format"
	qemu-img create -q -f qcow2 -u -b "d.$format" -F raw over.qcow2 8M
	expect 1 "qemu-img convert -f $format -O qcow2 $dir/d.$format $dir/d" attach x "d.$format"
	expect 1 "qemu-nbd --read-only -f $format" attach x "d.$format" -r
	expect 1 'cannot be a layer: ' attach x --layer "qcow2:d.$format" --layer qcow2:plain.qcow2
	expect 0 'but is used as a raw disk, header and all' info over.qcow2
	expect 1 'an ordinary qcow2 image' attach x over.qcow2
	qemu-img rebase -u -f qcow2 -b "d.$format" -F "$format" over.qcow2
	expect 1 "qemu-img convert -f $format -O qcow2 $dir/d.$format" attach x over.qcow2
	expect 0 'header and all' create n.qcow2 --backing "d.$format" --backing-format raw
	expect 1 'cannot be a layer' create n2.qcow2 --backing "d.$format" --backing-format qcow2
	rm over.qcow2 "d.$format" n.qcow2
done
printf secret >key
if qemu-img create -q --object secret,id=key,file=key -f qcow2 \
	-o encrypt.format=aes,encrypt.key-secret=key secret.qcow2 1M 2>/dev/null; then
	truncate -s %512 secret.qcow2
	expect 1 "qemu-img convert --object secret,id=key,file=KEYFILE" attach x secret.qcow2
fi

# Of an image that was moved, a link remains. Its owner names what is beside the link.
mkdir pool home
echo secret >pool/tenant2.raw
truncate -s 1M pool/tenant2.raw
qemu-img create -q -f qcow2 -u -b tenant2.raw -F raw home/vm1.qcow2 1M
ln -s ../home/vm1.qcow2 pool/vm1.qcow2
qemu-img create -q -f qcow2 -u -b "$dir/pool/vm1.qcow2" -F qcow2 home/top.qcow2 1M
expect 1 "is outside of $dir/home" info home/top.qcow2
expect 1 "is outside of $dir/home" info pool/vm1.qcow2
expect 0 'tenant2.raw' info pool/vm1.qcow2 --allow-dir pool

# The data file is written: an image of a stranger must not name that of another user.
expect 0 '' create e1.qcow2 --size 1M --data-file e1.raw
expect 0 "$dir/e1.raw" info e1.qcow2
if chown 1 e1.raw 2>/dev/null; then
	expect 1 'belongs to another user' info e1.qcow2
	expect 0 "$dir/e1.raw" info e1.qcow2 --allow-dir .
	chown 1 e1.qcow2
	expect 0 "$dir/e1.raw" info e1.qcow2
fi

# A qcow2 image as a raw disk may be a mistake, but is accepted.
expect 0 'b.qcow2: begins like a qcow2 image' create raw.qcow2 --backing b.qcow2 --format raw
expect 0 'b.qcow2: begins like a qcow2 image' info raw.qcow2
expect 0 'b.qcow2: begins like a qcow2 image' info b.qcow2 --format raw
shell 'an ordinary raw disk is not remarked upon' \
	"[ -z \"\$('$cowchain' info b.qcow2 2>&1 >/dev/null)\" ]"
rm raw.qcow2

# The format of a backing file is never guessed.
python3 - noformat.qcow2 <<'END'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    # A version 2 header has no extensions; this one names a backing file.
    f.seek(0)
    header = bytearray(f.read(104))
    f.seek(8)
    f.write(struct.pack(">QI", 4096, 8))
    f.seek(4096)
    f.write(b"base.raw")
    f.seek(struct.unpack(">I", header[100:104])[0])
    f.write(bytes(64))
END
truncate -s 100M base.raw
expect 1 '--backing-format' info noformat.qcow2
expect 0 'base.raw' info noformat.qcow2 --backing-format raw
expect 1 'give --backing-format raw (it begins like no other format)' info noformat.qcow2
cp base.raw base.was
cp b.qcow2 base.raw
expect 1 'begins like a qcow2 image: if it is one, and no guest could write that, give --backing-format qcow2' info noformat.qcow2
qemu-img create -q -f vmdk base.raw 1M
expect 1 'begins like a VMDK image: if it is none, but a raw disk, give --backing-format raw, else connect' info noformat.qcow2
expect 0 'begins like a VMDK image but is used as a raw disk' info noformat.qcow2 --backing-format raw
mv base.was base.raw
cp noformat.qcow2 'no format.qcow2'
shell 'the recommended command adds the format and keeps the name' \
	"command=\$('$cowchain' info 'no format.qcow2' 2>&1 | sed -n 's/.*into the header: //p')
	echo \"\$command\"; eval \"\${command/FORMAT/raw}\" && '$cowchain' info 'no format.qcow2' &&
		qemu-img info 'no format.qcow2' | grep 'backing file: base.raw' &&
		qemu-img info 'no format.qcow2' | grep 'backing file format: raw'"
cp noformat.qcow2 "$evil"
check 'a hostile name in the command to paste' clean "$cowchain" info "$evil"
shell 'which does what it should' \
	"command=\$(sed -n 's/.*into the header: //p' said)
	eval \"\${command/FORMAT/raw}\" && '$cowchain' info \"\$1\" && [ ! -e ran ]" "$evil"
rm "$evil"
shell 'no rebase is recommended for a data file' \
	"cp e.qcow2 'nbd.qcow2'; qemu-img create -q -f qcow2 -o data_file=d.raw nbd.qcow2 1M
	sed -i 's/d[.]raw/nbd:d/' nbd.qcow2; '$cowchain' info nbd.qcow2 >said 2>&1
	cat said; grep 'data=FILE' said && ! grep rebase said"
mkdir far
qemu-img create -q -f qcow2 -o data_file="$dir/base.raw" far/data.qcow2 1M
expect 0 '' create g.qcow2 --backing far/data.qcow2 --format qcow2
# What is far away may lead to what is near.
cp g.qcow2 g.was
expect 1 'g.qcow2 may be one of them: if it is none, remove it first' \
	create g.qcow2 --backing json.qcow2 --format qcow2 --force
expect 1 'g.qcow2 may be one of them' \
	create g2.qcow2 --data-file g.qcow2 --backing json.qcow2 --format qcow2 --force
check 'it is whole' cmp g.qcow2 g.was
shell 'what does not exist is none of them, and nothing is said against that' \
	"rm g.qcow2; '$cowchain' create g.qcow2 --backing json.qcow2 --format qcow2 --force 2>said; cat said; [ ! -s said ]"
if mknod device b 255 0 2>/dev/null; then
	expect 1 'device may be one of them: if it is none, give --force' create device --backing json.qcow2 -F qcow2
	expect 1 'device may be one of them' create g2.qcow2 --data-file device --backing json.qcow2 -F qcow2
	expect 1 'device is overwritten even if it is one' create device --backing json.qcow2 -F qcow2 --force
	rm device
fi

finish
