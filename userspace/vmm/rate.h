/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How often something may happen. Pure: the time is an argument.
 */
#ifndef VMM_RATE_H
#define VMM_RATE_H

#include <stdbool.h>
#include <time.h>

#define RATE_SECONDS	60
#define RATE_TIMES	10

struct rate {
	time_t since;			/* start of the current interval */
	unsigned int times;		/* permitted in this interval */
	unsigned int refused;		/* since the last one that was permitted */
};

/*
 * May it happen at `now`, in seconds on a clock that never goes back? At most RATE_TIMES in
 * RATE_SECONDS. If it may, *refused is how many before it were not.
 */
bool rate_permits(struct rate *r, time_t now, unsigned int *refused);

#endif
