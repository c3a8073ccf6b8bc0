/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: to which slice each flush of the log belongs.
 */
#ifndef COWCHAIN_CRASH_TRACE_H
#define COWCHAIN_CRASH_TRACE_H

#include "crash.h"
#include "log.h"

/*
 * Finds out, from a trace of block events, to which slice each flush of the log belongs,
 * and puts writes right that the log has in the wrong order. @trace is the name of the file.
 */
void trace_attribute(struct crash_log *l, const char *trace, const struct slice *slices,
		     unsigned int n);

#endif
