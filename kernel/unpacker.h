/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory to decompress clusters in, for the module as a whole. */
#ifndef COWCHAIN_UNPACKER_H
#define COWCHAIN_UNPACKER_H

#include <linux/list.h>
#include <linux/types.h>

/**
 * struct cc_unpacker - what one task decompresses with.
 * @bits: log2 of the largest cluster that it is good for.
 * @in: compressed data, two clusters and a page; the most that an L2 entry can describe.
 * @out: a cluster.
 * @ws: see q2_unpack().
 *
 * There is at least one for the largest clusters of all layers, made when a table is loaded. More,
 * up to the number of CPUs, are made when somebody has to wait for one. Whoever has one only
 * computes and copies memory: it waits for no device, lock or memory, so others get it soon.
 */
struct cc_unpacker {
	struct list_head list;
	unsigned int bits;
	u8 *in;
	u8 *out;
	void *ws;
};

/**
 * cc_unpackers_use() - somebody may have clusters of 2^@bits bytes to decompress.
 *
 * Context: process, not between suspend and resume. Return: 0 or -ENOMEM.
 */
int cc_unpackers_use(unsigned int bits);

/* The opposite, once for each. Context: process. */
void cc_unpackers_unuse(void);

/* When the module goes. Context: process. */
void cc_unpackers_exit(void);

/* Take one that is good for 2^@bits bytes. Context: process. */
struct cc_unpacker *cc_unpacker_get(unsigned int bits);
void cc_unpacker_put(struct cc_unpacker *u);

#endif /* COWCHAIN_UNPACKER_H */
