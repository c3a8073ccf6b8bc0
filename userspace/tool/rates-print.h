/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shows what chains do.
 */
#ifndef COWCHAIN_RATES_PRINT_H
#define COWCHAIN_RATES_PRINT_H

#include "metrics.h"
#include "output.h"

/* Two looks at all chains, so many seconds apart. */
struct rates_looks {
	const struct metrics_chain *was;
	size_t nr_was;
	const struct metrics_chain *now;
	size_t nr_now;
	double seconds;
};

void rates_print(const struct rates_looks *looks, const struct out_options *opt);
/* An object on a line of its own. */
void rates_print_json(const struct rates_looks *looks);

#endif
