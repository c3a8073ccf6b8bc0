/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looks at chains and prints their state for Prometheus.
 */
#ifndef COWCHAIN_METRICS_LOAD_H
#define COWCHAIN_METRICS_LOAD_H

/* All of it, or nothing: whoever collects it keeps what was there before. Returns an exit status. */
int metrics_print_all(void);

#endif
