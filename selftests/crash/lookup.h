/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: where the chain has the data of a subcluster.
 */
#ifndef COWCHAIN_CRASH_LOOKUP_H
#define COWCHAIN_CRASH_LOOKUP_H

#include "state.h"

/* The top that provides it, or what lies below the last top if none does. */
struct found {
	int top;			/* -1: none */
	bool zero;
	const struct below *below;
};

/*
 * Looks at top @i and those below it. @bitmap: of each top's entry for the cluster; @sub: 0 to 31.
 */
struct found lookup(const struct replay *r, unsigned int i, const uint64_t *bitmap,
		    unsigned int sub);
/* The value of sector @g, which is in cluster @c, at that place. */
uint32_t lookup_value(const struct replay *r, const struct found *f, uint32_t c, uint32_t g);
/* The file that the backing file name @name refers to, NULL if it is unknown. */
const struct below *lookup_below(const struct replay *r, const char *name);
/* The slice that holds the data of a top. */
const struct slice *lookup_data(const struct top *t);
/* The number of the top that is the backing file of top @i, -1 if it is none of them. */
int lookup_next(const struct replay *r, unsigned int i);
/* The number of the top by which the chain was attached at the beginning: each snapshot adds one. */
unsigned int lookup_first(const struct replay *r);
/* The top that a commit is written to, -1: a raw base, or there is no commit. */
int lookup_base(const struct replay *r);
/* Has the base of a commit of the top taken its place? */
bool lookup_pivoted(const struct replay *r);
/* The number of the top by which the chain is attached. */
unsigned int lookup_active(const struct replay *r);
/* The values of the disk as top @top shows it; -1: as the raw base does. The caller frees. */
uint32_t *lookup_values(const struct replay *r, int top);

#endif
