// SPDX-License-Identifier: GPL-2.0-only
/*
 * A complete disk without its transport: threads, io_uring and a file, driven by a ring in memory
 * and two eventfds, in place of a guest and KVM.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blk-limits.h"
#include "blk.h"
#include "driver.h"
#include "frozen-clock.h"
#include "util.h"

#define NEXT		VRING_DESC_F_NEXT
#define WRITE		VRING_DESC_F_WRITE
#define DISK_BYTES	(4UL << 20)
#define RING		64
#define TIMEOUT_MS	20000
/* Each slot has its header at 0 and its answer at 16; data is in the large area behind. */
#define SLOT(i)		(TABLE_GPA + (i) * 32UL)
#define DATA(i)		(DATA_GPA + (i) * 8192UL)

/*
 * valgrind runs one thread at a time and does not know that io_uring_enter() may block: while the
 * thread of the disk is in there, no other thread would run. So with valgrind that thread polls and
 * sleeps in turns (the linker redirects the call of the device to this).
 */
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned int n);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int n);

/* A gate before the ring, for the thread of a disk that has taken so many requests. */
static pthread_mutex_t ring_gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int at_ring;
static const struct blk_device *gated;
#define GATED_REQUESTS	20

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int n)
{
	int ret;

	if (gated && gated->in_flight == GATED_REQUESTS) {
		atomic_fetch_add(&at_ring, 1);
		pthread_mutex_lock(&ring_gate);
		pthread_mutex_unlock(&ring_gate);
	}
	if (!getenv("TEST_UNDER_VALGRIND"))
		return __real_io_uring_submit_and_wait(ring, n);
	ret = io_uring_submit(ring);
	while (ret >= 0 && io_uring_cq_ready(ring) < n) {
		usleep(500);
		ret = io_uring_get_events(ring);
	}
	return ret;
}

/* As with the sysctl kernel.io_uring_disabled. */
static bool no_rings;

int __real_io_uring_queue_init_params(unsigned int n, struct io_uring *ring,
				      struct io_uring_params *p);
int __wrap_io_uring_queue_init_params(unsigned int n, struct io_uring *ring,
				      struct io_uring_params *p);

int __wrap_io_uring_queue_init_params(unsigned int n, struct io_uring *ring,
				      struct io_uring_params *p)
{
	return no_rings ? -EPERM : __real_io_uring_queue_init_params(n, ring, p);
}

/* A gate before fallocate(), which discards on a file: keeps a discard in flight. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int at_gate;
static _Atomic off_t gate_len;		/* of the last one there */
static _Atomic int gate_error;		/* what the calls return, if it is not 0 */

int __real_fallocate64(int fd, int mode, off_t off, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t off, off_t len);

int __wrap_fallocate64(int fd, int mode, off_t off, off_t len)
{
	int ret;

	atomic_store(&gate_len, len);
	atomic_fetch_add(&at_gate, 1);
	pthread_mutex_lock(&gate);
	errno = atomic_load(&gate_error);
	ret = errno ? -1 : __real_fallocate64(fd, mode, off, len);
	pthread_mutex_unlock(&gate);
	return ret;
}

#define WAIT_UNTIL(condition) \
	for (int waited = 0; !(condition); waited++) { \
		assert_true(waited < TIMEOUT_MS); \
		usleep(1000); \
	}

struct fixture {
	struct driver d;
	struct blk_device blk;
	int call, config_call, pause;
	char path[64];
	int fd;				/* the same file, apart from the device */
};

static void write_status(struct fixture *f, uint8_t status)
{
	pthread_mutex_lock(&f->blk.vdev.lock);
	virtio_write_status(&f->blk.vdev, status);
	pthread_mutex_unlock(&f->blk.vdev.lock);
}

static uint8_t read_status(struct fixture *f)
{
	uint8_t s;

	pthread_mutex_lock(&f->blk.vdev.lock);
	s = virtio_status(&f->blk.vdev);
	pthread_mutex_unlock(&f->blk.vdev.lock);
	return s;
}

/* Bring the device up as a driver does. */
static void bring_up(struct fixture *f, uint64_t features)
{
	struct virtio_device *v = &f->blk.vdev;

	write_status(f, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	v->accepted = features | FEATURE(VIRTIO_F_VERSION_1);
	write_status(f, VIRTIO_CONFIG_S_FEATURES_OK);
	assert_true(read_status(f) & VIRTIO_CONFIG_S_FEATURES_OK);
	v->queue[0].cfg = driver_config(&f->d);
	v->queue[0].enabled = true;
	atomic_store(&v->queue[0].call_fd, f->call);
	atomic_store(&v->config_call_fd, f->config_call);
	write_status(f, VIRTIO_CONFIG_S_DRIVER_OK);
}

static int start_device(struct fixture *f, bool readonly)
{
	if (blk_open(&f->blk, f->path, readonly, "unit-test"))
		return -1;
	f->blk.pause_fd = f->pause;
	return blk_init(&f->blk, &f->d.mem, 1) || blk_start(&f->blk);
}

/* valgrind does not see that the kernel writes there. */
static void define_bounce_buffers(struct fixture *f)
{
	memset(f->blk.io.bounce_memory, 0, BOUNCE_BUFFERS * BOUNCE_BYTES);
}

static int setup_files(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	driver_init(&f->d, RING);
	snprintf(f->path, sizeof(f->path), "%s/test-blk.XXXXXX", getenv("TMPDIR") ?: "/var/tmp");
	f->fd = mkstemp(f->path);
	f->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->config_call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->pause = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return f->fd < 0 || ftruncate(f->fd, DISK_BYTES);
}

static int setup(void **state)
{
	int err = setup_files(state);
	struct fixture *f = *state;

	if (!err)
		err = start_device(f, false);
	if (!err)
		bring_up(f, f->blk.vdev.offered);
	return err;
}

static int teardown_files(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	close(f->call);
	close(f->config_call);
	close(f->pause);
	unlink(f->path);
	driver_free(&f->d);
	free(f);
	return 0;
}

/* Returns false if it takes longer than `ms`. */
static bool stop_within(struct fixture *f, unsigned int ms)
{
	struct timespec until = in_ms(ms);

	blk_quit(&f->blk);
	return blk_stop(&f->blk, &until);
}

static void stop_device(struct fixture *f)
{
	assert_true(stop_within(f, TIMEOUT_MS));
}

static int teardown(void **state)
{
	stop_device(*state);
	return teardown_files(state);
}

/* Fill slot i: header, data of `len` bytes at `gpa`, answer. Uses descriptors from 3i on. */
static void fill(struct fixture *f, unsigned int i, uint32_t type, uint64_t sector, uint64_t gpa,
		 uint32_t len)
{
	struct virtio_blk_outhdr *hdr = at(&f->d, SLOT(i));
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	uint16_t n = 3 * i;

	*hdr = (struct virtio_blk_outhdr) { .type = type, .sector = sector };
	*(uint8_t *)at(&f->d, SLOT(i) + 16) = 0xff;
	set_desc(&f->d, n, SLOT(i), sizeof(*hdr), NEXT, len ? n + 1 : n + 2);
	set_desc(&f->d, n + 1, gpa, len, NEXT | (in ? WRITE : 0), n + 2);
	set_desc(&f->d, n + 2, SLOT(i) + 16, 1, WRITE, 0);
}

/* Notify only if the device asked for it, as drivers do, to detect a device that forgets to ask. */
static void kick(struct fixture *f)
{
	uint16_t *event = (uint16_t *)(f->d.used + 4 + RING * sizeof(struct vring_used_elem));
	uint16_t now = f->d.avail[1];

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (vring_need_event(__atomic_load_n(event, __ATOMIC_RELAXED), now, f->d.kicked))
		event_signal(f->blk.vdev.queue[0].kick_fd);
	f->d.kicked = now;
}

static void wait_event(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, TIMEOUT_MS), 1);
	event_clear(fd);
}

/* Wait until `n` more requests are done. The driver asks for an interrupt after each. */
static void wait_used(struct fixture *f, unsigned int n)
{
	uint16_t *event = &f->d.avail[2 + RING];
	uint16_t want = f->d.seen + n;

	for (;;) {
		uint16_t now = used_count(&f->d);

		if ((uint16_t)(now - f->d.seen) >= n)
			break;
		__atomic_store_n(event, now, __ATOMIC_SEQ_CST);
		if (used_count(&f->d) == now)
			wait_event(f->call);
	}
	f->d.seen = want;
}

static uint8_t answer(struct fixture *f, unsigned int i)
{
	return *(volatile uint8_t *)at(&f->d, SLOT(i) + 16);
}

static uint8_t request(struct fixture *f, uint32_t type, uint64_t sector, uint64_t gpa,
		       uint32_t len)
{
	fill(f, 0, type, sector, gpa, len);
	offer(&f->d, 0);
	kick(f);
	wait_used(f, 1);
	return answer(f, 0);
}

static void pattern(uint8_t *p, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = seed + i * 7 + (i >> 9);
}

static void writes_and_reads(void **state)
{
	struct fixture *f = *state;
	uint8_t want[8192], got[8192];

	pattern(want, sizeof(want), 1);
	memcpy(at(&f->d, DATA(0)), want, sizeof(want));
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 10, DATA(0), 8192), VIRTIO_BLK_S_OK);
	assert_int_equal(used_at(&f->d, 0).len, 1);
	assert_int_equal(request(f, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(f->fd, got, sizeof(got), 10 * 512), sizeof(got));
	assert_memory_equal(got, want, sizeof(got));
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 10, DATA(1), 8192), VIRTIO_BLK_S_OK);
	assert_int_equal(used_at(&f->d, 2).len, 8193);
	assert_memory_equal(at(&f->d, DATA(1)), want, sizeof(want));
}

static void answers_what_it_does_not_do(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(request(f, 77, 0, DATA(0), 512), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, DISK_BYTES / 512, DATA(0), 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(f, VIRTIO_BLK_T_GET_ID, 0, DATA(0), 20), VIRTIO_BLK_S_OK);
	assert_memory_equal(at(&f->d, DATA(0)), "unit-test\0\0\0\0\0\0\0\0\0\0\0", 20);
}

/* Memory that O_DIRECT refuses, and requests that exceed a bounce buffer. */
static void misaligned_buffers(void **state)
{
	struct fixture *f = *state;
	const uint32_t len = BOUNCE_BYTES * 2 + 1024;
	uint8_t *want = malloc(len);

	pattern(want, len, 5);
	memcpy(at(&f->d, DATA_GPA + 13), want, len);
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 0, DATA_GPA + 13, len), VIRTIO_BLK_S_OK);
	memset(at(&f->d, DATA_GPA), 0, MEM_BYTES - DATA_GPA);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, DATA_GPA + 1, len), VIRTIO_BLK_S_OK);
	assert_memory_equal(at(&f->d, DATA_GPA + 1), want, len);
	assert_int_equal(*(uint8_t *)at(&f->d, DATA_GPA + 1 + len), 0);
	assert_int_equal(f->blk.io.nbounce, BOUNCE_BUFFERS);
	free(want);
}

/* More such requests at a time than there are bounce buffers. */
static void many_misaligned(void **state)
{
	struct fixture *f = *state;
	const unsigned int n = 20;

	for (unsigned int i = 0; i < n; i++) {
		pattern(at(&f->d, DATA(i) + 3), 4096, i);
		fill(f, i, VIRTIO_BLK_T_OUT, i * 8, DATA(i) + 3, 4096);
		offer(&f->d, 3 * i);
	}
	kick(f);
	wait_used(f, n);
	for (unsigned int i = 0; i < n; i++) {
		uint8_t got[4096];

		assert_int_equal(answer(f, i), VIRTIO_BLK_S_OK);
		assert_int_equal(pread(f->fd, got, 4096, i * 4096), 4096);
		assert_memory_equal(got, at(&f->d, DATA(i) + 3), 4096);
	}
	assert_int_equal(f->blk.io.nbounce, BOUNCE_BUFFERS);
}

static uint8_t range_request(struct fixture *f, uint32_t type, uint64_t sector, uint32_t n,
			     uint32_t flags)
{
	*(struct virtio_blk_discard_write_zeroes *)at(&f->d, DATA(0)) =
		(struct virtio_blk_discard_write_zeroes) { sector, n, flags };
	return request(f, type, 0, DATA(0), 16);
}

static void expect_bytes(struct fixture *f, uint64_t off, size_t len, uint8_t c)
{
	uint8_t *got = malloc(len);

	assert_int_equal(pread(f->fd, got, len, off), len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(got[i], c);
	free(got);
}

static uint64_t allocated(struct fixture *f)
{
	struct stat st;

	assert_int_equal(fstat(f->fd, &st), 0);
	return st.st_blocks * 512ULL;
}

static void discards_and_zeroes(void **state)
{
	struct fixture *f = *state;
	uint8_t *buf = malloc(1 << 20);
	uint64_t full;

	if (!f->blk.lim.max_discard) {
		free(buf);
		skip();		/* the file system has no holes */
	}
	memset(buf, 0xaa, 1 << 20);
	assert_int_equal(pwrite(f->fd, buf, 1 << 20, 0), 1 << 20);
	assert_int_equal(fsync(f->fd), 0);
	full = allocated(f);

	assert_int_equal(range_request(f, VIRTIO_BLK_T_DISCARD, 0, 1024, 0), VIRTIO_BLK_S_OK);
	assert_true(allocated(f) <= full - 1024 * 512);
	expect_bytes(f, 0, 1024 * 512, 0);
	expect_bytes(f, 1024 * 512, 512 * 512, 0xaa);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_WRITE_ZEROES, 1024, 3, 0), VIRTIO_BLK_S_OK);
	expect_bytes(f, 1024 * 512, 3 * 512, 0);
	expect_bytes(f, 1027 * 512, 512, 0xaa);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_WRITE_ZEROES, 1032, 8, 1), VIRTIO_BLK_S_OK);
	expect_bytes(f, 1032 * 512, 8 * 512, 0);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_DISCARD, DISK_BYTES / 512, 1, 0),
			 VIRTIO_BLK_S_IOERR);
	free(buf);
}

static void whole_ring(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < 200; round++) {
		for (unsigned int i = 0; i < RING / 3; i++) {
			bool in = (i + round) % 2;

			fill(f, i, in ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, i * 8, DATA(i), 4096);
			offer(&f->d, 3 * i);
			if (i % 5 == 0)
				kick(f);
		}
		kick(f);
		wait_used(f, RING / 3);
		for (unsigned int i = 0; i < RING / 3; i++)
			assert_int_equal(answer(f, i), VIRTIO_BLK_S_OK);
	}
}

/* The status reads 0 only after the last access to the memory of the guest. */
static void reset_in_flight(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < 50; round++) {
		int polls = 0;

		for (unsigned int i = 0; i < RING / 3; i++) {
			fill(f, i, VIRTIO_BLK_T_IN, i * 8, DATA(i) + i % 2, 4096);
			offer(&f->d, 3 * i);
		}
		kick(f);
		if (round % 2)
			usleep(round * 10);
		write_status(f, 0);
		while (read_status(f)) {
			assert_true(polls++ < TIMEOUT_MS);
			usleep(1000);
		}
		assert_int_equal(f->blk.in_flight, 0);
		memset(f->d.avail, 0, 4096);
		memset(f->d.used, 0, 4096);
		memset(at(&f->d, DATA_GPA), 0xcc, MEM_BYTES - DATA_GPA);
		f->d.seen = f->d.kicked = 0;
		event_clear(f->call);
		bring_up(f, f->blk.vdev.offered);
		assert_int_equal(*(uint8_t *)at(&f->d, DATA(0)), 0xcc);
	}
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, DATA(0), 512), VIRTIO_BLK_S_OK);
}

/* Leave a discard in flight, at the gate. Returns false if the file system has no holes. */
static bool hold_discard(struct fixture *f)
{
	if (!f->blk.lim.max_discard)
		return false;
	*(struct virtio_blk_discard_write_zeroes *)at(&f->d, DATA(19)) =
		(struct virtio_blk_discard_write_zeroes) { 0, 8, 0 };
	fill(f, 19, VIRTIO_BLK_T_DISCARD, 0, DATA(19), 16);
	pthread_mutex_lock(&gate);
	atomic_store(&at_gate, 0);
	offer(&f->d, 3 * 19);
	event_signal(f->blk.vdev.queue[0].kick_fd);
	WAIT_UNTIL(atomic_load(&at_gate));
	return true;
}

/* What the guest has queued for the other thread is not worked off at the end. */
static void stops_with_much_to_zero(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_discard_write_zeroes *range = at(&f->d, DATA(0));

	if (!f->blk.lim.max_write_zeroes)
		skip();
	for (unsigned int i = 0; i < BLK_MAX_RANGES; i++)
		range[i] = (struct virtio_blk_discard_write_zeroes) { 0, DISK_BYTES / 512, 0 };
	pthread_mutex_lock(&gate);
	atomic_store(&at_gate, 0);
	for (unsigned int i = 0; i < RING / 3; i++) {
		fill(f, i, VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA(0), BLK_MAX_RANGES * sizeof(*range));
		offer(&f->d, 3 * i);
	}
	kick(f);
	WAIT_UNTIL(atomic_load(&at_gate));
	blk_quit(&f->blk);
	WAIT_UNTIL(used_count(&f->d) >= RING / 3 - 1);
	pthread_mutex_unlock(&gate);
	WAIT_UNTIL(used_count(&f->d) >= RING / 3);
	assert_int_equal(atomic_load(&at_gate), 1);
	for (unsigned int i = 0; i < RING / 3; i++)
		assert_int_equal(answer(f, i), VIRTIO_BLK_S_IOERR);
}

/* A range of this length is not one system call, which nothing could interrupt. */
static void stops_within_a_range(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ftruncate(f->fd, 1UL << 30), 0);
	assert_int_equal(start_device(f, false), 0);
	bring_up(f, f->blk.vdev.offered);
	if (f->blk.lim.max_write_zeroes) {
		pthread_mutex_lock(&gate);
		atomic_store(&at_gate, 0);
		*(struct virtio_blk_discard_write_zeroes *)at(&f->d, DATA(0)) =
			(struct virtio_blk_discard_write_zeroes) { 2, (1 << 21) - 2, 1 };
		fill(f, 0, VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA(0), 16);
		offer(&f->d, 0);
		kick(f);
		WAIT_UNTIL(atomic_load(&at_gate));
		blk_quit(&f->blk);
		WAIT_UNTIL(atomic_load(&f->blk.slow.cancelled));
		pthread_mutex_unlock(&gate);
		stop_device(f);
		assert_int_equal(atomic_load(&at_gate), 1);
		assert_true(atomic_load(&gate_len) <= 64 << 20);
	} else {
		stop_device(f);
	}
}

/*
 * Fill the ring with `n` reads of 1 MiB of memory, over and over, which together are far more than
 * the kernel is given. Their buffers are in indirect tables. Returns the length of each.
 */
static uint64_t offer_long_reads(struct fixture *f, unsigned int n, uint64_t gpa)
{
	const uint32_t len = 1 << 20;

	for (unsigned int i = 0; i < n; i++) {
		struct vring_desc *t = at(&f->d, TABLE_GPA + 4096 + i * RING * sizeof(*t));

		fill(f, i, VIRTIO_BLK_T_IN, 0, gpa, len - 4096);
		t[0] = f->d.desc[3 * i];
		t[0].next = 1;
		for (unsigned int k = 1; k < RING - 1; k++)
			t[k] = (struct vring_desc) { gpa, len - 4096, NEXT | WRITE, k + 1 };
		t[RING - 1] = f->d.desc[3 * i + 2];
		set_desc(&f->d, 3 * i, TABLE_GPA + 4096 + i * RING * sizeof(*t), RING * sizeof(*t),
			 VRING_DESC_F_INDIRECT, 0);
		offer(&f->d, 3 * i);
	}
	return (RING - 2) * (len - 4096UL);
}

/* After blk_quit(). */
static void expect_little_was_read(struct fixture *f, unsigned int n, uint64_t len)
{
	const struct blk_queue *q = &f->blk.queue[0];
	uint64_t sum = 0;

	WAIT_UNTIL(used_count(&f->d) >= n);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(answer(f, i), VIRTIO_BLK_S_IOERR);
	for (unsigned int i = 0; i < BLK_QUEUE_SIZE; i++)
		if (q->tasks[i].rq.len == len)
			sum += q->tasks[i].done;
	assert_true(sum <= KERNEL_BYTES);
}

/* Requests of any length are given to the kernel in pieces, and no more of them after the end. */
static void stop_long_reads(struct fixture *f, uint64_t gpa)
{
	const unsigned int n = GATED_REQUESTS;
	uint64_t len;

	assert_int_equal(ftruncate(f->fd, 1UL << 30), 0);
	assert_int_equal(start_device(f, false), 0);
	bring_up(f, f->blk.vdev.offered);
	len = offer_long_reads(f, n, gpa);
	pthread_mutex_lock(&ring_gate);
	atomic_store(&at_ring, 0);
	gated = &f->blk;
	kick(f);
	WAIT_UNTIL(atomic_load(&at_ring));
	gated = NULL;
	blk_quit(&f->blk);
	pthread_mutex_unlock(&ring_gate);
	expect_little_was_read(f, n, len);
	stop_device(f);
}

static void stops_with_long_reads(void **state)
{
	stop_long_reads(*state, DATA_GPA);
}

static void stops_with_long_misaligned_reads(void **state)
{
	stop_long_reads(*state, DATA_GPA + 1);
}

/* But they are carried out completely if nobody asks for the end. */
static void long_requests(void **state)
{
	struct fixture *f = *state;
	const uint64_t len = (RING - 2) * ((1UL << 20) - 4096);
	uint8_t *at_end;

	assert_int_equal(ftruncate(f->fd, 1UL << 30), 0);
	assert_int_equal(start_device(f, false), 0);
	define_bounce_buffers(f);
	bring_up(f, f->blk.vdev.offered);
	for (unsigned int odd = 0; odd < 2; odd++) {
		at_end = at(&f->d, DATA_GPA + odd);
		assert_int_equal(pwrite(f->fd, "the last", 8, len - 8), 8);
		memset(at_end, 0xee, (1 << 20) - 4096);
		assert_int_equal(offer_long_reads(f, 3, DATA_GPA + odd), len);
		kick(f);
		wait_used(f, 3);
		for (unsigned int i = 0; i < 3; i++)
			assert_int_equal(answer(f, i), VIRTIO_BLK_S_OK);
		assert_memory_equal(at_end + (1 << 20) - 4096 - 8, "the last", 8);
	}
	assert_int_equal(f->blk.io.bytes, 0);
	assert_int_equal(f->blk.io.ops, 0);
	stop_device(f);
}

/* A disk that does not answer is not waited for without an end. */
static void stops_without_an_answer(void **state)
{
	struct fixture *f = *state;

	if (!hold_discard(f))
		skip();
	assert_false(stop_within(f, 100));
	pthread_mutex_unlock(&gate);
}

static void reset_waits(void **state)
{
	struct fixture *f = *state;

	if (!hold_discard(f))
		skip();
	write_status(f, 0);
	usleep(100000);
	assert_int_not_equal(read_status(f), 0);
	assert_int_equal(used_count(&f->d), 0);
	pthread_mutex_unlock(&gate);
	WAIT_UNTIL(!read_status(f));
	assert_int_equal(read_status(f), 0);
	assert_int_equal(f->blk.in_flight, 0);
}

static void offered_before_the_start(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start_device(f, false), 0);
	fill(f, 0, VIRTIO_BLK_T_IN, 0, DATA(0), 512);
	offer(&f->d, 0);
	bring_up(f, f->blk.vdev.offered);
	wait_used(f, 1);
	assert_int_equal(answer(f, 0), VIRTIO_BLK_S_OK);
	stop_device(f);
}

/* The kernel frees a ring later, but the disk can be used by others as soon as it has stopped. */
static void free_when_stopped(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 50; i++) {
		assert_int_equal(start_device(f, false), 0);
		memset(f->d.avail, 0, 4096);
		memset(f->d.used, 0, 4096);
		f->d.seen = f->d.kicked = 0;
		bring_up(f, f->blk.vdev.offered);
		assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, DATA(0), 512), VIRTIO_BLK_S_OK);
		stop_device(f);
	}
}

static void expect_needs_reset(struct fixture *f)
{
	kick(f);
	wait_event(f->config_call);
	assert_true(read_status(f) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_true(atomic_load(&f->blk.vdev.isr) & 2);
}

static void broken_rule_and_recovery(void **state)
{
	struct fixture *f = *state;
	uint16_t used;

	fill(f, 0, VIRTIO_BLK_T_IN, 0, DATA(0), 512);
	f->d.desc[1].next = 0;		/* a loop */
	offer(&f->d, 0);
	expect_needs_reset(f);

	/* No reaction until the reset. */
	used = used_count(&f->d);
	f->d.desc[1].next = 2;
	offer(&f->d, 0);
	kick(f);
	usleep(50000);
	assert_int_equal(used_count(&f->d), used);

	write_status(f, 0);
	WAIT_UNTIL(!read_status(f));
	assert_int_equal(read_status(f), 0);
	memset(f->d.avail, 0, 4096);
	memset(f->d.used, 0, 4096);
	f->d.seen = f->d.kicked = 0;
	bring_up(f, f->blk.vdev.offered);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, DATA(0), 512), VIRTIO_BLK_S_OK);
}

/* A guest that breaks the rules again and again cannot fill the log of the host. */
static void broken_again_and_again(void **state)
{
	struct fixture *f = *state;

	freeze_clock();
	quiet_begin();
	for (int i = 0; i < 100; i++) {
		fill(f, 0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
		f->d.desc[0].flags = 0;
		offer(&f->d, 0);
		expect_needs_reset(f);
		write_status(f, 0);
		WAIT_UNTIL(!read_status(f));
		memset(f->d.avail, 0, 4096);
		memset(f->d.used, 0, 4096);
		f->d.seen = f->d.kicked = 0;
		bring_up(f, f->blk.vdev.offered);
	}
	run_clock();
	assert_int_equal(occurrences(quiet_end(), "broke a rule"), RATE_TIMES);
}

/* Requests in flight when the rule was broken complete, but the ring is not touched any more. */
static void broken_with_one_in_flight(void **state)
{
	struct fixture *f = *state;

	if (!hold_discard(f))
		skip();
	offer(&f->d, RING);
	expect_needs_reset(f);
	pthread_mutex_unlock(&gate);
	usleep(100000);
	assert_int_equal(used_count(&f->d), 0);
	write_status(f, 0);
	WAIT_UNTIL(!read_status(f));
	assert_int_equal(f->blk.in_flight, 0);
}

static void request_without_answer(void **state)
{
	struct fixture *f = *state;

	fill(f, 0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	f->d.desc[0].flags = 0;
	offer(&f->d, 0);
	expect_needs_reset(f);
}

static void ring_outside_memory(void **state)
{
	struct fixture *f = *state;
	uint16_t size = f->d.size;

	write_status(f, 0);
	WAIT_UNTIL(!read_status(f));
	f->d.size = 3;
	bring_up(f, f->blk.vdev.offered);
	f->d.size = size;
	wait_event(f->config_call);
	assert_true(read_status(f) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void features_need_version_1(void **state)
{
	struct fixture *f = *state;

	write_status(f, 0);
	WAIT_UNTIL(!read_status(f));
	f->blk.vdev.accepted = FEATURE(VIRTIO_BLK_F_FLUSH);
	write_status(f, VIRTIO_CONFIG_S_FEATURES_OK);
	assert_int_equal(read_status(f), 0);
	f->blk.vdev.accepted = FEATURE(VIRTIO_F_VERSION_1) | FEATURE(60);
	write_status(f, VIRTIO_CONFIG_S_FEATURES_OK);
	assert_int_equal(read_status(f), 0);
}

static void write_through_by_configuration(void **state)
{
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);
	struct fixture *f = *state;
	uint8_t off = 0, now = 1;

	f->blk.vdev.ops->config_write(&f->blk.vdev, wce, &off, 1);
	f->blk.vdev.ops->config_read(&f->blk.vdev, wce, &now, 1);
	assert_int_equal(now, 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 0, DATA(0), 4096), VIRTIO_BLK_S_OK);
	assert_true(f->blk.queue[0].free->through);
}

static void configuration(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_config c;

	f->blk.vdev.ops->config_read(&f->blk.vdev, 0, &c, f->blk.vdev.config_len);
	assert_int_equal(c.capacity, DISK_BYTES / 512);
	assert_int_equal(c.blk_size, 512);
	assert_int_equal(c.seg_max, 254);
	assert_int_equal(c.num_queues, 1);
	assert_int_equal(c.wce, 1);
}

static void readonly_disk(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start_device(f, true), 0);
	assert_true(f->blk.vdev.offered & FEATURE(VIRTIO_BLK_F_RO));
	assert_false(f->blk.vdev.offered & FEATURE(VIRTIO_BLK_F_DISCARD));
	bring_up(f, f->blk.vdev.offered);
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 0, DATA(0), 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, DATA(0), 512), VIRTIO_BLK_S_OK);
	stop_device(f);
}

static void file_gets_shorter(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ftruncate(f->fd, DISK_BYTES / 2), 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, DISK_BYTES / 512 - 8, DATA(0), 4096),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, DISK_BYTES / 1024 - 8, DATA(0), 8192),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, DATA(0), 4096), VIRTIO_BLK_S_OK);
}

static void offer_read(struct fixture *f, uint64_t gpa, uint32_t len)
{
	fill(f, 0, VIRTIO_BLK_T_IN, DISK_BYTES / 512 - len / 512, gpa, len);
	offer(&f->d, 0);
	kick(f);
}

/* A request that has failed waits, and goes on from where it has failed. */
static void stop_read(struct fixture *f, uint64_t gpa, uint32_t len)
{
	uint8_t *want = malloc(len);

	define_bounce_buffers(f);
	pattern(want, len, 3);
	assert_int_equal(pwrite(f->fd, want, len, DISK_BYTES - len), len);
	f->blk.rerror = BLK_STOP;
	assert_int_equal(ftruncate(f->fd, DISK_BYTES - len / 2), 0);
	offer_read(f, gpa, len);
	wait_event(f->pause);
	assert_int_equal(blk_stopped(&f->blk), EIO);
	assert_int_equal(blk_stopped(&f->blk), 0);
	assert_int_equal(used_count(&f->d), 0);
	/* nothing has changed yet */
	blk_retry(&f->blk);
	wait_event(f->pause);
	assert_int_equal(blk_stopped(&f->blk), EIO);
	assert_int_equal(used_count(&f->d), 0);

	assert_int_equal(ftruncate(f->fd, DISK_BYTES), 0);
	memset(want + len / 2, 0, len / 2);
	blk_retry(&f->blk);
	wait_used(f, 1);
	assert_int_equal(answer(f, 0), VIRTIO_BLK_S_OK);
	assert_memory_equal(at(&f->d, gpa), want, len);
	assert_int_equal(f->blk.io.nbounce, BOUNCE_BUFFERS);
	free(want);
}

static void stops_at_an_error(void **state)
{
	stop_read(*state, DATA_GPA, 512 * 1024);
}

static void stops_at_an_error_misaligned(void **state)
{
	stop_read(*state, DATA_GPA + 1, BOUNCE_BYTES * 3);
}

/* At the end it does not wait any more, nor does it at a reset. */
static void stopped_for_good(void **state)
{
	struct fixture *f = *state;

	f->blk.rerror = BLK_STOP;
	assert_int_equal(ftruncate(f->fd, DISK_BYTES / 2), 0);
	offer_read(f, DATA_GPA, 4096);
	wait_event(f->pause);
	write_status(f, 0);
	blk_retry(&f->blk);
	WAIT_UNTIL(!read_status(f));
	assert_int_equal(f->blk.in_flight, 0);

	memset(f->d.avail, 0, 4096);
	memset(f->d.used, 0, 4096);
	f->d.seen = f->d.kicked = 0;
	bring_up(f, f->blk.vdev.offered);
	offer_read(f, DATA_GPA, 4096);
	wait_event(f->pause);
	blk_quit(&f->blk);
	WAIT_UNTIL(used_count(&f->d) == 1);
	assert_int_equal(answer(f, 0), VIRTIO_BLK_S_IOERR);
}

static void offer_zeroing(struct fixture *f)
{
	*(struct virtio_blk_discard_write_zeroes *)at(&f->d, DATA(0)) =
		(struct virtio_blk_discard_write_zeroes) { 0, 8, 0 };
	fill(f, 0, VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA(0), 16);
	offer(&f->d, 0);
	kick(f);
}

/* By default a write waits for room, but nothing else. */
static void stops_without_room(void **state)
{
	struct fixture *f = *state;

	if (!f->blk.lim.max_write_zeroes)
		skip();
	f->blk.werror = BLK_ENOSPC;
	atomic_store(&gate_error, EIO);
	offer_zeroing(f);
	wait_used(f, 1);
	assert_int_equal(answer(f, 0), VIRTIO_BLK_S_IOERR);
	atomic_store(&gate_error, ENOSPC);
	offer_zeroing(f);
	wait_event(f->pause);
	assert_int_equal(blk_stopped(&f->blk), ENOSPC);
	atomic_store(&gate_error, 0);
	blk_retry(&f->blk);
	wait_used(f, 1);
	assert_int_equal(answer(f, 0), VIRTIO_BLK_S_OK);
	f->blk.werror = BLK_REPORT;
	atomic_store(&gate_error, ENOSPC);
	offer_zeroing(f);
	wait_used(f, 1);
	atomic_store(&gate_error, 0);
	assert_int_equal(answer(f, 0), VIRTIO_BLK_S_IOERR);
}

static void size_changes(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_config c;

	assert_int_equal(blk_update_size(&f->blk), 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, DISK_BYTES / 512, DATA(0), 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ftruncate(f->fd, 2 * DISK_BYTES + 100), 0);
	assert_int_equal(blk_update_size(&f->blk), 1);
	wait_event(f->config_call);
	assert_true(atomic_load(&f->blk.vdev.isr) & 2);
	assert_int_equal(f->blk.vdev.config_generation, 1);
	f->blk.vdev.ops->config_read(&f->blk.vdev, 0, &c, sizeof(c.capacity));
	assert_int_equal(c.capacity, 2 * DISK_BYTES / 512);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, DISK_BYTES / 512, DATA(0), 512),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 2 * DISK_BYTES / 512, DATA(0), 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ftruncate(f->fd, DISK_BYTES), 0);
	assert_int_equal(blk_update_size(&f->blk), 1);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, DISK_BYTES / 512, DATA(0), 512),
			 VIRTIO_BLK_S_IOERR);
}

static _Atomic pid_t updater;

static void *update_size(void *arg)
{
	struct fixture *f = arg;

	atomic_store(&updater, gettid());
	blk_update_size(&f->blk);
	return NULL;
}

static bool is_asleep(pid_t tid)
{
	char path[64], c = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	stat = fopen(path, "r");
	if (!stat)
		return false;
	if (fscanf(stat, "%*d (%*[^)]) %c", &c) != 1)
		c = 0;
	fclose(stat);
	return c == 'S';
}

/* While the lock is held, as for the registers, neither the size nor the generation changes. */
static void size_and_generation_change_together(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	assert_int_equal(ftruncate(f->fd, 2 * DISK_BYTES), 0);
	pthread_mutex_lock(&f->blk.vdev.lock);
	assert_int_equal(pthread_create(&thread, NULL, update_size, f), 0);
	WAIT_UNTIL(atomic_load(&updater) && is_asleep(updater));
	assert_int_equal(blk_capacity(&f->blk.lim), DISK_BYTES);
	assert_int_equal(f->blk.vdev.config_generation, 0);
	pthread_mutex_unlock(&f->blk.vdev.lock);
	pthread_join(thread, NULL);
	assert_int_equal(blk_capacity(&f->blk.lim), 2 * DISK_BYTES);
	assert_int_equal(f->blk.vdev.config_generation, 1);
}

static int ring_result(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int res;

	assert_int_equal(io_uring_submit(ring), 1);
	assert_int_equal(io_uring_wait_cqe(ring, &cqe), 0);
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

/* What somebody could do with the ring who has taken over the thread of a disk. */
static void ring_is_restricted(void **state)
{
	struct fixture *f = *state;
	static struct blk_limits lim;
	static struct blk_io io;
	struct io_uring *ring = &io.ring;
	char buf[512];

	assert_int_equal(blk_io_init(&io, &lim, &f->fd, 1), 0);
	assert_int_equal(blk_io_enable(&io), 0);
	io_uring_prep_read(io_uring_get_sqe(ring), f->fd, buf, sizeof(buf), 0);
	assert_int_equal(ring_result(ring), -EACCES);
	io_uring_prep_openat(io_uring_get_sqe(ring), AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	assert_int_equal(ring_result(ring), -EACCES);
	io_uring_prep_nop(io_uring_get_sqe(ring));
	assert_int_equal(ring_result(ring), -EACCES);
	assert_int_equal(io_uring_register_files_update(ring, 0, &f->call, 1), -EACCES);
	assert_int_equal(io_uring_register_buffers(ring, &(struct iovec) { buf, 512 }, 1), -EACCES);
	blk_io_release_files(&io);
	assert_int_equal(io_uring_register_files(ring, &f->fd, 1), -EACCES);
	blk_io_destroy(&io);
}

static void locks_and_refusals(void **state)
{
	struct fixture *f = *state;
	static struct blk_device other;

	assert_int_equal(blk_open(&other, f->path, false, NULL), -EBUSY);
	assert_int_equal(blk_open(&other, f->path, true, NULL), -EBUSY);
	assert_int_equal(blk_open(&other, "/dev/null", true, NULL), -ENOTBLK);
	assert_int_equal(blk_open(&other, "/nonexistent", true, NULL), -ENOENT);
	assert_int_equal(blk_open(&other, "/", true, NULL), -ENOTBLK);
}

/* The message says what to do. */
static void rings_are_forbidden(void **state)
{
	struct fixture *f = *state;
	const char *text;

	no_rings = true;
	quiet_begin();
	assert_int_not_equal(start_device(f, false), 0);
	text = quiet_end();
	no_rings = false;
	/* the launcher exits */
	close(f->blk.fd);
	free(f->blk.queue[0].tasks);
	assert_non_null(strstr(text, "kernel.io_uring_group: --user USER:GROUP"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define F(name) cmocka_unit_test_setup_teardown(name, setup_files, teardown_files)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(writes_and_reads), T(answers_what_it_does_not_do), T(misaligned_buffers),
		T(many_misaligned), T(discards_and_zeroes), T(whole_ring), T(reset_in_flight),
		T(reset_waits), T(stops_with_much_to_zero), T(stops_without_an_answer),
		F(stops_within_a_range), F(stops_with_long_reads),
		F(stops_with_long_misaligned_reads), F(long_requests),
		T(broken_with_one_in_flight), T(broken_rule_and_recovery),
		T(broken_again_and_again), F(offered_before_the_start),
		F(free_when_stopped), T(request_without_answer), T(ring_outside_memory),
		T(features_need_version_1), T(write_through_by_configuration), T(configuration),
		F(readonly_disk), T(file_gets_shorter), T(stops_at_an_error),
		T(stops_at_an_error_misaligned), T(stopped_for_good), T(stops_without_room),
		T(size_changes), T(size_and_generation_change_together),
		F(ring_is_restricted), F(rings_are_forbidden),
		T(locks_and_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
