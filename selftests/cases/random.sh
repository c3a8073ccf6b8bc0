#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Writers and an administrator on one chain, with random operations. From the environment:
#	SEEDS	runs, default 3
#	OPS	operations of each run, default 500
#	SEED	of the first run, default 1
# Seconds: 15
# Quick: .
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# one SEED
one() {
	local i n=$((OPS / 40 + 6)) args=() top=c.qcow2

	use stress a.raw b.qcow2 c.qcow2 model.raw
	SECTORS=72216
	for ((i = 0; i < n; i++)); do
		# with and without an external data file, in an order that depends on the seed
		if [ $((($1 + i) % 3)) -eq 0 ]; then
			cp "$FIXTURES/stress/spare-ext.qcow2" "s$i.qcow2"
			truncate -s $((SECTORS * 512)) "s$i.data"
			qcow2poke "s$i.qcow2" ext 0x44415441 "s$i.data"
			args+=(--spare "$T/s$i.qcow2,$T/s$i.data")
		else
			cp "$FIXTURES/stress/spare.qcow2" "s$i.qcow2"
			args+=(--spare "$T/s$i.qcow2")
		fi
	done
	# a commit may go into the raw disk, too, if its device can be written
	[ $(($1 % 2)) -eq 1 ] || attach a.raw
	mkchain cct a.raw b.qcow2 $top
	chainstress --name cct --model model.raw --out . --seed "$1" --ops "$OPS" "${args[@]}"
	remove cct
	[ $(($1 % 2)) -eq 0 ] || cmp "$FIXTURES/stress/a.raw" a.raw
	cmp "$FIXTURES/stress/b.qcow2" b.qcow2
}

: "${SEEDS:=3}" "${OPS:=500}" "${SEED:=1}"
for ((s = SEED; s < SEED + SEEDS; s++)); do
	it "seed $s, $OPS operations" "seed_$s"
	eval "seed_$s() { one $s; }"
done

run_cases
