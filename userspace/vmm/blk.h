/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-blk on a block device or a raw file.
 *
 *     blk.c          the device: features, configuration, its thread, its queues
 *     blk-request.c  what a request says (pure)
 *     blk-io.c       reads, writes and flushes, by io_uring
 *     blk-slow.c     discards and zeroing, for which a thread of their own does system calls
 *     blk-limits.c   opens the disk and finds out what it can do
 */
#ifndef VMM_BLK_H
#define VMM_BLK_H

#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "blk-request.h"
#include "virtio.h"
#include "virtqueue.h"

#define BLK_QUEUE_SIZE		VQ_MAX_SIZE
#define BOUNCE_BYTES		(256 * 1024)
#define BOUNCE_BUFFERS		16

struct blk_device;
struct blk_queue;

/* A request on its way, from vq_pop() to vq_push(). */
struct blk_task {
	struct blk_task *next;		/* free list, waiting list or a list of blk-slow */
	struct blk_queue *queue;
	struct vq_chain chain;
	struct blk_request rq;
	bool through;			/* durable before it is answered */
	int error;			/* 0 or an errno, valid when done */

	/* blk-io: */
	uint64_t done;			/* bytes of rq.len that are done */
	struct iov_list left;		/* what remains of rq.data when it is used in place */
	uint8_t *bounce;
	struct iovec bounce_iov;
};

struct task_list {
	struct blk_task *first, **end;
};

void task_list_init(struct task_list *l);
void task_list_add(struct task_list *l, struct blk_task *t);
struct blk_task *task_list_take(struct task_list *l);

/* Reads, writes, flushes. Used by the disk thread alone. */
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
 * Makes a ring that can touch `files` and nothing else, and only read, write and flush; entry 0 is
 * the disk. The ring starts with blk_io_enable(), called on the thread that is to use it.
 */
int blk_io_init(struct blk_io *io, const struct blk_limits *lim, const int *files,
		unsigned int nfiles);
int blk_io_enable(struct blk_io *io);
void blk_io_destroy(struct blk_io *io);

/* Reads an eventfd, entry `file`; the completion carries `tag`, which must be odd. */
void blk_io_watch(struct blk_io *io, unsigned int file, uint64_t *count, uint64_t tag);

/* Starts a read, write or flush. */
void blk_io_start(struct blk_io *io, struct blk_task *t);

/* A completion of `t` arrived; true: the task is finished, t->error says how. */
bool blk_io_step(struct blk_io *io, struct blk_task *t, int res);

/* A task that waited for a bounce buffer and now has one, to be started; or NULL. */
struct blk_task *blk_io_next_waiting(struct blk_io *io);

/* Discards and write zeroes. */
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
/* Finished tasks, one at a time; NULL: no more. */
struct blk_task *blk_slow_collect(struct blk_slow *s);

struct blk_queue {
	struct blk_device *dev;
	unsigned int index;
	bool live;			/* enabled by the driver, and intact */
	struct virtqueue vq;
	struct blk_task *tasks;		/* BLK_QUEUE_SIZE of them */
	struct blk_task *free;
	uint64_t kicks;			/* what was read from the kick eventfd */
};

struct blk_device {
	struct virtio_device vdev;
	struct blk_limits lim;
	int fd;
	bool is_blockdev;
	_Atomic bool writeback;		/* the configuration field: false: every write is durable */

	int ctl_fd;			/* wakes the thread for the two below, or a start */
	_Atomic bool quit;

	/* The disk thread's own: */
	pthread_t thread;
	bool thread_started;
	struct blk_io io;
	struct blk_slow slow;
	struct blk_queue queue[VIRTIO_MAX_QUEUES];
	bool running;			/* between the driver's start and its reset */
	bool broken;			/* ... but it broke a rule meanwhile */
	bool can_flush;			/* the driver knows FLUSH */
	unsigned int in_flight;
	uint64_t ctl_count, slow_count;
};

/*
 * blk-limits.c: opens `path` and fills dev->fd, is_blockdev and lim. 0 or -errno, said why.
 * serial may be NULL.
 */
int blk_open(struct blk_device *dev, const char *path, bool readonly, const char *serial);

/* Makes a virtio device of an opened disk. 0 or -errno, said why. */
int blk_init(struct blk_device *dev, const struct guest_mem *mem, unsigned int nqueues);
int blk_start(struct blk_device *dev);

/* Lets what is in flight finish, makes it durable, ends the threads. */
void blk_stop(struct blk_device *dev);

#endif
