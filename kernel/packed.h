/* SPDX-License-Identifier: GPL-2.0-only */
/* Compressed data of a cluster, as it is on the layer's device. */
#ifndef COWCHAIN_PACKED_H
#define COWCHAIN_PACKED_H

#include <linux/mutex.h>

#include "layer.h"

/**
 * struct cc_packed_pages - memory for compressed data that a chain has set aside.
 * @lock: held by who uses it because the kernel has no memory to give.
 * @nr, @page: enough for each layer of the table line.
 */
struct cc_packed_pages {
	struct mutex lock;		/* @page while it is used */
	unsigned int nr;
	struct page **page;
};

/* Context: process. Return: NULL without memory. */
struct cc_packed_pages *cc_packed_pages_create(void);
void cc_packed_pages_destroy(struct cc_packed_pages *pages);

/*
 * Be prepared for clusters of 2^@bits bytes. Context: process, while a table is loaded. Return: 0
 * or -ENOMEM.
 */
int cc_packed_pages_grow(struct cc_packed_pages *pages, unsigned int bits);

/**
 * struct cc_packed - compressed data of a cluster.
 * @start, @end: bytes of the device that were read, whole blocks.
 * @offset, @len: bytes of the data, of which a part may be in the file's tail.
 * @nr, @page: what was read.
 * @reserved: @page is the chain's.
 */
struct cc_packed {
	u64 start;
	u64 end;
	u64 offset;
	u32 len;
	unsigned int nr;
	struct page **page;
	bool reserved;
};

/**
 * cc_packed_read() - read the compressed data of a cluster.
 * @packed: its L2 entry, see q2_decode().
 *
 * Context: process. Return: 0, then it has to be freed soon, since others may wait for the memory;
 * or -errno, logged.
 */
int cc_packed_read(struct cc_layer *layer, u64 packed, struct cc_packed *p);
void cc_packed_free(struct cc_layer *layer, struct cc_packed *p);

/* Copy @p->len bytes of data to @to. Context: process. */
void cc_packed_gather(struct cc_layer *layer, const struct cc_packed *p, u8 *to);

#endif /* COWCHAIN_PACKED_H */
