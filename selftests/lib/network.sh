# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Block devices that come over a network. The server has a network namespace, and each wire to it is a pair of virtual
# interfaces with a network of four addresses, of those that are kept for documents (RFC 5737): wire 0 leads to this
# namespace, the others to one of a host of its own.

# shellcheck disable=SC2034	# for the tests
SERVER=192.0.2.1	# at wire 0
PORT=10809

# Skips the case without what it needs, and makes the server's namespace and wire 0.
network() {
	need ip nbdkit nbd-client
	modprobe -q veth || true
	modprobe -q nbd nbds_max=16 max_part=0 || true
	[ -b /dev/nbd0 ] || skip "needs nbd"
	ip netns add cct-server || skip "needs network namespaces"
	ip -n cct-server link set lo up
	wire 0
}

# wire N: its other end is in the namespace cct-hostN
wire() {
	local host=() here=$((4 * $1 + 2)) there=$((4 * $1 + 1))

	if [ "$1" -gt 0 ]; then
		ip netns add "cct-host$1"
		host=(-n "cct-host$1")
	fi
	ip "${host[@]}" -batch - <<-END
		link add cct-wire$1 type veth peer name cct-wire$1 netns cct-server
		addr add 192.0.2.$here/30 dev cct-wire$1
		link set cct-wire$1 up
	END
	ip -n cct-server -batch - <<-END
		addr add 192.0.2.$there/30 dev cct-wire$1
		link set cct-wire$1 up
	END
}

# serve PLUGIN ARGUMENT...: nbdkit serves that for reading. Sets SERVED to its process.
serve() { start_server nbdkit --foreground --readonly --port "$PORT" --pidfile "$T/served" "$@"; }

# serve_file FILE: the same with qemu-nbd, which is not to look into it
serve_file() {
	need qemu-nbd
	start_server qemu-nbd --read-only --persistent --shared 0 --format raw --port "$PORT" --pid-file "$T/served" "$1"
}

start_server() {
	rm -f "$T/served"
	ip netns exec cct-server "$@" &
	SERVED=$!
	wait_for 60 test -s "$T/served"
}

# Nothing is sent any more but by the kernel, which closes the connections.
kill_server() {
	kill -KILL "$SERVED" 2>/dev/null || true
	wait "$SERVED" || true
}

# connect N OPTION...: /dev/nbdN is what the server has, by wire 0
connect() { connect_by 0 "$@"; }

# connect_by WIRE N OPTION...: the same by another wire, from the host at its end
connect_by() {
	local at=192.0.2.$((4 * $1 + 1)) client=(nbd-client)

	# Linux 6.1 has nbd's netlink in the first namespace only
	[ "$1" -eq 0 ] || client=(ip netns exec "cct-host$1" nbd-client -nonetlink)
	"${client[@]}" "${@:3}" "$at" "$PORT" "/dev/nbd$2" >"nbd$2.log" 2>&1 || fail "nbd-client: $(<"nbd$2.log")"
	wait_for 60 connected "$2"
}

# disconnect N: what waits there gets an error
disconnect() { nbd-client -d "/dev/nbd$1" >/dev/null || fail "nbd-client -d /dev/nbd$1"; }

# connected N: does it show what a server has?
connected() { [ "$(<"/sys/block/nbd$1/size")" -gt 0 ]; }

# has_users N
has_users() { [ -n "$(ls "/sys/block/nbd$1/holders")" ]; }

# asked N: does a request wait there for an answer?
asked() {
	local stat

	read -r -a stat <"/sys/block/nbd$1/stat"
	[ "${stat[8]}" -gt 0 ]
}

# What an example does on the server, from stdin.
on_server() { ip netns exec cct-server bash -e; }

# Lets all go that waits for a device, and takes the devices, the processes and the wires away. For the cleanup of each
# case, see harness.sh.
before_cleanup() {
	local path pids

	for path in /sys/block/nbd*/pid; do
		path=${path%/pid}
		[ ! -e "$path/pid" ] || nbd-client -d "/dev/${path##*/}" >/dev/null
	done
	for path in /run/netns/cct-*; do
		[ -e "$path" ] || continue
		mapfile -t pids < <(ip netns pids "${path##*/}")
		[ ${#pids[@]} -eq 0 ] || kill -KILL "${pids[@]}"
		# the wires go with it, but not at once
		ip -n "${path##*/}" link del "cct-wire${path##*/cct-host}" 2>/dev/null
		ip netns del "${path##*/}"
	done
	ip link del cct-wire0
	kill_proxies
} 2>/dev/null

# Servers of this namespace that went to the background, with a socket in the directory of the case.
kill_proxies() {
	local path words

	for path in /proc/[0-9]*/cmdline; do
		mapfile -d '' -t words <"$path" || continue
		[[ ${words[0]##*/} != nbdkit || ${words[*]} != *" $T/"* ]] || {
			path=${path%/cmdline}
			kill -KILL "${path#/proc/}"
		}
	done
}
