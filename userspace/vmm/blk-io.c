// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disk I/O by io_uring. Data moves directly between the disk and the memory of the guest if
 * alignment allows it, else through a bounce buffer. The number of these is fixed: a guest with
 * many misaligned buffers has to wait and does not use up memory of the host.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "blk-io.h"
#include "blk-task.h"
#include "blk.h"
#include "util.h"

#define RING_ENTRIES	256
/* Room for everything that can be in flight, so that completions never overflow. */
#define COMPLETIONS	(2 * VIRTIO_MAX_QUEUES * BLK_QUEUE_SIZE)
#define DISK_FILE	0

/* liburing names these from 2.2 and 2.3 on. Older kernels refuse them, which is harmless. */
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER	(1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN	(1U << 13)
#endif

/* liburing 2.3 declares functions for both uses but does not export them. */
static int ring_register(const struct io_uring *ring, unsigned int op, void *arg, unsigned int n)
{
	return syscall(SYS_io_uring_register, ring->ring_fd, op, arg, n) < 0 ? -errno : 0;
}

/*
 * Operations of io_uring bypass seccomp, so the ring itself is restricted: four operations, on
 * registered files only. Nothing can be registered, and only the files be given back.
 */
static int restrict_ring(struct io_uring *ring)
{
	static const unsigned int ops[] = {
		IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_READ, IORING_OP_FSYNC,
	};
	struct io_uring_restriction r[ARRAY_SIZE(ops) + 3] = { 0 };
	unsigned int n = 0;

	for (; n < ARRAY_SIZE(ops); n++) {
		r[n].opcode = IORING_RESTRICTION_SQE_OP;
		r[n].sqe_op = ops[n];
	}
	r[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	r[n++].sqe_flags = IOSQE_FIXED_FILE;
	r[n].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	r[n++].sqe_flags = IOSQE_FIXED_FILE;
	r[n].opcode = IORING_RESTRICTION_REGISTER_OP;
	r[n++].register_op = IORING_UNREGISTER_FILES;
	return ring_register(ring, IORING_REGISTER_RESTRICTIONS, r, n);
}

/* Rights have been given up by now, so it does not matter what root may. */
#define FORBIDDEN	" (if sysctl kernel.io_uring_disabled is 1, the group of the launcher has to be " \
			"that of kernel.io_uring_group: --user USER:GROUP; if it is 2, nobody may)"

static int create_ring(struct io_uring *ring)
{
	/* The best choice first; EINVAL means that the kernel does not know a flag. */
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	int err = -EINVAL;

	for (unsigned int i = 0; i < ARRAY_SIZE(flags) && err == -EINVAL; i++) {
		struct io_uring_params p = {
			.flags = flags[i] | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
			.cq_entries = COMPLETIONS,
		};

		err = io_uring_queue_init_params(RING_ENTRIES, ring, &p);
	}
	return err;
}

int blk_io_init(struct blk_io *io, const struct blk_limits *lim, const int *files,
		unsigned int nfiles)
{
	int err;

	memset(io, 0, sizeof(*io));
	io->lim = lim;
	io->disk = DISK_FILE;
	task_list_init(&io->waiting);
	task_list_init(&io->backlog);
	io->bounce_memory = aligned_alloc(PAGE_BYTES, BOUNCE_BUFFERS * BOUNCE_BYTES);
	if (!io->bounce_memory)
		return -ENOMEM;
	for (; io->nbounce < BOUNCE_BUFFERS; io->nbounce++)
		io->bounce_pool[io->nbounce] = io->bounce_memory + io->nbounce * BOUNCE_BYTES;

	err = create_ring(&io->ring);
	if (err) {
		say_errno(-err, "cannot create an io_uring%s",
			  err == -EPERM ? FORBIDDEN : "");
		free(io->bounce_memory);
		return err;
	}
	err = io_uring_register_files(&io->ring, files, nfiles);
	if (!err)
		err = restrict_ring(&io->ring);
	if (err) {
		say_errno(-err, "cannot restrict the io_uring");
		blk_io_destroy(io);
	}
	return err;
}

int blk_io_enable(struct blk_io *io)
{
	return ring_register(&io->ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

void blk_io_release_files(struct blk_io *io)
{
	int err = ring_register(&io->ring, IORING_UNREGISTER_FILES, NULL, 0);

	if (err)
		say_errno(-err, "the io_uring keeps its files");
}

void blk_io_destroy(struct blk_io *io)
{
	io_uring_queue_exit(&io->ring);
	free(io->bounce_memory);
	io->bounce_memory = NULL;
}

static struct io_uring_sqe *get_sqe(struct blk_io *io)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);

	while (!sqe) {
		/* Full: submit what is there; the kernel takes all of it. */
		io_uring_submit(&io->ring);
		sqe = io_uring_get_sqe(&io->ring);
	}
	return sqe;
}

void blk_io_watch(struct blk_io *io, unsigned int file, uint64_t *count, uint64_t tag)
{
	struct io_uring_sqe *sqe = get_sqe(io);

	io_uring_prep_read(sqe, file, count, sizeof(*count), 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = tag;
}

/* The next part of a request that goes through its bounce buffer. */
static struct iov_list bounce_piece(struct blk_task *t)
{
	t->one.iov_base = t->bounce;
	t->one.iov_len = t->piece = min_u64(t->rq.len - t->done, BOUNCE_BYTES);
	if (t->rq.op == BLK_WRITE)
		iov_read(&t->rq.data, t->done, t->bounce, t->piece);
	return (struct iov_list) { &t->one, 1 };
}

/*
 * The next part of a request that is transferred in place: as many whole buffers as fit, or a part
 * of one that does not.
 */
static struct iov_list direct_piece(struct blk_task *t)
{
	struct iov_list p = { t->left.v, 0 };

	t->piece = t->rq.len - t->done;
	if (t->rq.len - t->done <= PIECE_BYTES)
		return t->left;
	t->piece = 0;
	while (p.n < t->left.n && t->piece + t->left.v[p.n].iov_len <= PIECE_BYTES)
		t->piece += t->left.v[p.n++].iov_len;
	if (p.n)
		return p;
	t->piece = PIECE_BYTES;
	t->one = (struct iovec) { t->left.v->iov_base, PIECE_BYTES };
	return (struct iov_list) { &t->one, 1 };
}

/*
 * What a request counts for while the kernel has it. A flush has no size, but takes long: it counts
 * so much that there are no more than eight.
 */
static uint32_t cost(const struct blk_task *t)
{
	if (t->rq.op == BLK_FLUSH)
		return KERNEL_BYTES / 8;
	return min_u64(t->rq.len - t->done, t->bounce ? BOUNCE_BYTES : PIECE_BYTES);
}

static bool has_room(const struct blk_io *io, const struct blk_task *t)
{
	return io->ops < KERNEL_OPS && io->bytes + cost(t) <= KERNEL_BYTES;
}

static void give_to_kernel(struct blk_io *io, struct blk_task *t)
{
	struct io_uring_sqe *sqe = get_sqe(io);
	uint64_t at = t->rq.offset + t->done;
	struct iov_list data = { 0 };

	t->cost = cost(t);
	io->bytes += t->cost;
	io->ops++;
	if (t->rq.op != BLK_FLUSH)
		data = t->bounce ? bounce_piece(t) : direct_piece(t);

	if (t->rq.op == BLK_FLUSH)
		io_uring_prep_fsync(sqe, io->disk, IORING_FSYNC_DATASYNC);
	else if (t->rq.op == BLK_READ)
		io_uring_prep_readv(sqe, io->disk, data.v, data.n, at);
	else
		io_uring_prep_writev2(sqe, io->disk, data.v, data.n, at, t->through ? RWF_DSYNC : 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, t);
}

static void submit(struct blk_io *io, struct blk_task *t)
{
	if (io->backlog.first || !has_room(io, t))
		task_list_add(&io->backlog, t);
	else
		give_to_kernel(io, t);
}

void blk_io_start(struct blk_io *io, struct blk_task *t)
{
	t->done = 0;
	t->left = t->rq.data;
	t->bounced = t->rq.op != BLK_FLUSH && !iov_aligned(&t->rq.data, io->lim->memory_align);
	blk_io_retry(io, t);
}

void blk_io_retry(struct blk_io *io, struct blk_task *t)
{
	if (t->bounced && !io->nbounce) {
		task_list_add(&io->waiting, t);
		return;
	}
	if (t->bounced)
		t->bounce = io->bounce_pool[--io->nbounce];
	submit(io, t);
}

void blk_io_continue(struct blk_io *io)
{
	while (io->backlog.first && has_room(io, io->backlog.first))
		give_to_kernel(io, task_list_take(&io->backlog));
	while (io->waiting.first && io->nbounce)
		blk_io_retry(io, task_list_take(&io->waiting));
}

static bool finish(struct blk_io *io, struct blk_task *t, int error)
{
	t->error = error;
	if (t->bounce)
		io->bounce_pool[io->nbounce++] = t->bounce;
	t->bounce = NULL;
	return true;
}

/* Something of the request is left to do. */
static bool next_piece(struct blk_io *io, struct blk_task *t)
{
	if (io->cancelled)
		return finish(io, t, ECANCELED);
	submit(io, t);
	return false;
}

void blk_io_cancel(struct blk_io *io)
{
	io->cancelled = true;
}

struct blk_task *blk_io_take_cancelled(struct blk_io *io)
{
	struct blk_task *t = task_list_take(&io->backlog);

	if (!t)
		t = task_list_take(&io->waiting);
	if (t)
		finish(io, t, ECANCELED);
	return t;
}

bool blk_io_step(struct blk_io *io, struct blk_task *t, int res)
{
	io->bytes -= t->cost;
	io->ops--;
	if (res == -EINTR || res == -EAGAIN)
		return next_piece(io, t);
	if (res < 0 || t->rq.op == BLK_FLUSH)
		return finish(io, t, res < 0 ? -res : 0);
	/*
	 * Nothing transferred, or a part that ends within a block: the file was truncated, or the
	 * disk is faulty.
	 */
	if (!res || ((uint32_t)res < t->piece && res & (io->lim->block_size - 1)))
		return finish(io, t, EIO);

	if (!t->bounce)
		iov_drop_front(&t->left, res);
	else if (t->rq.op == BLK_READ)
		iov_write(&t->rq.data, t->done, t->bounce, res);
	t->done += res;
	if (t->done >= t->rq.len)
		return finish(io, t, 0);
	return next_piece(io, t);
}
