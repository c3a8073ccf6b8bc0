#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The generator writes what systemd understands, and no line of the table stops it. TAP; BUILT is the directory with
# the generator and the units, TOOL the program cowchain.
set -u
: "${BUILT:?where the generator is}" "${TOOL:?the program cowchain}"
here=$(cd "$(dirname "$0")" && pwd) || exit 1
dir=$(mktemp -d /tmp/cowchain-generator-XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
sbin=$(sed -n 's/^ExecReload=\(.*\)\/cowchain .*/\1/p' "$BUILT/cowchain@.service")
unset SYSTEMD_SCOPE
export SYSTEMD_IN_INITRD=0

n=0
failed=0
# same WHAT WANTED GOT
same() {
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		failed=1
		echo "not ok $n - $1"
		diff <(echo "$2") <(echo "$3") | sed 's/^/# /'
	fi
}
skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP no $2"
}

# generate LINE...: of a table with these lines, into out/; "status" and "said" are what became of it
generate() {
	rm -rf out said
	mkdir out
	[ $# -eq 0 ] || printf '%s\n' "$@" >tab
	status=0
	COWCHAINTAB=$PWD/tab timeout 20 "$BUILT/cowchain-generator" "$PWD/out" "$PWD/none" "$PWD/none" 2>said || status=$?
}
# what was made: files with their sizes in lines, and links
made() { (cd out && find . ! -type d -printf '%P\n' | LC_ALL=C sort); }
body() { grep -v '^#' "out/$1/50-cowchaintab.conf"; }

generate
same 'without a table there is nothing to do' '0' "$status$(cat said; made)"

generate '# a comment' '' 'home /srv/a.qcow2'
same 'no complaint' 0 "$status$(<said)"
same 'the parts of a chain' 'cowchain.target.requires/cowchain@home.service
cowchain@home.service.d/50-cowchaintab.conf
dev-mapper-home.device.d/50-cowchaintab.conf
sysinit.target.wants/cowchain.target' "$(made)"
same 'the service' "[Unit]
SourcePath=$PWD/tab
Wants=blockdev@dev-mapper-home.target
Before=blockdev@dev-mapper-home.target
PropagatesStopTo=blockdev@dev-mapper-home.target
Before=cowchain.target
Conflicts=umount.target
Before=umount.target
RequiresMountsFor= \"/srv/a.qcow2\"
[Service]
ExecStart=$sbin/cowchain attach -- \"home\" \"/srv/a.qcow2\"" "$(body cowchain@home.service.d)"
same 'the device' '[Unit]
Requires=cowchain@home.service
JobRunningTimeoutSec=10min' "$(body dev-mapper-home.device.d)"
same 'it is known where it comes from' "# Made by cowchain-generator of $PWD/tab, line 3." \
	"$(head -n 1 out/cowchain@home.service.d/*)"

# shellcheck disable=SC2016	# it stays as it is
generate 'a-b /dev/vg/top nofail,readonly,allow-dir=/x%y\040"$z\134,x-systemd.requires-mounts-for=/x%y\040"$z\134'
same 'names of units are escaped, and it may fail' 'cowchain.target.wants/cowchain@a\x2db.service
cowchain@a\x2db.service.d/50-cowchaintab.conf
dev-mapper-a\x2db.device.d/50-cowchaintab.conf
sysinit.target.wants/cowchain.target' "$(made)"
same 'words are quoted, and a device is waited for' "[Unit]
SourcePath=$PWD/tab
Wants=blockdev@dev-mapper-a\\x2db.target
Before=blockdev@dev-mapper-a\\x2db.target
PropagatesStopTo=blockdev@dev-mapper-a\\x2db.target
Conflicts=umount.target
Before=umount.target
Wants=dev-vg-top.device
After=dev-vg-top.device
RequiresMountsFor= \"/x%%y \\\"\$z\\\\\"
[Service]
ExecStart=$sbin/cowchain attach \"--read-only\" \"--allow-dir\" \"/x%%y \\\"\$\$z\\\\\" -- \"a-b\" \"/dev/vg/top\"" \
	"$(body 'cowchain@a\x2db.service.d')"

generate 'a /a host,owner=vm:disk,mode=0660,partitions'
same 'whose the node and what is in it are' \
	"$sbin/cowchain attach \"--host\" \"--owner\" \"vm:disk\" \"--mode\" \"0660\" \"--partitions\" -- \"a\" \"/a\"" \
	"$(sed -n 's/^ExecStart=//p' out/cowchain@*/*)"

generate 'a /a noauto' 'b /b _netdev' 'c /c x-initrd.attach'
same 'one that is not started, one of the network' 'cowchain.target.requires/cowchain@c.service
cowchain@a.service.d/50-cowchaintab.conf
cowchain@b.service.d/50-cowchaintab.conf
cowchain@c.service.d/50-cowchaintab.conf
dev-mapper-a.device.d/50-cowchaintab.conf
dev-mapper-b.device.d/50-cowchaintab.conf
dev-mapper-c.device.d/50-cowchaintab.conf
multi-user.target.wants/remote-cowchain.target
remote-cowchain.target.requires/cowchain@b.service
sysinit.target.wants/cowchain.target' "$(made)"
same 'it waits for the network' 'Wants=network-online.target
After=network-online.target remote-fs-pre.target' "$(body cowchain@b.service.d | grep network)"
same 'what the initrd has attached stays until the end' '' "$(body cowchain@c.service.d | grep umount.target)"
SYSTEMD_IN_INITRD=1 generate 'a /a' 'b /b _netdev' 'c /c x-initrd.attach'
same 'in the initrd it is the only one' 'cowchain.target.requires/cowchain@c.service
cowchain@c.service.d/50-cowchaintab.conf
dev-mapper-c.device.d/50-cowchaintab.conf
sysinit.target.wants/cowchain.target' "$(made)"

long=$(printf 'x-%.0s' {1..60})
generate 'a /a' 'b' 'a /b' $'c\e[31m /c' "$long /d" 'e /e frob' 'f /f'
same 'wrong lines are reported' "1
cowchain-generator: $PWD/tab:2: a name and the top image are needed
cowchain-generator: $PWD/tab:3: a is in line 1 already
cowchain-generator: $PWD/tab:4: the name 'c\\x1b[31m' must have 1 to 127 letters, digits and #+-.:=@_
cowchain-generator: $PWD/tab:5: the name is too long for a unit of systemd
cowchain-generator: $PWD/tab:6: no such option: 'frob', see cowchaintab(5)" "$status
$(<said)"
same 'and the others work' "$sbin/cowchain attach -- \"a\" \"/a\"
$sbin/cowchain attach -- \"f\" \"/f\"" "$(cd out && sed -n 's/^ExecStart=//p' cowchain@*/*)"

# boot.sh looks for the message in the journal
if [ -w /dev/kmsg ]; then
	SYSTEMD_SCOPE=system generate 'a'
	same 'for systemd the kernel has the message' '1 ' "$status $(<said)"
else
	skip 'for systemd the kernel has the message' 'writable /dev/kmsg'
fi

rm tab && mkfifo tab && generate
same 'a FIFO is no table' "1 cowchain-generator: $PWD/tab: this is not a regular file" "$status $(<said)"
rm tab && mkdir tab && generate
same 'nor is a directory' "1 cowchain-generator: $PWD/tab: this is not a regular file" "$status $(<said)"
rmdir tab
printf 'a /a' >tab
generate
same 'the last line may have no newline' '0 ' "$status $(<said)"
same 'and counts' "$sbin/cowchain attach -- \"a\" \"/a\"" "$(sed -n 's/^ExecStart=//p' out/cowchain@*/*)"
rm -rf none && COWCHAINTAB=$PWD/tab "$BUILT/cowchain-generator" "$PWD/none" "$PWD/none" "$PWD/none" 2>said
same 'a directory that is not there is an error' 1 $?
same 'the units directory is named' "cowchain-generator: $PWD/none/cowchain@a.service.d: cannot make the directory: No such file or directory" "$(<said)"
"$BUILT/cowchain-generator" 2>said
same 'without directories there is a usage' '1 usage: cowchain-generator DIRECTORY EARLY-DIRECTORY LATE-DIRECTORY' "$? $(<said)"

if command -v systemd-escape >/dev/null; then
	for name in a a-b .a 'a=b@c' '+#'; do
		generate "$name /a"
		same "systemd escapes $name in the same way" "$(systemd-escape --path --suffix=device "/dev/mapper/$name")
$(systemd-escape --template=cowchain@.service "$name")" "$(basename -s .d out/*.device.d out/*.service.d)"
	done
else
	skip "systemd escapes names in the same way" systemd-escape
fi

# systemd reads what was made, for which the programs that it names have to exist.
if command -v systemd-analyze >/dev/null; then
	mkdir -p units bin
	printf '#!/bin/sh\n' | tee bin/cowchain >bin/cowchain-vm
	chmod +x bin/*
	# shellcheck disable=SC2016	# it stays as it is
	generate 'home /srv/a\040b%c.qcow2 nofail,allow-dir=/x%y\040"$z,x-systemd.requires-mounts-for=/srv/%c'
	for unit in "$BUILT"/*.service "$BUILT"/*.target; do
		sed "s|$sbin/|$PWD/bin/|; s|=/[^ ]*/cowchain-vm|=$PWD/bin/cowchain-vm|" "$unit" >"units/$(basename "$unit")"
	done
	sed -i "s|$sbin/|$PWD/bin/|" out/*.service.d/*
	cp -r out/* units
	unset SYSTEMD_IN_INITRD
	# units of the system itself are another's business
	same 'systemd has no complaints' '' "$(SYSTEMD_UNIT_PATH=$PWD/units: systemd-analyze verify --man=no \
		units/cowchain@home.service units/cowchain-vm@x.service units/cowchain.target units/remote-cowchain.target 2>&1 |
		grep -i -e cowchain -e "$PWD")"
else
	skip 'systemd has no complaints' systemd-analyze
fi

# option WORD --OPTION true|false: is it one of the tool, with a value or not?
option() {
	local kind

	kind=$("$TOOL" --completion | sed -n "s/^option attach $2 //p")
	case $3:$kind in
	true:?* | false:flag) [ "$kind" != flag ] || [ "$3" = false ] ;;
	*) false ;;
	esac || echo "$1"
}
if [ -x "$TOOL" ]; then
	sed -n 's/^\t{ "\([a-z-]*\)", "\(--[a-z-]*\)", \(true\|false\) },$/\1 \2 \3/p' "$here/../tab.c" >words
	same 'the table has options' yes "$([ "$(wc -l <words)" -lt 8 ] || echo yes)"
	same 'which the tool has' '' "$(while read -r word name value; do option "$word" "$name" "$value"; done <words)"
else
	skip 'the tool has the options' "$TOOL"
fi

echo "1..$n"
exit "$failed"
