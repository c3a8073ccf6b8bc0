/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looks at chains and prints their state for Prometheus.
 */
#ifndef COWCHAIN_METRICS_LOAD_H
#define COWCHAIN_METRICS_LOAD_H

#include "metrics.h"

/* Of devices that dm_names() has found; one that is removed meanwhile is left out. Returns 0, or -1 after a message. */
int metrics_load(struct metrics_chain **chains, size_t *nr);
void metrics_free(struct metrics_chain *chains, size_t nr);

/* All of it, or nothing: whoever collects it keeps what was there before. Returns an exit status. */
int metrics_print_all(void);

#endif
