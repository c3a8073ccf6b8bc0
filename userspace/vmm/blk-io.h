/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads, writes and flushes, by io_uring. Used by the disk thread alone.
 *
 * The kernel cannot take back what a device has accepted. So that the launcher can end, the kernel
 * is given little at a time: large requests in pieces, and further ones wait here.
 */
#ifndef VMM_BLK_IO_H
#define VMM_BLK_IO_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "blk-task.h"

#define BOUNCE_BYTES		(256 * 1024)
#define BOUNCE_BUFFERS		16

/* The most of one request, and of all, that is with the kernel. */
#define PIECE_BYTES		(2 * 1024 * 1024)
#define KERNEL_BYTES		(32 * 1024 * 1024)
#define KERNEL_OPS		256

struct blk_io {
	struct io_uring ring;
	const struct blk_limits *lim;
	int disk;			/* index among the ring's files */
	uint8_t *bounce_pool[BOUNCE_BUFFERS];
	unsigned int nbounce;		/* how many of them are free */
	uint8_t *bounce_memory;
	struct task_list waiting;	/* for a bounce buffer */
	uint64_t bytes;			/* with the kernel */
	unsigned int ops;
	struct task_list backlog;	/* for room within these limits, first come, first served */
	bool cancelled;			/* nothing more is given to the kernel */
};

/*
 * Make a ring that is restricted to `files` and to reading, writing and flushing; entry 0 is the
 * disk. blk_io_enable() starts the ring and is called on the thread that uses it.
 */
int blk_io_init(struct blk_io *io, const struct blk_limits *lim, const int *files,
		unsigned int nfiles);
int blk_io_enable(struct blk_io *io);
void blk_io_destroy(struct blk_io *io);

/*
 * Have the ring let go of its files; nothing may be in flight. The kernel frees a ring some time
 * after its last user is gone, and would keep the disk open until then. On the thread that uses the
 * ring.
 */
void blk_io_release_files(struct blk_io *io);

/* Read an eventfd, entry `file`; the completion carries `tag`, which must be odd. */
void blk_io_watch(struct blk_io *io, unsigned int file, uint64_t *count, uint64_t tag);

/* Start a read, write or flush. */
void blk_io_start(struct blk_io *io, struct blk_task *t);

/* Go on with one that has failed, from where it has failed. */
void blk_io_retry(struct blk_io *io, struct blk_task *t);

/*
 * To be called for a completion of `t`. Returns true if the task is finished, with the result in
 * t->error.
 */
bool blk_io_step(struct blk_io *io, struct blk_task *t, int res);

/* Give the kernel what waited for a bounce buffer, or for room, and can go on now. */
void blk_io_continue(struct blk_io *io);

/*
 * The disk comes to its end: give the kernel nothing more. Requests that are with it end at their
 * next step, at the latest, with ECANCELED if something of them was left to do.
 */
void blk_io_cancel(struct blk_io *io);

/* After blk_io_cancel(): the next of the tasks that the kernel has not been given, or NULL. */
struct blk_task *blk_io_take_cancelled(struct blk_io *io);

#endif
