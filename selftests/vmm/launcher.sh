#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The launcher with plain files and simple devices as its disks, without the cowchain target.

# shellcheck source=selftests/vmm/lib.sh
. "$(dirname "$0")/lib.sh"

it "boots, finds its disk and its limits, writes and reads" boots_and_writes
boots_and_writes() {
	truncate -s 64M "$T/disk"
	guest_part <<-'EOF'
		q=/sys/block/vda/queue
		echo "guest: limits $(cat $q/logical_block_size) $(cat $q/write_cache)"
		echo "guest: serial $(cat /sys/block/vda/serial)"
		echo "guest: size $(cat /sys/block/vda/size)"
		echo "guest: nested $(grep -c -w -E 'vmx|svm' /proc/cpuinfo)"
		echo "guest: counters $(grep -c -w -E 'perfctr_core|arch_perfmon' /proc/cpuinfo)"
		dd if=/dev/urandom of=/data bs=1M count=8 2>/dev/null
		dd if=/data of=/dev/vda bs=1M seek=3 conv=fsync 2>/dev/null
		echo 3 >/proc/sys/vm/drop_caches
		dd if=/dev/vda bs=4k skip=768 count=2048 2>/dev/null | cmp - /data && echo "guest: same"
		echo "guest: sum $(sha256sum </data)"
	EOF
	launch poweroff --disk "$T/disk,serial=first"
	said 'limits 512 write back'
	said 'serial first'
	said 'size 131072'
	said 'nested 0'
	said 'counters 0'
	said same
	said "sum $(dd if="$T/disk" bs=1M skip=3 count=8 2>/dev/null | sha256sum)"
}

it "eight disks, one of them read-only, and two processors" many_disks
many_disks() {
	local i args=()

	for i in 0 1 2 3 4 5 6 7; do
		echo "disk $i" >"$T/disk$i"
		truncate -s 1M "$T/disk$i"
		args+=(--disk "$T/disk$i$([ "$i" != 5 ] || echo ,readonly)")
	done
	guest_part <<-'EOF'
		echo "guest: cpus $(nproc)"
		for d in a b c d e f g h; do
			echo "guest: vd$d $(head -n 1 /dev/vd$d) ro $(cat /sys/block/vd$d/ro)" \
				"queues $(ls /sys/block/vd$d/mq | wc -l)"
			echo "written $d" | dd of=/dev/vd$d conv=notrunc,fsync 2>/dev/null
		done
	EOF
	launch poweroff --cpus 2 "${args[@]}"
	said 'cpus 2'
	said 'vda disk 0 ro 0 queues 2'
	said 'vdf disk 5 ro 1 queues 2'
	said 'vdh disk 7 ro 0 queues 2'
	eq "$(head -c 9 "$T/disk7")" "written h" "the last disk"
	eq "$(head -c 6 "$T/disk5")" "disk 5" "the read-only disk"
}

it "reports how the guest ended: reboot" ends_reboot
ends_reboot() {
	guest_part <<<'reboot -f'
	launch reboot --no-reboot
}

it "a reboot boots the guest again, on the same disk and console" boots_again
boots_again() {
	echo 1 >"$T/disk"
	truncate -s 1M "$T/disk"
	guest_part <<-'EOF'
		n=$(head -n 1 /dev/vda)
		echo "guest: boot $n"
		echo $((n + 1)) | dd of=/dev/vda conv=notrunc,fsync 2>/dev/null
		[ "$n" = 3 ] || reboot -f
	EOF
	launch poweroff --disk "$T/disk" --cpus 2
	said 'boot 1'
	said 'boot 2'
	said 'boot 3'
	eq "$(grep -c 'the guest rebooted' "$T/console")" 2 "reboots"
	eq "$(head -n 1 "$T/disk")" 4 "the disk"
}

it "reports how the guest ended: panic, by the panic device" ends_panic
ends_panic() {
	# without a reset after the panic, only the device can report it
	guest_part <<<'echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger'
	launch panic
}

it "reports how the guest ended: panic before any driver is loaded" ends_early_panic
ends_early_panic() {
	guest_part <<<'true'
	APPEND=rdinit=/nonexistent launch panic
}

it "reports how the guest ended: triple fault" ends_crash
ends_crash() {
	guest_part <<<'reboot -f'
	APPEND=reboot=t launch crash
}

it "a timeout ends the guest" ends_timeout
ends_timeout() {
	guest_part <<<'sleep 1000'
	GUEST_TIMEOUT=3 launch timeout
}

# Neither the launcher nor the process of its guest has capabilities, and the two are a user that no other
# launcher is. In the guest's process, each thread has a filter.
check_sandbox() {
	local status n=0 guest uid=$((1879048192 + $1))

	guest=$(pgrep -P "$1") || fail "no process of the guest"
	for status in "/proc/$1/status" /proc/"$guest"/task/*/status; do
		n=$((n + 1))
		[ "$n" = 1 ] || grep -q '^Seccomp:[[:space:]]2' "$status" || fail "no filter: $(<"$status")"
		grep -q '^CapEff:[[:space:]]0*$' "$status" || fail "capabilities: $(<"$status")"
		grep -q "^Uid:[[:space:]]${uid}[[:space:]]$uid" "$status" || fail "uid: $(<"$status")"
		grep -q '^CapBnd:[[:space:]]0*$' "$status" || fail "capabilities: $(<"$status")"
		grep -q '^NoNewPrivs:[[:space:]]1' "$status" || fail "new privileges"
	done
	# the launcher; main, a processor, two of the disk; not all kernels list the workers of io_uring
	[ $n -ge 5 ] || fail "only $n threads"
}

it "console input, sandbox, SIGTERM" console_and_signals
console_and_signals() {
	truncate -s 1M "$T/disk"
	guest_part <<-'EOF'
		echo "guest: ready"
		read -r line
		echo "guest: got <$line>"
		dd if=/dev/vda of=/dev/null bs=4k iflag=direct 2>/dev/null && echo "guest: read"
		rmmod button
		echo "guest: no button"
		read -r line
	EOF
	launch_bg --disk "$T/disk"
	wait_said ready
	tell "a line of text that is longer than the serial port's buffer of sixty-four characters"
	wait_said 'got <a line of text that is longer .* sixty-four characters>'
	wait_said read
	check_sandbox "$PID"
	wait_said 'no button'
	kill -TERM "$PID"
	finish stopped
	grep -q 'does not listen to the power button' "$T/console" || fail "not ended at once"
}

it "SIGTERM presses the power button, on which the guest can power off" power_button
power_button() {
	guest_part <<-'EOF'
		exec 3</dev/input/event0	# the device keeps what happens from here on
		echo "guest: ready"
		head -c 24 <&3 >/dev/null && echo "guest: button"
	EOF
	launch_bg
	wait_said ready
	kill -TERM "$PID"
	finish poweroff
	said button
}

it "a guest that ignores the power button is ended after the grace, or by the second signal" ignores_button
ignores_button() {
	guest_part <<-'EOF'
		exec 3</dev/input/event0
		echo "guest: ready"
		while :; do head -c 24 <&3 >/dev/null && echo "guest: button"; done
	EOF
	launch_bg --grace 1
	wait_said ready
	kill -TERM "$PID"
	finish stopped
	grep -q 'has not powered off in 1 seconds' "$T/console" || fail "not after the grace"
	rm "$T/in"
	launch_bg
	wait_said ready
	kill -TERM "$PID"
	wait_said button
	kill -TERM "$PID"
	finish stopped
}

# Runs $T/inside in a terminal, with $KEYS as its keyboard, until the guest is ready.
start_inside() {
	mkfifo "$T/keys"
	exec {KEYS}<>"$T/keys"
	script -qfec "bash $T/inside" "$T/console" <"$T/keys" >/dev/null &
	PID=$!
	wait_said ready
}

it "the terminal is raw while the guest runs, and restored" terminal
terminal() {
	need script python3
	guest_part <<-'EOF'
		echo "guest: ready"
		sleep 1000
	EOF
	cat >"$T/inside" <<-EOF
		stty -a >"$T/before"
		(exec "$COWCHAIN_VM" --kernel "$GUEST_KERNEL" --initrd "$T/initrd" --memory 192 \
			--append quiet)
		echo \$? >"$T/rc"
		stty -a >"$T/after"
	EOF
	start_inside
	# Ctrl-C goes to the guest, Ctrl-A x to the launcher
	printf '\003' >&"$KEYS"
	sleep 1
	kill -0 "$PID" || fail "Ctrl-C ended the launcher"
	printf '\001x' >&"$KEYS"
	wait "$PID" || true
	eq "$(<"$T/rc")" 6 "status after the escape"
	diff "$T/before" "$T/after" || fail "the terminal is not as it was"
}

it "in the background the guest continues to run, and has its input back in the foreground" background
background() {
	need script
	guest_part <<-'EOF'
		echo "guest: ready"
		read -r line
		echo "guest: got <$line>"
	EOF
	cat >"$T/inside" <<-EOF
		set -m
		"$COWCHAIN_VM" --kernel "$GUEST_KERNEL" --initrd "$T/initrd" --memory 192 \
			--append quiet &
		echo \$! >"$T/pid"
		until [ -e "$T/go" ]; do sleep 0.2; done
		fg
		echo \$? >"$T/rc"
	EOF
	start_inside
	echo "a line" >&"$KEYS"
	sleep 2
	grep '^State:[[:space:]]*[TZ]' "/proc/$(<"$T/pid")/status" && fail "a key stopped it"
	touch "$T/go"
	wait_said 'got <a line>'
	wait "$PID" || true
	eq "$(<"$T/rc")" 0 "status"
}

it "trim in the guest makes the file smaller" trims
trims() {
	local before after

	truncate -s 64M "$T/disk"
	mke2fs -q -F -t ext4 "$T/disk"
	guest_part <<-'EOF'
		mount -t ext4 /dev/vda /mnt
		dd if=/dev/urandom of=/mnt/big bs=1M count=30 2>/dev/null
		sync
		echo "guest: written"
		read -r line
		rm /mnt/big
		sync
		fstrim -v /mnt
		umount /mnt
		echo "guest: trimmed"
	EOF
	launch_bg --disk "$T/disk"
	wait_said written
	before=$(stat -c %b "$T/disk")
	tell go on
	finish poweroff
	said trimmed
	after=$(stat -c %b "$T/disk")
	[ $((before - after)) -gt $((29 * 2048)) ] || fail "blocks: $before, then $after"
	e2fsck -fn "$T/disk" || fail "the file system is not clean"
}

it "errors of the disk reach the guest, and the launcher continues" disk_errors
disk_errors() {
	need_target flakey
	truncate -s 16M "$T/disk"
	attach disk
	# fails permanently, then works again after a reload of the table
	dmsetup create cct-flaky --table "0 32768 linear ${LOOP[disk]} 0"
	guest_part <<-'EOF'
		dd if=/dev/vda of=/dev/null bs=64k count=1 iflag=direct 2>/dev/null && echo "guest: good"
		read -r line
		dd if=/dev/vda of=/dev/null bs=64k count=1 iflag=direct || echo "guest: read error"
		dd if=/dev/zero of=/dev/vda bs=64k count=1 oflag=direct || echo "guest: write error"
		echo "guest: tried"
		read -r line
		dd if=/dev/vda of=/dev/null bs=64k count=1 iflag=direct 2>/dev/null && echo "guest: good again"
	EOF
	launch_bg --disk /dev/mapper/cct-flaky
	wait_said good
	reload_flaky "0 32768 flakey ${LOOP[disk]} 0 0 1000"
	tell go on
	wait_said tried
	said 'read error'
	said 'write error'
	reload_flaky "0 32768 linear ${LOOP[disk]} 0"
	tell go on
	finish poweroff
	said 'good again'
	dmsetup remove cct-flaky
	detach disk
}

it "a full disk pauses the guest until there is room" full_disk
full_disk() {
	mkdir "$T/small"
	mount -t tmpfs -o size=4m small "$T/small"
	truncate -s 32M "$T/small/disk"
	guest_part <<-'EOF'
		dd if=/dev/urandom of=/data bs=1M count=8 2>/dev/null
		dd if=/data of=/dev/vda bs=1M oflag=direct && echo "guest: written"
		dd if=/dev/vda bs=1M count=8 iflag=direct 2>/dev/null | cmp - /data && echo "guest: same"
	EOF
	launch_bg --disk "$T/small/disk" --cpus 2
	wait_line 'No space left on device: the guest is paused'
	mount -o remount,size=32m "$T/small"
	kill -CONT "$PID"
	finish poweroff
	umount "$T/small"
	said written
	said same
}

it "werror=report: a full disk is an error in the guest" full_disk_reported
full_disk_reported() {
	mkdir "$T/small"
	mount -t tmpfs -o size=4m small "$T/small"
	truncate -s 32M "$T/small/disk"
	guest_part <<-'EOF'
		dd if=/dev/zero of=/dev/vda bs=1M count=8 oflag=direct || echo "guest: write error"
	EOF
	launch poweroff --disk "$T/small/disk,werror=report"
	umount "$T/small"
	said 'write error'
}

it "a disk that has become larger is larger in the guest" grows
grows() {
	truncate -s 16M "$T/disk"
	guest_part <<-'EOF'
		echo "guest: size $(cat /sys/block/vda/size)"
		until [ "$(cat /sys/block/vda/size)" = 65536 ]; do sleep 0.2; done
		dd if=/dev/vda of=/dev/null bs=512 skip=65535 count=1 2>/dev/null && echo "guest: read"
	EOF
	launch_bg --disk "$T/disk"
	wait_said 'size 32768'
	truncate -s 32M "$T/disk"
	kill -USR1 "$PID"
	finish poweroff
	said read
}

reload_flaky() {
	dmsetup suspend cct-flaky
	dmsetup load cct-flaky --table "$1"
	dmsetup resume cct-flaky
}

it "a disk that is in use is refused" refuses_busy
refuses_busy() {
	local out rc=0

	truncate -s 16M "$T/disk"
	mke2fs -q -F -t ext4 "$T/disk"
	attach disk
	modprobe ext4
	mkdir "$T/mnt"
	mount "${LOOP[disk]}" "$T/mnt"
	guest_part <<<'true'
	out=$(launcher --disk "${LOOP[disk]}" 2>&1) || rc=$?
	umount "$T/mnt"
	eq "$rc" 1 "status"
	matches "$out" 'busy' "message"
	detach disk
}

run_cases
