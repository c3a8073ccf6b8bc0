/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last bytes of a file that its loop device, which has whole sectors only, does not show. The kernel
 * gets them in the table.
 */
#ifndef COWCHAIN_TAIL_H
#define COWCHAIN_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "target.h"

#define TAIL_MAX 511

struct tail {
	unsigned int len;
	uint8_t bytes[TAIL_MAX];
};

/* How many bytes of a file of this size are behind its last whole sector. */
unsigned int tail_length(uint64_t size);
/* Read the tail of the file that is open as fd and size bytes long. Returns 0 or -errno. */
int tail_read(struct tail *tail, int fd, uint64_t size);

/* Add a feature to the table: the tail of a layer, or of its data file. Nothing if it is empty. */
void tail_add(struct table *table, unsigned int layer, bool data, const struct tail *tail);
/* The tail that the table has for it; an empty one without. */
void tail_find(const struct table *table, unsigned int layer, bool data, struct tail *tail);

/*
 * pread_full() from a block device of size bytes, open as fd, and the tail behind it. The reads of the device are
 * as aligned as off and len are.
 */
ssize_t tail_pread(int fd, uint64_t size, const struct tail *tail, void *buf, size_t len, uint64_t off);

#endif
