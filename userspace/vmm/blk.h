/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-blk on a block device or a raw file.
 *
 *     blk.c          the device: features, configuration, its thread, its queues
 *     blk-request.c  what a request says (pure)
 *     blk-task.c     a request while it is carried out
 *     blk-io.c       reads, writes and flushes, by io_uring
 *     blk-slow.c     discards and zeroing, for which a thread of their own does system calls
 *     blk-limits.c   opens the disk and finds out what it can do
 */
#ifndef VMM_BLK_H
#define VMM_BLK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "blk-io.h"
#include "blk-request.h"
#include "blk-slow.h"
#include "virtio.h"
#include "virtqueue.h"

#define BLK_QUEUE_SIZE		VQ_MAX_SIZE

struct blk_device;
struct timespec;

/* What becomes of a request that has failed: the guest gets the error, or is paused. */
enum blk_on_error {
	BLK_REPORT,
	BLK_ENOSPC,			/* paused if there is no room, otherwise it gets the error */
	BLK_STOP,
};

struct blk_queue {
	struct blk_device *dev;
	unsigned int index;
	bool live;			/* enabled by the driver, and not broken */
	struct virtqueue vq;
	struct blk_task *tasks;		/* BLK_QUEUE_SIZE of them */
	struct blk_task *free;
	uint64_t kicks;			/* the last count read from the kick eventfd */
};

struct blk_device {
	struct virtio_device vdev;
	struct blk_limits lim;
	int fd;
	bool is_blockdev;
	_Atomic bool writeback;		/* in the configuration; false: writes are durable */

	/* Set before the start: */
	enum blk_on_error rerror, werror;
	int pause_fd;			/* signalled when a request waits for blk_retry() */

	int ctl_fd;			/* wakes the thread for a start, or what follows */
	_Atomic bool quit;
	_Atomic bool retry;
	_Atomic int stopped_by;		/* errno of the last request that waits; 0: reported */

	/* Used by the thread of the disk only: */
	pthread_t thread;
	bool thread_started;
	struct blk_io io;
	struct blk_slow slow;
	struct blk_queue queue[VIRTIO_MAX_QUEUES];
	bool running;			/* between start and reset by the driver */
	bool broken;			/* the driver has broken a rule since the start */
	bool can_flush;			/* FLUSH was negotiated */
	struct task_list parked;	/* failed, and to be tried again; they are in flight */
	unsigned int in_flight;
	unsigned int watches;		/* eventfds that the ring is reading */
	uint64_t ctl_count, slow_count;
};

/* Make a virtio device of an opened disk. Returns 0, or -errno after a message. */
int blk_init(struct blk_device *dev, const struct guest_mem *mem, unsigned int nqueues);
int blk_start(struct blk_device *dev);

/* The error for which the guest is to be paused, if there is a new one; 0 if not. */
int blk_stopped(struct blk_device *dev);

/* Try the requests again for which it was. */
void blk_retry(struct blk_device *dev);

/*
 * Look at the size of the disk, and tell the driver if it has changed. Returns whether it has, or
 * -errno. By the main thread, or before the start.
 */
int blk_update_size(struct blk_device *dev);

/*
 * Tell the threads to end: what the kernel has is finished, everything else is answered with an
 * error. Returns at once, so that several disks end together.
 */
void blk_quit(struct blk_device *dev);

/*
 * Then wait for the threads, and make the data durable. Returns false if the disk has not answered
 * at `until` (CLOCK_MONOTONIC): threads still use `dev`, and the process can only exit.
 */
bool blk_stop(struct blk_device *dev, const struct timespec *until);

#endif
