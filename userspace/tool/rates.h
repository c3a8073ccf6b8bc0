/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What chains do, by two looks at them.
 */
#ifndef COWCHAIN_RATES_H
#define COWCHAIN_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics.h"

/**
 * struct rates - of one chain.
 * @known: it was there at both looks; else the rest is 0.
 * @bytes, @requests: per second.
 * @us: microseconds that a request took on average; 0 without requests.
 * @job_bytes: per second.
 * @job_left: seconds until the job is done at that rate; valid if job_moves.
 */
struct rates {
	bool known;
	uint64_t bytes[IO_KINDS];
	uint64_t requests[IO_KINDS];
	uint64_t us[IO_KINDS];
	uint64_t job_bytes;
	bool job_moves;
	uint64_t job_left;
};

/* seconds: between the looks. Pure. */
void rates_between(const struct metrics_chain *was, const struct metrics_chain *now, double seconds, struct rates *rates);
/* The same chain in an earlier look; NULL if it was not there. Pure. */
const struct metrics_chain *rates_find(const struct metrics_chain *chains, size_t nr, const struct metrics_chain *now);

#endif
