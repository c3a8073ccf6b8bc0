/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waits for the job of a chain.
 */
#ifndef COWCHAIN_WAIT_H
#define COWCHAIN_WAIT_H

#include <stdbool.h>

struct wait_options {
	bool quiet;		/* no progress line */
	unsigned int timeout;	/* seconds, 0: none */
};

/*
 * Until the job is concluded. Returns CC_OK if it did all its work; CC_FAILED (said why) if it failed,
 * was cancelled, stopped at an error, or the timeout passed.
 */
int wait_for_job(const char *name, const struct wait_options *opt);

#endif
