/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Discards and write zeroes: a separate thread makes the system calls for them.
 */
#ifndef VMM_BLK_SLOW_H
#define VMM_BLK_SLOW_H

#include <pthread.h>
#include <stdbool.h>

#include "blk-task.h"

struct blk_slow {
	int fd;
	bool is_blockdev;
	int done_fd;			/* signalled when `done` grows; blocking, for io_uring */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;		/* of the rest */
	pthread_cond_t cond;
	bool quit;
	struct task_list todo;
	struct task_list done;
};

int blk_slow_init(struct blk_slow *s, int fd, bool is_blockdev);
int blk_slow_start(struct blk_slow *s);
void blk_slow_stop(struct blk_slow *s);
void blk_slow_submit(struct blk_slow *s, struct blk_task *t);
/* The next finished task, or NULL. */
struct blk_task *blk_slow_collect(struct blk_slow *s);

#endif
