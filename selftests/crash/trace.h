/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: a trace of the block events of the slices, and to which slice each flush of the log
 * belongs.
 */
#ifndef COWCHAIN_CRASH_TRACE_H
#define COWCHAIN_CRASH_TRACE_H

#include "crash.h"
#include "log.h"

/* What the trace has of one bio of a slice, from the events that began and ended it. */
struct traced {
	unsigned int slice;
	uint64_t sector;	/* of the slice */
	uint32_t sectors;
	uint64_t queued, ended;	/* the numbers of these events in the trace */
	uint32_t first, last;	/* of a flush: places in the log where it can be */
	uint32_t found;		/* of a write: sectors that were found in the log */
};

struct trace_list {
	struct traced *e;
	uint32_t n;
};

struct trace {
	struct trace_list flush;
	struct trace_list write;	/* and discards; without FUA */
};

/*
 * Finds out, from a trace of block events, to which slice each flush of the log belongs,
 * and puts writes right that the log has in the wrong order. @trace is the name of the file.
 */
void trace_attribute(struct crash_log *l, const char *trace, const struct slice *slices,
		     unsigned int n);

#endif
