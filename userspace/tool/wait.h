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
 * Wait until the job is concluded. Returns CC_OK if it has done all its work; CC_FAILED after a
 * message if it failed, was cancelled, was stopped by an error, or the timeout passed.
 */
int wait_for_job(const char *name, const struct wait_options *opt);

#endif
