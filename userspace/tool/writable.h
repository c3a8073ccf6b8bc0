/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices by which the target can write to a layer below the top: those that the chain has of it,
 * or, since a loop device that was made read-only stays so, others of the same files.
 */
#ifndef COWCHAIN_WRITABLE_H
#define COWCHAIN_WRITABLE_H

#include <stdint.h>
#include <sys/types.h>

#include "target.h"

struct writable_device {
	int fd;		/* of a loop device that was made, which vanishes with its last user; -1 */
	char *dev;	/* MAJ:MIN, NULL if there is none */
};

struct writable {
	struct writable_device dev;
	struct writable_device data;
	int file;	/* of a raw disk that was enlarged; -1 */
	uint64_t was;	/* its size before */
	dev_t shown;	/* by this device */
};

/*
 * bytes: of a raw disk; a file that is shorter is enlarged. Returns 0, or -1 after a message. writable_close() follows
 * in any case, when the target has them.
 */
int writable_open(const struct table_layer *layer, uint64_t bytes, struct writable *w);
/* The target does not want them: makes the file what it was. */
void writable_undo(const struct writable *w);
#define WRITABLE_MAX_WORDS 3
/* Put the words of a message for them into words. Returns how many: 0 if they are those of the chain. */
unsigned int writable_words(const struct writable *w, const char **words);
void writable_close(struct writable *w);

#endif
