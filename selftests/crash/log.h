/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: the log of dm-log-writes, in memory.
 */
#ifndef COWCHAIN_CRASH_LOG_H
#define COWCHAIN_CRASH_LOG_H

#include "crash.h"

enum entry_kind { E_WRITE, E_DISCARD, E_FLUSH, E_MARK };

struct entry {
	enum entry_kind kind;
	bool fua;
	uint64_t sector;	/* of the logged device */
	uint32_t sectors;
	unsigned int slice;	/* of a write */
	uint32_t slices;	/* of a flush: bits of the slices that it may belong to */
	uint32_t *value;	/* of a write: one for each sector */
	const uint8_t *data;
	char mark;		/* kind of the mark */
	uint64_t a, n;		/* its numbers */
	char text[32];		/* a mark of another kind */
};

struct crash_log {
	struct entry *e;
	uint32_t n;
	uint64_t writes, flushes, marks, discards, unclear, moved;
};

void log_read(struct crash_log *l, const char *file, const struct slice *slices, unsigned int n);

#endif
