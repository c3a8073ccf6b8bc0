# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What layers and devices contain, and what qemu-img is to check of it.

# io OP... : runs operations on the device and on the model, see cowio
io() { cowio -m "$T/model.raw" "$DEV" "$@"; }

# untouched FIXTURE-DIRECTORY FILE... : expects these files to be identical to the fixtures
untouched() {
	local dir=$1 f

	shift
	for f; do
		cmp "$FIXTURES/$dir/$f" "$T/$f" || fail "$f has changed"
	done
}

# ident FILE: sets I_UUID, I_GEN, I_PARENT, I_PGEN, I_FLAGS (1: sealed), I_JOB (1: a stream), I_BASE and
# I_SPEED; I_UUID is "-" without an identity
# shellcheck disable=SC2034	# for the tests
ident() {
	read -r I_UUID I_GEN I_PARENT I_PGEN I_FLAGS I_JOB I_BASE I_SPEED <<<"$(qcow2poke "$1" ident)"
}

# keep check FILE | compare FILE MODEL | identical FILE FILE | json VERB FILE | prometheus FILE: a claim for oracle to check later
keep() { echo "$*" >>"$T/manifest"; }

# retire NAME TOP [MODEL]: removes the device; oracle checks that TOP is valid and reads like MODEL
retire() {
	remove "$1"
	keep check "$2"
	keep compare "$2" "${3:-model.raw}"
}
