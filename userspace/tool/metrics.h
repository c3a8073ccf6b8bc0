/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of chains in the text format of Prometheus, for the textfile collector of its node exporter.
 */
#ifndef COWCHAIN_METRICS_H
#define COWCHAIN_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "dm.h"
#include "io-stat.h"

/**
 * struct metrics_chain - a device.
 * @top: the file of its top, NULL if it shows no chain or that is unknown.
 * @no_chain: the word that stands in place of a mode then; else NULL.
 * @status: of a chain.
 * @has_io: io is valid.
 */
struct metrics_chain {
	struct dm_device dev;
	char *top;
	const char *no_chain;
	struct target_status status;
	struct io_stat io;
	bool has_io;
};

/* The whole text. Caller frees. Pure. */
char *metrics_format(const struct metrics_chain *chains, size_t nr);

#endif
