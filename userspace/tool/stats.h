/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The answer of the target to the message "stats", as in Documentation/dm-cowchain.rst. No I/O.
 */
#ifndef COWCHAIN_STATS_H
#define COWCHAIN_STATS_H

#include <stdbool.h>
#include <stdint.h>

/* The counters of a layer, then those of the device alone. */
enum stat_id {
	STAT_READS, STAT_READ_BYTES, STAT_WRITES, STAT_WRITE_BYTES, STAT_FILLS, STAT_FILL_BYTES,
	STAT_FLUSHES, STAT_SYNCS, STAT_SYNC_ERRORS, STAT_SYNC_BLOCKS, STAT_SYNC_NS,
	STAT_SYNC_MAX_NS, STAT_UNPACK_HITS, STAT_UNPACK_MISSES,
	STAT_ON, STAT_HOLE_READS, STAT_HOLE_BYTES,
	NR_STATS,
};

struct counters {
	char *dev;		/* NULL: of the device itself */
	uint64_t value[NR_STATS];
	bool known[NR_STATS];
};

struct stats {
	struct counters all;
	struct counters *layers;	/* base first */
	unsigned int nr_layers;
};

/*
 * Returns 0, or -1: then stats holds nothing. Counters that this program does not know are ignored: later versions
 * may have more.
 */
int stats_parse(const char *text, struct stats *stats);
void stats_free(struct stats *stats);

#endif
