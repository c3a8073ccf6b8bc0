// SPDX-License-Identifier: GPL-2.0-only
/*
 * The thread of a disk. It waits in a single place, the ring: for notifications by the guest,
 * completions, finished discards, and for "start", "reset" and "quit" from vCPU threads, upon which
 * it reads the state of the device under its lock.
 *
 *     stopped --start--> running --reset, nothing in flight--> stopped
 *                           |
 *                           +--rule broken--> broken --reset, nothing in flight--> stopped
 *
 * "Quit" ends it in each of these states. The guest may have queued the work of hours: only what
 * the kernel has is waited for, which is little (blk-io.h, blk-slow.c).
 *
 * While the device is running only this thread uses its queues, so the data path takes no lock.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "blk-io.h"
#include "blk-limits.h"
#include "blk-slow.h"
#include "blk-task.h"
#include "blk.h"
#include "sandbox.h"
#include "term.h"
#include "util.h"

#define PCI_CLASS_STORAGE	0x018000
#define CONFIG_LEN		offsetof(struct virtio_blk_config, max_secure_erase_sectors)

/* Files of the ring, and tags for the reads from them. Tags are odd, unlike pointers to tasks. */
enum { FILE_DISK, FILE_CTL, FILE_SLOW, FILE_KICK, FILE_MAX = FILE_KICK + VIRTIO_MAX_QUEUES };
#define TAG(file)		((uint64_t)(file) << 1 | 1)
#define IS_TAG(data)		((data) & 1)
#define TAG_FILE(data)		((data) >> 1)

static struct blk_device *to_blk(struct virtio_device *vdev)
{
	return container_of(vdev, struct blk_device, vdev);
}

static struct virtio_blk_config make_config(const struct blk_device *dev)
{
	const struct blk_limits *lim = &dev->lim;
	unsigned int exp = 0;

	while (lim->block_size << exp < lim->physical_block_size)
		exp++;
	return (struct virtio_blk_config) {
		.capacity = blk_capacity(lim) >> SECTOR_BITS,
		.seg_max = BLK_QUEUE_SIZE - 2,	/* header and answer are segments, too */
		.blk_size = lim->block_size,
		.physical_block_exp = exp,
		.alignment_offset = lim->alignment_offset / lim->block_size,
		.min_io_size = lim->min_io / lim->block_size,
		.opt_io_size = lim->opt_io / lim->block_size,
		.wce = atomic_load(&dev->writeback),
		.num_queues = dev->vdev.nqueues,
		.max_discard_sectors = lim->max_discard >> SECTOR_BITS,
		.max_discard_seg = BLK_MAX_RANGES,
		.discard_sector_alignment = lim->discard_granularity >> SECTOR_BITS,
		.max_write_zeroes_sectors = lim->max_write_zeroes >> SECTOR_BITS,
		.max_write_zeroes_seg = BLK_MAX_RANGES,
		.write_zeroes_may_unmap = 1,
	};
}

static void config_read(struct virtio_device *vdev, uint32_t off, void *data, unsigned int len)
{
	struct virtio_blk_config c = make_config(to_blk(vdev));

	memcpy(data, (uint8_t *)&c + off, len);
}

static void config_write(struct virtio_device *vdev, uint32_t off, const void *data,
			 unsigned int len)
{
	if (off == offsetof(struct virtio_blk_config, wce) && len == 1 &&
	    virtio_has(vdev, VIRTIO_BLK_F_CONFIG_WCE))
		atomic_store(&to_blk(vdev)->writeback, *(const uint8_t *)data & 1);
}

/* All three just wake the thread, which then finds out the reason. */
static void wake(struct virtio_device *vdev)
{
	event_signal(to_blk(vdev)->ctl_fd);
}

static const struct virtio_ops blk_ops = {
	.config_read = config_read,
	.config_write = config_write,
	.start = wake,
	.reset = wake,
};

static uint64_t make_features(const struct blk_limits *lim, unsigned int nqueues)
{
	uint64_t f = FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |
		     FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_BLK_F_SEG_MAX) |
		     FEATURE(VIRTIO_BLK_F_BLK_SIZE) | FEATURE(VIRTIO_BLK_F_TOPOLOGY) |
		     FEATURE(VIRTIO_BLK_F_FLUSH) | FEATURE(VIRTIO_BLK_F_CONFIG_WCE);

	if (nqueues > 1)
		f |= FEATURE(VIRTIO_BLK_F_MQ);
	if (lim->readonly)
		f |= FEATURE(VIRTIO_BLK_F_RO);
	if (lim->max_discard)
		f |= FEATURE(VIRTIO_BLK_F_DISCARD);
	if (lim->max_write_zeroes)
		f |= FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
	return f;
}

static struct blk_task *get_task(struct blk_queue *q)
{
	struct blk_task *t = q->free;

	q->free = t->next;
	q->dev->in_flight++;
	return t;
}

static void put_task(struct blk_task *t)
{
	t->next = t->queue->free;
	t->queue->free = t;
	t->queue->dev->in_flight--;
}

static void break_device(struct blk_device *dev, const char *rule)
{
	if (!dev->broken)
		virtio_needs_reset(&dev->vdev, rule);
	dev->broken = true;
}

static void complete(struct blk_task *t, uint8_t answer)
{
	struct blk_queue *q = t->queue;
	uint32_t len = blk_answer(&t->rq, answer);

	/* A device that needs a reset must not use the queue any more. */
	if (!q->dev->broken)
		vq_push(&q->vq, t->chain.head, len);
	put_task(t);
}

static uint8_t answer_for(int error)
{
	switch (error) {
	case 0:
		return VIRTIO_BLK_S_OK;
	case EOPNOTSUPP:
		return VIRTIO_BLK_S_UNSUPP;
	default:
		return VIRTIO_BLK_S_IOERR;
	}
}

static void start_task(struct blk_device *dev, struct blk_task *t)
{
	t->error = 0;
	/*
	 * If the guest cannot flush, or has turned the cache off, it relies on writes being
	 * durable.
	 */
	t->through = !dev->can_flush || !atomic_load(&dev->writeback);
	switch (t->rq.op) {
	case BLK_ANSWER:
		complete(t, t->rq.answer);
		break;
	case BLK_DISCARD:
	case BLK_WRITE_ZEROES:
		blk_slow_submit(&dev->slow, t);
		break;
	default:
		blk_io_start(&dev->io, t);
	}
}

/* Take a request from the queue; false if there is none. */
static bool take_one(struct blk_device *dev, struct blk_queue *q)
{
	struct blk_task *t = q->free;
	int r;

	/*
	 * There are as many tasks as entries in the largest queue, so they never run out before the
	 * driver's buffers.
	 */
	if (!t)
		return false;
	r = vq_pop(&q->vq, &t->chain);
	if (r > 0) {
		get_task(q);
		if (!blk_parse(&t->rq, &dev->lim, &t->chain)) {
			start_task(dev, t);
			return true;
		}
		put_task(t);
		break_device(dev, "request without a whole header or without room for the answer");
	} else if (r < 0) {
		break_device(dev, q->vq.broken);
	}
	return false;
}

static void process_queue(struct blk_device *dev, struct blk_queue *q)
{
	bool more;

	if (!q->live || dev->io.cancelled)
		return;
	do {
		vq_kicks_off(&q->vq);
		while (!dev->broken && take_one(dev, q))
			;
		/* Even if all tasks are in use: otherwise the driver would never notify again. */
		more = !dev->broken && vq_kicks_on(&q->vq);
		if (more && !q->free)
			break_device(dev, "more buffers available than the ring has");
	} while (more && !dev->broken);
}

static void interrupt_guest(struct blk_device *dev)
{
	for (unsigned int i = 0; i < dev->vdev.nqueues; i++)
		if (dev->queue[i].live && !dev->broken && vq_interrupt_due(&dev->queue[i].vq))
			virtio_interrupt(&dev->vdev, i);
}

/* The driver is ready. vdev->lock is held, so the configuration does not change. */
static const char *setup_queues(struct blk_device *dev)
{
	struct virtio_device *vdev = &dev->vdev;

	for (unsigned int i = 0; i < vdev->nqueues; i++) {
		struct blk_queue *q = &dev->queue[i];

		q->live = false;
		if (!vdev->queue[i].enabled)
			continue;
		if (vq_init(&q->vq, vdev->mem, &vdev->queue[i].cfg,
			    virtio_has(vdev, VIRTIO_RING_F_INDIRECT_DESC),
			    virtio_has(vdev, VIRTIO_RING_F_EVENT_IDX)))
			return q->vq.broken;
		q->live = true;
	}
	return NULL;
}

static void look_at_state(struct blk_device *dev)
{
	struct virtio_device *vdev = &dev->vdev;
	const char *rule = NULL;
	bool start;

	pthread_mutex_lock(&vdev->lock);
	start = vdev->started && !vdev->resetting && !dev->running;
	if (start) {
		dev->running = true;
		dev->broken = false;
		dev->can_flush = virtio_has(vdev, VIRTIO_BLK_F_FLUSH);
		rule = setup_queues(dev);
	}
	pthread_mutex_unlock(&vdev->lock);

	if (rule)
		break_device(dev, rule);
	/* Notifications before the start were ignored, so check all queues now. */
	for (unsigned int i = 0; start && i < vdev->nqueues; i++)
		process_queue(dev, &dev->queue[i]);
}

/* During a reset no request is started. The reset is complete when nothing is in flight. */
static bool is_resetting(struct blk_device *dev)
{
	bool r;

	pthread_mutex_lock(&dev->vdev.lock);
	r = dev->vdev.resetting;
	pthread_mutex_unlock(&dev->vdev.lock);
	return r;
}

static void finish_reset(struct blk_device *dev)
{
	for (unsigned int i = 0; i < dev->vdev.nqueues; i++)
		dev->queue[i].live = false;
	dev->running = false;
	dev->broken = false;
	atomic_store(&dev->writeback, true);
	virtio_reset_done(&dev->vdev);
}

static void watch(struct blk_device *dev, unsigned int file)
{
	uint64_t *count;

	if (file == FILE_CTL)
		count = &dev->ctl_count;
	else if (file == FILE_SLOW)
		count = &dev->slow_count;
	else
		count = &dev->queue[file - FILE_KICK].kicks;
	blk_io_watch(&dev->io, file, count, TAG(file));
	dev->watches++;
}

/*
 * Without room a write can be repeated when there is some, and the guest never knows. A flush must
 * not be repeated after any other error, nor in the page cache: what it should have made durable
 * may have been dropped, and the repetition would succeed.
 */
static bool is_to_wait(const struct blk_device *dev, const struct blk_task *t)
{
	enum blk_on_error what = t->rq.op == BLK_READ ? dev->rerror : dev->werror;
	bool full = t->error == ENOSPC || t->error == EDQUOT;

	if (!t->error || t->error == EOPNOTSUPP || dev->io.cancelled)
		return false;
	if (t->rq.op == BLK_FLUSH && (!full || dev->lim.memory_align == 1))
		return false;
	return what == BLK_STOP || (what == BLK_ENOSPC && full);
}

static void finish_task(struct blk_device *dev, struct blk_task *t)
{
	if (!is_to_wait(dev, t)) {
		complete(t, answer_for(t->error));
		return;
	}
	task_list_add(&dev->parked, t);
	atomic_store(&dev->stopped_by, t->error);
	event_signal(dev->pause_fd);
}

static void retry_parked(struct blk_device *dev, bool resetting)
{
	struct blk_task *t, *next = dev->parked.first;

	task_list_init(&dev->parked);
	while ((t = next)) {
		next = t->next;
		/* The driver has given it up. */
		if (resetting)
			complete(t, VIRTIO_BLK_S_IOERR);
		else if (t->rq.op == BLK_DISCARD || t->rq.op == BLK_WRITE_ZEROES)
			blk_slow_submit(&dev->slow, t);
		else
			blk_io_retry(&dev->io, t);
	}
}

static void collect_slow(struct blk_device *dev)
{
	struct blk_task *t;

	while ((t = blk_slow_collect(&dev->slow)))
		finish_task(dev, t);
}

/* Findings of one iteration of the loop. */
struct turn {
	bool state;			/* the state of the device may have changed */
	uint32_t kicked;		/* queues, one bit each */
};

static void handle_completion(struct blk_device *dev, uint64_t data, int res, struct turn *turn)
{
	unsigned int file = TAG_FILE(data);
	struct blk_task *t;

	if (!IS_TAG(data)) {
		t = (struct blk_task *)(uintptr_t)data;
		if (blk_io_step(&dev->io, t, res))
			finish_task(dev, t);
		return;
	}
	if (file == FILE_CTL)
		turn->state = true;
	else if (file == FILE_SLOW)
		collect_slow(dev);
	else
		turn->kicked |= 1U << (file - FILE_KICK);
	dev->watches--;
	if (!dev->io.cancelled || file == FILE_SLOW)
		watch(dev, file);
}

static void cancel_all(struct blk_device *dev)
{
	struct blk_task *t;

	blk_io_cancel(&dev->io);
	blk_slow_cancel(&dev->slow);
	while ((t = blk_io_take_cancelled(&dev->io)))
		complete(t, VIRTIO_BLK_S_IOERR);
	while ((t = task_list_take(&dev->parked)))
		complete(t, VIRTIO_BLK_S_IOERR);
	collect_slow(dev);
}

static void turn_once(struct blk_device *dev, bool *resetting)
{
	struct turn turn = { 0 };
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	if (atomic_load(&dev->quit) && !dev->io.cancelled)
		cancel_all(dev);
	io_uring_for_each_cqe(&dev->io.ring, head, cqe) {
		handle_completion(dev, cqe->user_data, cqe->res, &turn);
		n++;
	}
	io_uring_cq_advance(&dev->io.ring, n);
	blk_io_continue(&dev->io);

	if (turn.state) {
		*resetting = is_resetting(dev);
		if (atomic_exchange(&dev->retry, false))
			retry_parked(dev, *resetting);
		look_at_state(dev);
	}
	for (unsigned int i = 0; dev->running && !*resetting && turn.kicked >> i; i++)
		if (turn.kicked >> i & 1)
			process_queue(dev, &dev->queue[i]);
	interrupt_guest(dev);
	if (*resetting && !dev->in_flight) {
		finish_reset(dev);
		*resetting = false;
	}
}

/*
 * When this thread shares a processor with a vCPU, a notification must not preempt the guest before
 * it has submitted everything: otherwise each request would cost two context switches, at any queue
 * depth. A SCHED_BATCH thread waits until the vCPU halts or its time slice ends; on an idle
 * processor it starts at once nevertheless. A policy chosen by the user (chrt) is kept.
 */
static void let_the_guest_finish(void)
{
	struct sched_param p;
	int policy;

	if (!pthread_getschedparam(pthread_self(), &policy, &p) && policy == SCHED_OTHER)
		pthread_setschedparam(pthread_self(), SCHED_BATCH, &p);
}

static void wait_for_ring(struct blk_device *dev)
{
	int err = io_uring_submit_and_wait(&dev->io.ring, 1);

	if (err < 0 && err != -EINTR && err != -EAGAIN && err != -EBUSY) {
		say_errno(-err, "the io_uring failed");
		term_fatal();
	}
}

/*
 * Whoever waits for the launcher's end wants to use the disk then, to mount it for example. The ring
 * cannot let go of its files while it reads from one of them, so let it read something.
 */
static void release_files(struct blk_device *dev)
{
	struct io_uring_cqe *cqe;

	event_signal(dev->ctl_fd);
	event_signal(dev->slow.done_fd);
	for (unsigned int i = 0; i < dev->vdev.nqueues; i++)
		event_signal(dev->vdev.queue[i].kick_fd);
	while (dev->watches) {
		wait_for_ring(dev);
		while (!io_uring_peek_cqe(&dev->io.ring, &cqe)) {
			io_uring_cqe_seen(&dev->io.ring, cqe);
			dev->watches--;
		}
	}
	blk_io_release_files(&dev->io);
}

static void *blk_thread(void *arg)
{
	struct blk_device *dev = arg;
	bool resetting = false;
	int err;

	err = blk_io_enable(&dev->io);
	if (err) {
		say_errno(-err, "cannot enable the io_uring");
		term_fatal();
	}
	let_the_guest_finish();
	sandbox_enter(SANDBOX_DISK);
	for (unsigned int i = FILE_CTL; i < FILE_KICK + dev->vdev.nqueues; i++)
		watch(dev, i);
	while (!dev->io.cancelled || dev->in_flight) {
		wait_for_ring(dev);
		turn_once(dev, &resetting);
	}
	release_files(dev);
	return NULL;
}

static int init_queue(struct blk_device *dev, unsigned int index)
{
	struct blk_queue *q = &dev->queue[index];

	q->dev = dev;
	q->index = index;
	/* Zeroed pages take no memory until they are used. */
	q->tasks = calloc(BLK_QUEUE_SIZE, sizeof(*q->tasks));
	if (!q->tasks)
		return -ENOMEM;
	for (unsigned int i = 0; i < BLK_QUEUE_SIZE; i++) {
		q->tasks[i].queue = q;
		q->tasks[i].next = q->free;
		q->free = &q->tasks[i];
	}
	return 0;
}

int blk_init(struct blk_device *dev, const struct guest_mem *mem, unsigned int nqueues)
{
	struct virtio_device *vdev = &dev->vdev;
	int files[FILE_MAX];
	int err;

	vdev->ops = &blk_ops;
	vdev->mem = mem;
	vdev->id = VIRTIO_ID_BLOCK;
	vdev->pci_class = PCI_CLASS_STORAGE;
	vdev->config_len = CONFIG_LEN;
	vdev->offered = make_features(&dev->lim, nqueues);
	atomic_init(&dev->writeback, true);
	task_list_init(&dev->parked);
	err = virtio_init(vdev, nqueues);
	for (unsigned int i = 0; i < nqueues && !err; i++)
		err = init_queue(dev, i);
	dev->ctl_fd = eventfd(0, EFD_CLOEXEC);
	if (!err && dev->ctl_fd < 0)
		err = -errno;
	if (!err)
		err = blk_slow_init(&dev->slow, dev->fd, dev->is_blockdev,
				    dev->lim.discard_granularity);
	if (err)
		return say_errno(-err, "cannot set up a disk");

	files[FILE_DISK] = dev->fd;
	files[FILE_CTL] = dev->ctl_fd;
	files[FILE_SLOW] = dev->slow.done_fd;
	for (unsigned int i = 0; i < nqueues; i++)
		files[FILE_KICK + i] = vdev->queue[i].kick_fd;
	return blk_io_init(&dev->io, &dev->lim, files, FILE_KICK + nqueues);
}

int blk_start(struct blk_device *dev)
{
	int err = blk_slow_start(&dev->slow);

	if (!err) {
		err = -pthread_create(&dev->thread, NULL, blk_thread, dev);
		dev->thread_started = !err;
	}
	return err ? say_errno(-err, "cannot start a disk's thread") : 0;
}

int blk_stopped(struct blk_device *dev)
{
	return atomic_exchange(&dev->stopped_by, 0);
}

void blk_retry(struct blk_device *dev)
{
	atomic_store(&dev->retry, true);
	event_signal(dev->ctl_fd);
}

int blk_update_size(struct blk_device *dev)
{
	uint64_t bytes;
	int err = blk_read_size(dev, &bytes);

	if (err)
		return err;
	bytes = ALIGN_DOWN(bytes, (uint64_t)dev->lim.block_size);
	if (bytes == blk_capacity(&dev->lim))
		return 0;
	/* Before the start there is no driver, and perhaps no lock. */
	if (dev->thread_started)
		pthread_mutex_lock(&dev->vdev.lock);
	__atomic_store_n(&dev->lim.capacity, bytes, __ATOMIC_RELAXED);
	if (dev->thread_started) {
		virtio_config_changed(&dev->vdev);
		pthread_mutex_unlock(&dev->vdev.lock);
	}
	return 1;
}

void blk_quit(struct blk_device *dev)
{
	atomic_store(&dev->quit, true);
	event_signal(dev->ctl_fd);
}

bool blk_stop(struct blk_device *dev, const struct timespec *until)
{
	if (dev->thread_started &&
	    pthread_clockjoin_np(dev->thread, NULL, CLOCK_MONOTONIC, until))
		return false;
	dev->thread_started = false;
	if (!blk_slow_stop(&dev->slow, until))
		return false;
	if (!dev->lim.readonly && fdatasync(dev->fd))
		say_errno(errno, "a disk cannot be flushed");
	blk_io_destroy(&dev->io);
	for (unsigned int i = 0; i < dev->vdev.nqueues; i++) {
		close(dev->vdev.queue[i].kick_fd);
		free(dev->queue[i].tasks);
	}
	close(dev->ctl_fd);
	close(dev->fd);
	return true;
}
