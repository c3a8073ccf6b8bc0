/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A clock that stands still while messages are counted, so that the machine's load decides nothing.
 * For tests that are linked with --wrap=clock_gettime. Include it in one file only.
 */
#ifndef VMM_TESTS_FROZEN_CLOCK_H
#define VMM_TESTS_FROZEN_CLOCK_H

#include <stdatomic.h>
#include <time.h>

#include "rate.h"

static _Atomic time_t frozen_at;	/* 0: it runs */

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	time_t at = atomic_load(&frozen_at);

	if (!at)
		return __real_clock_gettime(clock, t);
	*t = (struct timespec) { .tv_sec = at };
	return 0;
}

/* Later than all messages so far, so that none of them counts. */
static inline void freeze_clock(void)
{
	struct timespec t;

	__real_clock_gettime(CLOCK_MONOTONIC, &t);
	atomic_store(&frozen_at, t.tv_sec + RATE_SECONDS);
}

static inline void run_clock(void)
{
	atomic_store(&frozen_at, 0);
}

#endif
