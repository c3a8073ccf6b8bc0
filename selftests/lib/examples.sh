# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Runs the examples of documents. Source it after lib.sh.

# section FILE TITLE: prints one section of a document in reStructuredText, those below it included
section() {
	awk -v title="$2" '/^=+$/ && last != "" { on = last == title } on { print } { last = $0 }' "$1"
}

# Cuts FILE into example.N and output.N. In reStructuredText an example is the literal block after
# a comment ".. example:", in Markdown the fenced block after "<!-- example -->"; its output is
# in a block after "output".
cut_examples() {
	awk '
		/^(\.\. |<!-- )(example|output)/ {
			what = /example/ ? "example" : "output"
			if (what == "example")
				n++
			next
		}
		!what { next }
		/^```/ { if (fence) what = ""; fence = !fence; next }
		/^::$/ { next }
		fence { print > (what "." n); next }
		/^    / { print substr($0, 5) > (what "." n); next }
		/^$/ { next }
		{ what = "" }
	' "$1"
}

# Replaces names of devices and of the volume group, so that the cleanup finds them, and numbers of loop
# devices, so that the output can be compared.
rename() {
	local f

	for f in example.* output.*; do
		[ ! -e "$f" ] || sed -i -E 's/\bvm1\b/cct-vm1/g; s/\bvm-(root|data|\$)/cct-vm-\1/g; s/\bvg0\b/cct-vg/g' "$f"
	done
}
numbers() { sed -E 's/\b7:[0-9]+/7:N/g' "$1"; }

# Each block continues where the last one ended, in the same shell and directory.
run_examples() {
	local n

	for ((n = 1; ; n++)); do
		[ -e "example.$n" ] || break
		note "example $n: $(head -n 1 "example.$n")"
		# shellcheck disable=SC1090	# made above
		. "./example.$n" >"printed.$n"
		[ -e "output.$n" ] || continue
		diff -u -b -B "output.$n" <(numbers "printed.$n") ||
			fail "example $n prints something else"
	done
	[ "$n" -gt "$1" ] || fail "only $((n - 1)) examples found"
}
