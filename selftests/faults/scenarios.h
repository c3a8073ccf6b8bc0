/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: the scenarios.
 */
#ifndef COWCHAIN_FAULTS_SCENARIOS_H
#define COWCHAIN_FAULTS_SCENARIOS_H

#include "walk.h"

struct scenario {
	const char *name;
	const char *says;		/* in a few words */
	void (*prepare)(struct walk *w);	/* without faults */
	void (*run)(struct walk *w);		/* with them */
	bool whole;			/* allocations are counted over all of @run: some are
					 * made beside the steps, or a step is not tried again
					 */
};

extern const struct scenario scenarios[];
extern const size_t n_scenarios;

#endif
