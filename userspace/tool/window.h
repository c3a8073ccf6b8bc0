/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads tables of any size from a file or a block device, a window at a time.
 */
#ifndef COWCHAIN_WINDOW_H
#define COWCHAIN_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "tail.h"

/*
 * struct readable - a file, or a block device and what it does not show of its file
 * @fd: may be open with O_DIRECT: all reads are aligned.
 * @path: for messages.
 * @size: bytes of what is open, without the tail.
 */
struct readable {
	int fd;
	const char *path;
	uint64_t size;
	struct tail tail;
};

static inline uint64_t readable_size(const struct readable *r)
{
	return r->size + r->tail.len;
}

/* A part of it that is in memory. Initialise with zeros. */
struct window {
	uint8_t *buf;		/* NULL: nothing yet */
	uint64_t at;
};

/*
 * Get what is at off: a table entry, or a sector, that is aligned to its own size. What is behind the end reads as
 * zeros. Returns a pointer that is valid until the next call, or NULL after a message, which names what.
 */
const void *window_read(struct window *w, const struct readable *r, uint64_t off, const char *what);
/* Read it again the next time. */
void window_forget(struct window *w);

#endif
