/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far something long is: its rate, the time that is left, and the line that says so. No I/O, no clock.
 */
#ifndef COWCHAIN_PROGRESS_H
#define COWCHAIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_UNKNOWN UINT64_MAX

/**
 * struct progress_meter - rate of what is looked at again and again. Initialise with zeros.
 * @begun: there was a look.
 * @rate: bytes per second, smoothed; 0 if none is known.
 * @done: bytes at the last look that counted.
 * @time: of that look, in seconds of any clock that only goes forward.
 * @moved: when more bytes than before were seen last.
 */
struct progress_meter {
	bool begun;
	double rate;
	uint64_t done;
	double time;
	double moved;
};

/**
 * struct progress - what the line is about.
 * @name: of the device or file, safe to be shown.
 * @what: what is done.
 * @done: bytes.
 * @total: bytes, or PROGRESS_UNKNOWN.
 * @rate: bytes per second; less than 1: not known.
 * @stalled: seconds in which nothing was done.
 * @elapsed: seconds since the beginning; shown if the total is not known.
 * @state: a word in place of the rate, such as "paused"; NULL while it runs.
 */
struct progress {
	const char *name;
	const char *what;
	uint64_t done;
	uint64_t total;
	double rate;
	uint64_t stalled;
	uint64_t elapsed;
	const char *state;
};

/*
 * Look at how much is done now. Looks that follow each other too closely do not count, nor does a way back, as that of
 * a job with several passes.
 */
void progress_measure(struct progress_meter *meter, double now, uint64_t done);
/* Whole seconds without progress. */
uint64_t progress_stalled(const struct progress_meter *meter, double now);

/* The line, without a newline. Caller frees. */
char *progress_line(const struct progress *progress);

#endif
