// SPDX-License-Identifier: GPL-2.0-only
/*
 * Discards and zeroing. Before 6.12 io_uring cannot discard on block devices, and the system calls
 * block: a separate thread makes them, in the order of the requests.
 *
 * No signal interrupts these calls, and a request may be 32 ranges of 1 GiB. So that the launcher
 * can end, a range is cut into pieces.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "blk-slow.h"
#include "blk-task.h"
#include "blk.h"
#include "sandbox.h"
#include "util.h"

#define RANGE_BYTES	(64ULL << 20)	/* at least, for one system call */

static int punch(const struct blk_slow *s, const struct blk_range *r)
{
	return fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, r->offset, r->len);
}

static int discard(const struct blk_slow *s, const struct blk_range *r)
{
	uint64_t range[2] = { r->offset, r->len };

	return s->is_blockdev ? ioctl(s->fd, BLKDISCARD, range) : punch(s, r);
}

/*
 * PUNCH_HOLE on a block device means: zero, by unmapping if possible. If unmapping is not allowed,
 * write zeros.
 */
static int write_zeroes(const struct blk_slow *s, const struct blk_range *r)
{
	uint64_t range[2] = { r->offset, r->len };

	if (r->unmap && !punch(s, r))
		return 0;
	if (s->is_blockdev)
		return ioctl(s->fd, BLKZEROOUT, range);
	if (!fallocate(s->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, r->offset, r->len))
		return 0;
	/*
	 * Not every file system has ZERO_RANGE. A hole instead may lose reserved space, but no
	 * data.
	 */
	return errno == EOPNOTSUPP ? punch(s, r) : -1;
}

/*
 * Pieces end at multiples of their size, which is one of the granularity of discards, so that
 * cutting loses no discard.
 */
static int do_range(const struct blk_slow *s, enum blk_op op, struct blk_range r)
{
	uint64_t end = r.offset + r.len;

	while (r.offset < end) {
		int fail;

		if (atomic_load(&s->cancelled))
			return ECANCELED;
		r.len = min_u64(s->piece - r.offset % s->piece, end - r.offset);
		fail = op == BLK_DISCARD ? discard(s, &r) : write_zeroes(s, &r);
		if (fail)
			return errno;
		r.offset += r.len;
	}
	return 0;
}

static int carry_out(const struct blk_slow *s, const struct blk_task *t)
{
	const struct blk_request *rq = &t->rq;

	for (unsigned int i = 0; i < rq->nranges; i++) {
		int err = do_range(s, rq->op, rq->range[i]);

		if (err)
			return err;
	}
	/* Zeros are data and must become durable; a discard has nothing to lose. */
	if (t->through && rq->op == BLK_WRITE_ZEROES && fdatasync(s->fd))
		return errno;
	return 0;
}

static void *slow_thread(void *arg)
{
	struct blk_slow *s = arg;
	struct blk_task *t;

	sandbox_enter(SANDBOX_DISK_SLOW);
	pthread_mutex_lock(&s->lock);
	for (;;) {
		t = task_list_take(&s->todo);
		if (!t && s->quit)
			break;
		if (!t) {
			pthread_cond_wait(&s->cond, &s->lock);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		t->error = carry_out(s, t);
		pthread_mutex_lock(&s->lock);
		task_list_add(&s->done, t);
		event_signal(s->done_fd);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int blk_slow_init(struct blk_slow *s, int fd, bool is_blockdev, uint64_t granularity)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->is_blockdev = is_blockdev;
	s->piece = RANGE_BYTES;
	if (granularity)
		s->piece = granularity * ((RANGE_BYTES + granularity - 1) / granularity);
	task_list_init(&s->todo);
	task_list_init(&s->done);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->cond, NULL);
	s->done_fd = eventfd(0, EFD_CLOEXEC);
	return s->done_fd < 0 ? -errno : 0;
}

int blk_slow_start(struct blk_slow *s)
{
	int err = pthread_create(&s->thread, NULL, slow_thread, s);

	s->started = !err;
	return -err;
}

void blk_slow_cancel(struct blk_slow *s)
{
	struct blk_task *t;

	atomic_store(&s->cancelled, true);
	pthread_mutex_lock(&s->lock);
	while ((t = task_list_take(&s->todo))) {
		t->error = ECANCELED;
		task_list_add(&s->done, t);
	}
	pthread_mutex_unlock(&s->lock);
}

bool blk_slow_stop(struct blk_slow *s, const struct timespec *until)
{
	if (s->started) {
		pthread_mutex_lock(&s->lock);
		s->quit = true;
		pthread_cond_signal(&s->cond);
		pthread_mutex_unlock(&s->lock);
		if (pthread_clockjoin_np(s->thread, NULL, CLOCK_MONOTONIC, until))
			return false;
		s->started = false;
	}
	close(s->done_fd);
	return true;
}

void blk_slow_submit(struct blk_slow *s, struct blk_task *t)
{
	pthread_mutex_lock(&s->lock);
	task_list_add(&s->todo, t);
	pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&s->lock);
}

struct blk_task *blk_slow_collect(struct blk_slow *s)
{
	struct blk_task *t;

	pthread_mutex_lock(&s->lock);
	t = task_list_take(&s->done);
	pthread_mutex_unlock(&s->lock);
	return t;
}
