/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A source is the file or block device that holds a layer, and the block device for the kernel.
 */
#ifndef COWCHAIN_SOURCE_H
#define COWCHAIN_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "tail.h"

struct source {
	char *path;		/* as given; for messages and for names relative to it */
	char *real;		/* canonical */
	int fd;			/* the file or device itself; -1 once it is not needed any more */
	int dev_fd;		/* keeps an autoclear loop device alive; -1: none */
	bool writable;
	int write_error;	/* errno: it should be writable, but could be opened for reading only */
	bool pad;		/* by source_check_length(): source_attach() grows the file to size */
	struct tail tail;	/* of a file that is not writable; set by source_attach() */
	bool block;
	uint64_t size;		/* bytes; after padding, if pad is set */
	uint64_t length;	/* bytes of the file when it was opened */
	dev_t dev;		/* block device for the kernel; set by source_attach() */
	dev_t file_dev;		/* identity of the file */
	ino_t file_ino;
};

enum source_flags {
	SOURCE_PAD = 1 << 0,		/* grow a file to a whole number of sectors */
	SOURCE_CAN_PAD = 1 << 1,	/* the verb has an option for that */
};

/*
 * Open a regular file or block device, never anything else. If must_be is not NULL, the opened file
 * must have that canonical path. What cannot be opened for writing is opened for reading, so that whatever else
 * is wrong can be said first. Returns 0, or -1 after a message.
 */
int source_open(struct source *src, const char *path, const char *must_be, bool writable);
/* One that may not exist yet: it is not opened. See layer_plan(). */
void source_plan(struct source *src, const char *path);
/*
 * If it is to be written: has it whole sectors, or will it be padded? Otherwise any length will do. Returns 0,
 * or -1 after a message.
 */
int source_check_length(struct source *src, unsigned int flags);
/* Returns 0, or -1 after a message, with the remedy, if it is not writable although it should be. */
int source_check_writable(const struct source *src, const char *remedy);
/* Take the image locks. Returns 0, or -1 after a message. */
int source_lock(const struct source *src);
/*
 * Find or make the block device, and read the tail that it does not show. May pad the file, so lock first. Returns
 * 0, or -1 after a message.
 */
int source_attach(struct source *src);
/*
 * The loop device keeps the file open, and with it the image locks: give the descriptor back, since
 * a long chain has many files.
 */
void source_settle(struct source *src);
/*
 * Close everything; a loop device without other users vanishes. Does nothing if src was never
 * opened.
 */
void source_close(struct source *src);

/* After EBUSY: report who uses the block device. */
void source_say_users(const struct source *src);

bool source_same(const struct source *a, const struct source *b);
/* Is it the file or block device that st is of? */
bool source_is(const struct source *src, const struct stat *st);

/*
 * The absolute name for a header. Of a file, the canonical name. Of a block device, the name the
 * user gave: the link (/dev/vg/base, /dev/disk/by-id/...) is permanent, but the node it leads to
 * may be another one after a reboot. Returns NULL with errno. Caller frees.
 */
char *source_lasting_name(const char *path);

#endif
