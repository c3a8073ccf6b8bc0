// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints, and the key of what watches bios.
 */
#include "cowchain.h"
#include "layer.h"

/* Unused in a kernel without tracepoints. */
static int __maybe_unused cc_trace_map_reg(void);
static void __maybe_unused cc_trace_map_unreg(void);

#define CREATE_TRACE_POINTS
#include "trace.h"

DEFINE_STATIC_KEY_FALSE(cc_watched);

/* The first probe is attached, the last one goes. Context: process; the lock of all tracepoints. */
static int __maybe_unused cc_trace_map_reg(void)
{
	static_branch_inc(&cc_watched);
	return 0;
}

static void __maybe_unused cc_trace_map_unreg(void)
{
	static_branch_dec(&cc_watched);
}
