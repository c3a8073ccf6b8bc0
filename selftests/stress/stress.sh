#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# One short round of what "make stress" does for hours, without the shortage of memory. From the environment:
#	SEED	default 1
#	OPS	operations on each chain, default 80
#	CHAINS	default 1
# Seconds: 10
# Quick: .
: "${SEED:=1}" "${OPS:=80}" "${CHAINS:=1}"
export SEED OPS CHAINS SQUEEZE=no
exec "$(dirname "$0")/round.sh"
