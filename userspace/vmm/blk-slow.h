/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Discards and write zeroes: a separate thread makes the system calls for them.
 */
#ifndef VMM_BLK_SLOW_H
#define VMM_BLK_SLOW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "blk-task.h"

struct blk_slow {
	int fd;
	bool is_blockdev;
	uint64_t piece;			/* bytes of one system call */
	int done_fd;			/* signalled when `done` grows; blocking, for io_uring */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;		/* of the rest */
	pthread_cond_t cond;
	bool quit;
	_Atomic bool cancelled;		/* begin nothing more */
	struct task_list todo;
	struct task_list done;
};

struct timespec;

/* `granularity`: of discards, in bytes. Returns 0 or -errno. */
int blk_slow_init(struct blk_slow *s, int fd, bool is_blockdev, uint64_t granularity);
int blk_slow_start(struct blk_slow *s);

/*
 * End all tasks with ECANCELED, one that is being carried out at its next system call. To be
 * called by the thread that submits; nothing can be submitted from then on.
 */
void blk_slow_cancel(struct blk_slow *s);

/* End the thread. Returns false if it is still in a system call at `until` (CLOCK_MONOTONIC). */
bool blk_slow_stop(struct blk_slow *s, const struct timespec *until);

void blk_slow_submit(struct blk_slow *s, struct blk_task *t);
/* The next finished task, or NULL. */
struct blk_task *blk_slow_collect(struct blk_slow *s);

#endif
