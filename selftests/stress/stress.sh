#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Stress, in small: one short round of what "make stress" does for hours, without the shortage of memory.
: "${SEED:=1}" "${OPS:=80}" "${CHAINS:=1}"
export SEED OPS CHAINS SQUEEZE=no
exec "$(dirname "$0")/round.sh"
