# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts share. It only defines things: source it.

# Without this, set -e ignores a failure inside $(...).
shopt -s inherit_errexit

# shellcheck disable=SC2034	# used by those who source this
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
me=${0##*/scripts/}
me=${me#scripts/}

# What is fetched or made once per machine. It may be deleted at any time.
cache=${DM_COWCHAIN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/dm-cowchain}

say() { echo "$me: $*"; }
warn() { echo "$me: $*" >&2; }
die() { warn "$@"; exit 1; }

# Prints the Debian suite that a kernel comes from or, for those that scripts/vm/kernel-debug
# builds, the suite of its source.
kernel_suite() {
	case $1 in
	6.1 | debug-*-6.1) echo bookworm ;;
	6.12 | debug-kasan | debug-kcsan | debug-gcov) echo bookworm-backports ;;
	newest) echo testing ;;
	*) die "no such kernel: $1 (6.1, 6.12, newest, debug-kasan, debug-kcsan, debug-gcov)" ;;
	esac
}

kernel_dir() { echo "$cache/kernels/$1"; }

# Prints the address from which this machine takes Debian's main archive.
debian_mirror() {
	local uri

	# shellcheck disable=SC2016	# apt expands these
	uri=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null |
		awk '$1 == "Debian" && $2 !~ /-/ { print $3; exit }' || true)
	echo "${uri:-http://deb.debian.org/debian/}"
}

# debian_tree SUITE DIRECTORY PACKAGE...: makes a tree of Debian with these packages. It takes root.
debian_tree() {
	local suite=$1 tree=$2 packages

	shift 2
	printf -v packages '%s,' "$@"
	say "making a tree of Debian $suite with $* in $tree"
	debootstrap --variant=minbase --include="${packages%,}" "$suite" "$tree" \
		"$(debian_mirror)" >"$cache/debootstrap.log" 2>&1 || {
		tail -n 20 "$cache/debootstrap.log" >&2
		die "debootstrap failed, see $cache/debootstrap.log"
	}
	rm -rf "$tree"/var/cache/apt/* "$tree"/var/lib/apt/lists/*
}

# extract_vmlinux IMAGE FILE: extracts the kernel from a compressed image, as an ELF file (for a PVH boot)
extract_vmlinux() {
	local image=$1 to=$2 magic tool at

	while read -r magic tool; do
		while read -r at; do
			tail -c +$((at + 1)) "$image" | $tool >"$to" 2>/dev/null || true
			if [ "$(head -c 4 "$to" | tr -d '\0')" = $'\177ELF' ]; then
				return
			fi
		done < <(LC_ALL=C grep -abo -P "$magic" "$image" | LC_ALL=C cut -d : -f 1)
	done <<-'END'
	\x28\xb5\x2f\xfd zstd -dcq
	\xfd7zXZ\x00 xz -dcq
	\x1f\x8b\x08 gzip -dcq
	END
	rm -f "$to"
}

# with_lock FILE COMMAND...: runs the command while FILE is locked. The lock ends with the subshell,
# in which set -e remains in effect.
with_lock() (
	mkdir -p "$(dirname "$1")"
	exec 9>"$1"
	flock -n 9 || { warn "waiting for $1"; flock 9; }
	shift
	"$@"
)

# How many times slower than Debian's a kernel may be before something hangs.
kernel_slowness() {
	case $1 in
	debug-kasan*) echo 5 ;;
	debug-*) echo 2 ;;
	*) echo 1 ;;
	esac
}

# bound COMMAND...: runs another script, which ends with its virtual machines when this one is
# killed
bound() { setpriv --pdeathsig TERM "$@"; }
exec_bound() { exec setpriv --pdeathsig TERM "$@"; }

# Builds what tests in a virtual machine need, which only runs it.
build_tests() {
	make -s -C selftests OUTPUT="$top/build/selftests" all
	make -s userspace
	FIXTURES_QUIET=1 selftests/make-fixtures build/fixtures
}

# Makes build/fixtures.img, a file system with the fixtures, if they have changed: a machine mounts it
# faster than it unpacks a tar. Called in the top directory.
fixtures_image() {
	local kib

	[ ! build/fixtures.img -nt build/fixtures/stamp ] || return 0
	kib=$(du -sk build/fixtures | cut -f 1)
	rm -f build/fixtures.{tar,img.new}
	truncate -s $((kib * 5 / 4 + 32768))K build/fixtures.img.new
	/sbin/mke2fs -q -t ext4 -O ^has_journal -m 0 -d build/fixtures build/fixtures.img.new &&
		mv build/fixtures.img.new build/fixtures.img
}

# tests_vm OPTION... -- COMMAND...: replaces this (sub)shell by a virtual machine that has the
# tests' programs, and in which a test that cannot run is a failure
tests_vm() {
	exec_bound scripts/vm/run --env REQUIRE_ALL=1 --env COWCHAIN_BIN="$top/build/selftests" "$@"
}

# make and the kernel's command line split names at blanks.
[[ "$top$cache${TMPDIR:-}" != *[[:space:]]* ]] ||
	die "blanks are not possible in $top, $cache (DM_COWCHAIN_CACHE), ${TMPDIR:-/tmp} (TMPDIR)"
