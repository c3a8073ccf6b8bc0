/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: what the writers did, and when.
 */
#ifndef COWCHAIN_CRASH_MODEL_H
#define COWCHAIN_CRASH_MODEL_H

#include "crash.h"
#include "log.h"

#define MAX_MESSAGES	16

struct cop {
	char kind;		/* a letter, see chainstress; 0: no operation of this number */
	uint32_t sector, sectors;
	uint64_t submit, ack;
};

struct model {
	uint64_t seed;
	struct cop *op;
	uint32_t n_ops;
	uint32_t *by_ack;	/* numbers of those that were acknowledged, in that order */
	uint32_t n_acked, next_acked;
	uint64_t *mark_tick;
	uint64_t n_marks;
	char message[MAX_MESSAGES][128];
	unsigned int n_messages;
	const uint8_t *initial;
	uint32_t sectors;
	uint32_t *floor;	/* for each sector: the last operation known to be durable */
	uint64_t upper;		/* nothing was submitted later than at this tick */
};

void model_load(struct model *m, const char *record, const uint8_t *initial, uint32_t sectors);
/* The value that the 512 bytes @data have at guest sector @g. */
uint32_t model_value(const struct model *m, uint32_t g, const void *data);
void model_floor(struct model *m, const struct entry *mark);
/* Return: NULL, or why @value may not be read at guest sector @g. */
const char *model_check(const struct model *m, uint32_t g, uint32_t value);
/* Can @newer be the younger one of two values of sector @g? Zeros do not name their operation. */
bool model_newer(const struct model *m, uint32_t g, uint32_t newer, uint32_t than);
/* The number of the first message that begins with @prefix, -1 if there is none. */
int model_message(const struct model *m, const char *prefix);
/* Does the message @i put a top on the chain, at once or as the second of two steps? */
bool model_takes_snapshot(const struct model *m, unsigned int i);
/* How many do? */
unsigned int model_snapshots(const struct model *m);

#endif
