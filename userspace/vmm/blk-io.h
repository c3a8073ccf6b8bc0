/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads, writes and flushes, by io_uring. Used by the disk thread alone.
 */
#ifndef VMM_BLK_IO_H
#define VMM_BLK_IO_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "blk-task.h"

#define BOUNCE_BYTES		(256 * 1024)
#define BOUNCE_BUFFERS		16

struct blk_io {
	struct io_uring ring;
	const struct blk_limits *lim;
	int disk;			/* index among the ring's files */
	uint8_t *bounce_pool[BOUNCE_BUFFERS];
	unsigned int nbounce;		/* how many of them are free */
	uint8_t *bounce_memory;
	struct task_list waiting;	/* for a bounce buffer */
};

/*
 * Make a ring that is restricted to `files` and to reading, writing and flushing; entry 0 is the
 * disk. blk_io_enable() starts the ring and is called on the thread that uses it.
 */
int blk_io_init(struct blk_io *io, const struct blk_limits *lim, const int *files,
		unsigned int nfiles);
int blk_io_enable(struct blk_io *io);
void blk_io_destroy(struct blk_io *io);

/* Read an eventfd, entry `file`; the completion carries `tag`, which must be odd. */
void blk_io_watch(struct blk_io *io, unsigned int file, uint64_t *count, uint64_t tag);

/* Start a read, write or flush. */
void blk_io_start(struct blk_io *io, struct blk_task *t);

/*
 * To be called for a completion of `t`. Returns true if the task is finished, with the result in
 * t->error.
 */
bool blk_io_step(struct blk_io *io, struct blk_task *t, int res);

/* A task that waited for a bounce buffer and has one now, to be started; or NULL. */
struct blk_task *blk_io_next_waiting(struct blk_io *io);

#endif
