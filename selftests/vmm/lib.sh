# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of the launcher share beyond the library of all tests: making the initramfs of a guest,
# running the guest, reading its console. "run" starts the tests inside scripts/vm/run --nested-kvm, with
# this environment:
#	COWCHAIN_VM	the launcher
#	GUEST_KERNEL	a bzImage
#	GUEST_INITRD	what make-initrd made for it

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lib.sh"

: "${COWCHAIN_VM:?}" "${GUEST_KERNEL:?}" "${GUEST_INITRD:?}"
: "${GUEST_TIMEOUT:=120}"	# seconds; an emulated guest's guest needs about ten to boot

GUEST_END=(0:poweroff 3:reboot 4:panic 5:crash 6:stopped 124:timeout)
PID=				# of a launcher in the background

# Replaces that of the library, which needs the cowchain target: most of these tests do not.
prepare() {
	[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit "$REQUIRE_ALL"; }
	[ -c /dev/kvm ] || { echo "1..0 # SKIP no /dev/kvm"; exit "$REQUIRE_ALL"; }
	echo on >/proc/sys/kernel/printk_devkmsg 2>/dev/null || true
	WORK=$(mktemp -d "$COWCHAIN_TMP/cowchain-vm-$TEST.XXXXXX")
	trap test_cleanup EXIT
	EXPORT=$WORK/export
	mkdir "$EXPORT"
	mkfifo "$WORK/result"
	# shellcheck disable=SC2034	# for run_case
	exec {RESULT}<>"$WORK/result"
	exec 9</dev/kmsg
	klogread -s
}

# guest_part: makes the initramfs of a guest that runs the commands on stdin
guest_part() {
	mkdir -p "$T/part"
	cat >"$T/part/guest"
	cp "$GUEST_INITRD" "$T/initrd"
	(cd "$T/part" && echo guest | cpio --quiet -o -H newc -R 0:0) >>"$T/initrd"
}

# launcher OPTION... : becomes the launcher, with the options that all runs share
launcher() {
	exec "$COWCHAIN_VM" --kernel "$GUEST_KERNEL" --initrd "$T/initrd" --memory 192 \
		--timeout "$GUEST_TIMEOUT" "$@"
}

# launch END OPTION... : runs a guest, and expects this end
launch() {
	local end=$1 rc=0

	shift
	(launcher --append "quiet ${APPEND:-}" "$@") </dev/null >"$T/console" 2>&1 || rc=$?
	check_end "$end" "$rc"
}

# launch_bg OPTION... : the same in the background, stdin from the pipe $T/in
launch_bg() {
	mkfifo "$T/in"
	exec {INPUT}<>"$T/in"
	(launcher --append "quiet ${APPEND:-}" "$@") <"$T/in" >"$T/console" 2>&1 &
	PID=$!
}

# finish END: waits for the guest in the background, and expects this end
finish() {
	local rc=0

	wait "$PID" || rc=$?
	check_end "$1" "$rc"
}

check_end() {
	local e name=$2

	for e in "${GUEST_END[@]}"; do
		[ "${e%%:*}" != "$2" ] || name=${e#*:}
	done
	[ "$name" = "$1" ] || {
		tail -n 40 "$T/console" | tr -d '\r'
		fail "the guest's end: $name, expected $1"
	}
}

# said REGEX: expects that the guest has printed a line "guest: REGEX"
said() {
	tr -d '\r' <"$T/console" | grep -q -a -E -- "guest: $1" || {
		tail -n 40 "$T/console" | tr -d '\r'
		fail "the guest has not printed /$1/"
	}
}

# wait_line REGEX [SECONDS]: waits until the guest or the launcher has printed that
wait_line() {
	local i

	for ((i = 0; i < ${2:-60} * 5; i++)); do
		if grep -q -a -E -- "$1" "$T/console"; then
			return
		fi
		kill -0 "$PID" 2>/dev/null || break
		sleep 0.2
	done
	grep -q -a -E -- "$1" "$T/console" || {
		tail -n 40 "$T/console" | tr -d '\r'
		fail "/$1/ was not printed"
	}
}

# wait_said REGEX [SECONDS]
wait_said() {
	wait_line "guest: $1" "${2:-60}"
}

# tell TEXT... : types a line on the console of the guest
tell() {
	echo "$*" >&"$INPUT"
}
