/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A source is a file or block device that a layer lives on, and the block device the kernel gets.
 */
#ifndef COWCHAIN_SOURCE_H
#define COWCHAIN_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct source {
	char *path;		/* as named; for messages and for names relative to it */
	char *real;		/* canonical */
	int fd;			/* the file or device itself */
	int dev_fd;		/* keeps an autoclear loop device alive; -1: none yet or not needed */
	bool writable;
	bool pad;		/* source_attach() is to grow the file to size */
	bool block;
	uint64_t size;		/* bytes, after padding */
	uint64_t length;	/* bytes of the file when it was opened */
	dev_t dev;		/* block device for the kernel; set by source_attach() */
	dev_t file_dev;		/* identity of the file */
	ino_t file_ino;
};

enum source_flags {
	SOURCE_WRITABLE = 1 << 0,
	SOURCE_PAD = 1 << 1,		/* grow a file to a whole number of sectors */
	SOURCE_CAN_PAD = 1 << 2,	/* the user may ask for that */
	SOURCE_PEEK = 1 << 3,		/* only to read headers: any file length will do */
};

/*
 * Opens a regular file or block device, never anything else. With must_be not NULL the file that was
 * really opened must have that canonical path. Returns 0 or -1 (said why).
 */
int source_open(struct source *src, const char *path, const char *must_be, unsigned int flags);
/* Takes the image locks. Returns 0 or -1 (said why). */
int source_lock(struct source *src);
/*
 * Finds or makes the block device; may pad the file, so locks come first. Returns 0 or -1 (said
 * why).
 */
int source_attach(struct source *src);
/* Closes everything; a loop device that nobody else uses vanishes. Fine on one never opened. */
void source_close(struct source *src);

bool source_same(const struct source *a, const struct source *b);

/*
 * The absolute name for a header to call it by: of a file the canonical one; of a block device the
 * user's, since the link is what lasts there (/dev/vg/base, /dev/disk/by-id/...), and the node it
 * leads to may be another tomorrow. NULL with errno. Caller frees.
 */
char *source_lasting_name(const char *path);

#endif
