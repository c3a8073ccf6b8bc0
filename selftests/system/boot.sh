#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Chains of /etc/cowchaintab over four boots of one machine (scripts/vm/run --boots):
#	1	makes them, uses them without a boot, starts a stream, and is reset in the middle of it
#	2	finds them attached or not, as the table says; shuts down in order, without the help of LVM
#	3	the same with LVM's, which removes all devices itself
#	4	what the last shutdown has left
# A case that fails does not keep the later boots from running; the last one has the status of all.

# shellcheck source=selftests/system/lib.sh
. "$(dirname "$0")/lib.sh"

: "${DM_COWCHAIN_BOOT:?}" "${DM_COWCHAIN_NEXT:?}"
dir=/srv/cct
notes=/var/lib/cct-boot

state() { systemctl show --property="$2" --value "$1"; }
is_active() { [ "$(state "$1" ActiveState)" = active ]; }
has_failed() { [ "$(state "$1" ActiveState)" = failed ]; }
active() { eq "$(state "$1" ActiveState)" active "state of $1"; }
loops() { losetup --list --noheadings --output BACK-FILE | grep -c -F "$dir/" || true; }

# ---- boot 1 ----

# chain NAME: $dir/NAME.qcow2 over a raw base with a file system
chain() {
	truncate -s 64M "$dir/$1.raw"
	mkfs.ext4 -q "$dir/$1.raw"
	(cd "$dir" && cowchain create "$1.qcow2" --backing "$1.raw" --format raw)
}

# parted_chain NAME: the same with a partition, which has the file system
parted_chain() {
	truncate -s 64M "$dir/$1.raw"
	printf '%s\n' 'label: dos' 'start=2048, size=100000' | sfdisk -q "$dir/$1.raw"
	mkfs.ext4 -q -E offset=1048576 "$dir/$1.raw" 50000k
	(cd "$dir" && cowchain create "$1.qcow2" --backing "$1.raw" --format raw)
}

# A unit that is stopped after the chains, and notes what there is then.
last_unit() {
	cat >/etc/systemd/system/cct-last.service <<-END
		[Unit]
		DefaultDependencies=no
		Before=cowchain@home.service cowchain@big.service cowchain@remote.service cowchain@later.service
		Before=cowchain@data.service cowchain@disk1.service shutdown.target
		Conflicts=shutdown.target
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/true
		ExecStop=/bin/sh -c 'dmsetup ls | grep -v "^No devices" >$notes/left; losetup --list --noheadings >>$notes/left; touch $notes/stopped'
		[Install]
		WantedBy=sysinit.target
	END
	systemctl enable cct-last.service
}

it "chains are made, and units of a new table work without a boot" make_chains
make_chains() {
	mkdir -p "$dir" "$notes" /var/log/journal /mnt/gone /mnt/later /mnt/data /mnt/disk1
	systemctl restart systemd-journald
	systemctl mask blk-availability.service
	chain home
	chain later
	chain remote
	parted_chain data
	parted_chain disk1
	head -c 64M /dev/urandom >"$dir/big.raw"
	(cd "$dir" && cowchain create big.qcow2 --backing big.raw --format raw)
	sha256sum <"$dir/big.raw" >"$notes/big.sum"
	printf '%s\n' '# a comment' "home $dir/home.qcow2" "big $dir/big.qcow2 defaults" \
		"gone $dir/gone.qcow2 nofail" "later $dir/later.qcow2 noauto,readonly" \
		"wrong $dir/later.qcow2 raedonly" "remote $dir/remote.qcow2 _netdev" \
		"data $dir/data.qcow2 host,owner=nobody,mode=0640,partitions" \
		"disk1 $dir/disk1.qcow2 nofail,partitions" >/etc/cowchaintab
	printf '%s\n' '/dev/mapper/home /home ext4 defaults 0 2' \
		'/dev/mapper/later /mnt/later ext4 ro,noload,noauto 0 0' \
		'/dev/mapper/gone /mnt/gone ext4 nofail 0 0' \
		'/dev/mapper/data1 /mnt/data ext4 defaults,x-systemd.requires=cowchain@data.service,nofail 0 2' \
		'/dev/mapper/disk1p1 /mnt/disk1 ext4 defaults,x-systemd.requires=cowchain@disk1.service,nofail 0 2' >>/etc/fstab
	last_unit
	systemctl daemon-reload
	systemctl start cct-last.service home.mount
	mountpoint /home
	eq "$(findmnt -n -o SOURCE /home)" /dev/mapper/home "source of /home"
	active cowchain@home.service
	head -c 4M /dev/urandom >/home/file
	sha256sum </home/file >"$notes/home.sum"
	sync
}

it "a stream is in the middle" stream_begun
stream_begun() {
	local i

	systemctl start cowchain@big.service
	cowchain stream big --base none --speed 1M
	for ((i = 0; i < 200; i++)); do
		[[ $(cowchain status big) =~ ([0-9.]+)% ]] && awk "BEGIN { exit !(${BASH_REMATCH[1]} >= 10) }" && break
		sleep 0.5
	done
	cowchain status big | tee "$notes/before-reset"
	[[ $(cowchain job big info) == *running* ]] || fail "the stream is over: $(cowchain job big info)"
	sync
}

# ---- boot 2 ----

it "a chain carries /home" home
home() {
	eq "$(findmnt -n -o SOURCE /home)" /dev/mapper/home "source of /home"
	active home.mount
	active cowchain@home.service
	active cowchain.target
	eq "$(sha256sum </home/file)" "$(<"$notes/home.sum")" "the file"
	echo more >>/home/more
	eq "$(state home.mount Result)" success "result of home.mount"
}

# The stream of the last boot was continued. On a slow machine it is over before this looks.
stream_ends() {
	active cowchain@big.service
	journalctl -b -u cowchain@big.service -o cat | tee said
	matches "$(<said)" 'an interrupted stream continues' "what attach said"
	! cowchain job big speed 0 || cowchain wait big || true
	eq "$(cowchain info big | grep -c qcow2)" 1 "layers of $(cowchain info big)"
	eq "$(sha256sum </dev/mapper/big)" "$(<"$notes/big.sum")" "the disk"
}

it "a stream that a reset has interrupted continues" stream_continues
stream_continues() { stream_ends; }

it "a missing image that may fail keeps nothing from starting" missing
missing() {
	wait_for 120 has_failed cowchain@gone.service
	eq "$(state cowchain@gone.service Result)" exit-code "result of cowchain@gone.service"
	journalctl -b -u cowchain@gone.service -o cat | tee said
	matches "$(<said)" "$dir/gone.qcow2.*No such file" "what attach said"
	active local-fs.target
	active sysinit.target
	active cowchain.target
	! mountpoint -q /mnt/gone || fail "something is mounted"
}

it "a wrong line is reported, by file and line" wrong_line
wrong_line() {
	local rc=0

	journalctl -b -t cowchain-generator -o cat | tee said
	matches "$(<said)" "/etc/cowchaintab:6: no such option: 'raedonly'" "what the generator said"
	[ ! -e /dev/mapper/wrong ] || fail "it is attached"
	systemctl start cowchain@wrong.service 2>said || rc=$?
	[ $rc -ne 0 ] || fail "it can be started"
	matches "$(<said)" 'ssertion' "what systemctl said"
}

it "a chain of the network is attached behind that" remote
remote() {
	# nothing waits for it at boot
	wait_for 120 is_active remote-cowchain.target
	active cowchain@remote.service
	[[ $(state cowchain@remote.service After) == *network-online.target* ]] || fail "it does not wait"
	[[ $(state cowchain.target After) != *cowchain@remote* ]] || fail "cowchain.target waits for the network"
}

# parted_mount NAME PARTITION: that is mounted on /mnt/NAME
parted_mount() {
	wait_for 120 is_active "mnt-$1.mount" ||
		fail "$(systemctl status --no-pager -l "mnt-$1.mount" "cowchain@$1.service" "dev-mapper-$2.device"; udevadm info "/dev/mapper/$2")"
	eq "$(findmnt -n -o SOURCE "/mnt/$1")" "/dev/mapper/$2" "source of /mnt/$1"
	active "cowchain@$1.service"
}

it "partitions of chains are mounted at boot, of the host's and of others" parted
parted() {
	local uuid

	parted_mount data data1
	parted_mount disk1 disk1p1
	eq "$(stat -L -c '%U %a' /dev/mapper/data)" 'nobody 640' "owner and mode of the node"
	uuid=$(blkid -p -s UUID -o value /dev/mapper/data1)
	eq "$(readlink -f "/dev/disk/by-uuid/$uuid")" "$(readlink -f /dev/mapper/data1)" "link by UUID"
	uuid=$(blkid -p -s UUID -o value /dev/mapper/disk1p1)
	[ ! -e "/dev/disk/by-uuid/$uuid" ] || fail "there is a link by UUID without the option host"
}

it "noauto is attached when a mount needs it, and detached behind that" noauto
noauto() {
	eq "$(state cowchain@later.service ActiveState)" inactive "state of cowchain@later"
	[ ! -e /dev/mapper/later ] || fail "it is attached"
	timeout 100 systemctl start mnt-later.mount
	mountpoint /mnt/later
	eq "$(blockdev --getro /dev/mapper/later)" 1 "read-only"
	timeout 100 systemctl stop cowchain@later.service
	! mountpoint -q /mnt/later || fail "it is still mounted"
	[ ! -e /dev/mapper/later ] || fail "it is still attached"
	eq "$(state cowchain@later.service Result)" success "result"
	# no job waited for something that came later
	[[ $(journalctl -b -o cat) != *"Timed out"* ]] || fail "$(journalctl -b -o cat | grep 'Timed out')"
}

it "a device in use is not detached, and the unit says so" in_use
in_use() {
	systemctl start cowchain@later.service
	exec 7</dev/mapper/later
	systemctl stop cowchain@later.service
	eq "$(state cowchain@later.service Result)" exit-code "result of the stop"
	[ -b /dev/mapper/later ] || fail "the device is gone"
	matches "$(journalctl -b -u cowchain@later.service -o cat)" 'later.*in use' "what detach said"
	exec 7<&-
	cowchain detach later
	systemctl reset-failed cowchain@later.service
	# gone behind the back of its unit
	systemctl start cowchain@later.service
	cowchain detach later
	systemctl stop cowchain@later.service
	eq "$(state cowchain@later.service Result)" success "result without a device"
}

it "a line that is new needs no boot, and one that is gone leaves its unit" new_line
new_line() {
	chain more
	cp /etc/cowchaintab /etc/cowchaintab.old
	echo "cct-more $dir/more.qcow2" >>/etc/cowchaintab
	systemctl daemon-reload
	systemctl start cowchain@cct\\x2dmore.service
	[ -b /dev/mapper/cct-more ] || fail "it is not attached"
	mv /etc/cowchaintab.old /etc/cowchaintab
	systemctl daemon-reload
	active cowchain@cct\\x2dmore.service
	systemctl stop cowchain@cct\\x2dmore.service
	[ ! -e /dev/mapper/cct-more ] || fail "it is still attached"
	! systemctl start cowchain@cct\\x2dmore.service || fail "it can be started"
}

it "a shutdown will have something to do" busy
busy() {
	# or a shutdown would have nothing of it to stop
	wait_for 120 is_active remote-cowchain.target
	rm -f "$notes"/left "$notes"/stopped
	(cd "$dir" && cowchain snapshot big "big$DM_COWCHAIN_BOOT.qcow2")
	sed -i "s|^big .*|big $dir/big$DM_COWCHAIN_BOOT.qcow2|" /etc/cowchaintab
	dd if=/dev/urandom of=/dev/mapper/big bs=1M count=8 conv=fsync status=none
	sha256sum </dev/mapper/big >"$notes/big.sum"
	cowchain stream big --base none --speed 1M
	systemctl start mnt-later.mount
	head -c 4M /dev/urandom >/home/file
	sha256sum </home/file >"$notes/home.sum"
}

# ---- after a shutdown in order ----

it "the chains were detached in order, and nothing was left" in_order
in_order() {
	local unit

	[ -e "$notes/stopped" ] || fail "there was no shutdown in order"
	eq "$(<"$notes/left")" "" "devices that were left"
	# behind the last case, for others have let detach fail
	journalctl -b -1 -o cat | sed '1,/cowchain-test boot busy/d' >said
	grep -q 'Stopped' said || fail "there is no journal of the shutdown"
	! grep -i -E 'fail.*(unmount|umount|/home)|cowchain@(home|big|remote|later|data|disk1).*(fail|exit-code)|target is busy|in use' said ||
		fail "the journal of the last boot"
	for unit in home big remote later data disk1; do
		grep -q -E "Stopped cowchain@$unit.service" said || fail "$unit was not stopped"
	done
	# it was before the chain was
	eq "$(grep -n -m 1 -E 'Unmounted.*home' said | cut -d : -f 1)" \
		"$( { grep -n -E 'Unmounted.*home' said; grep -n -E 'Stopped cowchain@home' said; } | sort -n | head -n 1 |
			cut -d : -f 1)" "order of unmount and detach"
}

it "what was written before is there" contents
contents() {
	eq "$(findmnt -n -o SOURCE /home)" /dev/mapper/home "source of /home"
	eq "$(sha256sum </home/file)" "$(<"$notes/home.sum")" "the file"
	stream_ends
	matches "$(journalctl -b -u systemd-fsck@dev-mapper-home.service -o cat)" 'clean' "fsck"
}

it "nothing is attached when its units are stopped" all_stopped
all_stopped() {
	rm -f "$DM_COWCHAIN_NEXT"
	systemctl stop 'cowchain@*.service'
	! mountpoint -q /home || fail "/home is mounted"
	eq "$(loops)" 0 "loop devices"
	nothing_left
}

# ---- which of them in this boot ----

# only FUNCTION...: these cases in this order, and of those what CASES selects
only() {
	local list=() name i

	for name; do
		for ((i = 0; i < ${#CASE_LIST[@]}; i += 2)); do
			[ "$name" != "${CASE_LIST[i + 1]}" ] || list+=("${CASE_LIST[@]:i:2}")
		done
	done
	CASE_LIST=("${list[@]}")
}

case $DM_COWCHAIN_BOOT in
# the later ones need all of it
1) next=reset CASES=''; only make_chains stream_begun ;;
2) next=poweroff; only home stream_continues missing wrong_line remote parted noauto in_use new_line busy ;;
3) next=reboot; only in_order contents busy ;;
*) next=''; only in_order contents all_stopped ;;
esac
# not as a part of a condition, in which no command of a case would end it
run_cases
rc=$?
if [ "$DM_COWCHAIN_BOOT" = 1 ]; then
	[ $rc -eq 0 ] || exit $rc
	mkdir -p "$notes"
elif [ $rc -ne 0 ]; then
	touch "$notes/failed"
fi
if [ "$DM_COWCHAIN_BOOT" = 3 ]; then
	systemctl unmask blk-availability.service
	systemctl start blk-availability.service
fi
if [ -n "$next" ]; then
	echo "$next" >"$DM_COWCHAIN_NEXT"
elif [ -e "$notes/failed" ]; then
	exit 1
fi
