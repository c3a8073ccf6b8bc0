/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: what each sector of the disk may hold.
 */
#ifndef COWCHAIN_FAULTS_MODEL_H
#define COWCHAIN_FAULTS_MODEL_H

#include "common.h"

#define MAX_VALUES	6
#define VALUE_INITIAL	0u
#define VALUE_ZERO	0xffffu

/* A set of values: one of these two, or the number of the operation that wrote there. */
struct values {
	uint16_t v[MAX_VALUES];
	uint8_t n;
};

/*
 * @live: what a read may find now; more than one value where a write has failed.
 * @stable: what may be there after the table is gone: also what was there at the last flush.
 * @frozen: @live at the last snapshot.
 */
struct model {
	uint32_t sectors;
	uint64_t seed;
	const uint8_t *initial;
	uint16_t seq;
	struct values *live;
	struct values *stable;
	struct values *frozen;
};

void fmodel_reset(struct model *m);
/* A write of @value; @done: it was acknowledged. */
void fmodel_write(struct model *m, uint32_t sector, uint32_t n, uint16_t value, bool done);
/* What was acknowledged in this range is durable. */
void fmodel_flush(struct model *m, uint32_t sector, uint32_t n);
/* The table was removed without a last commit: reads return what was durable from now on. */
void fmodel_lose(struct model *m);
/*
 * True if @buf is possible; otherwise prints what differs. What was read is the only value from
 * then on.
 */
bool fmodel_read(struct model *m, uint32_t sector, uint32_t n, const void *buf, const char *what);
void fmodel_freeze(struct model *m);
/* Is @buf the whole disk as it was frozen? */
bool fmodel_read_frozen(struct model *m, const void *buf, const char *what);

#endif
