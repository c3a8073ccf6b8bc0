#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Damaged images of every kind: the kernel survives all of them, and writes nothing but the top. "make
# check-hostile" does more of it. From the environment:
#	MUTANTS		images, default 60
#	SEED		of the first image, default 1
#	MUTANTS_STALL	seconds without progress that are a failure, default 60
# Seconds: 20
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

: "${MUTANTS:=60}" "${SEED:=1}" "${MUTANTS_STALL:=60}"

it "damaged images of every kind" sweep
sweep() {
	local rc=0

	mutantwalk --dir "$FIXTURES/mutants" --work "$T" --seed "$SEED" --count "$MUTANTS" \
		--workers 3 --stall "$MUTANTS_STALL" >mutants.log || rc=$?
	cat mutants.log
	# kept also if all is well: how much was done
	echo "mutants: $(tail -n 1 mutants.log)" >/dev/kmsg
	[ $rc -eq 0 ] || fail "status $rc"
}

run_cases
