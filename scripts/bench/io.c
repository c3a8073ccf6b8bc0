// SPDX-License-Identifier: GPL-2.0-only
/*
 * One measurement: a number of I/Os of one kind to one block device, and the time for each. In the
 * virtual machine of scripts/bench/exact the clock counts instructions. All I/O is done by this
 * process, with io_uring, fixed buffers and a registered file. The program is linked statically, so
 * that nothing remains to be loaded once it runs.
 *
 * Each written sector begins with its number and a tag. Reads check both, because a figure would be
 * worthless if the data came from the wrong layer.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <liburing.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io.h"
#include "util.h"

enum op { OP_READ, OP_WRITE, OP_DISCARD };

struct work {
	const char *dev;
	enum op op;
	bool sequential;	/* otherwise at random */
	bool fsync;		/* after each write */
	bool dsync;		/* RWF_DSYNC */
	uint32_t bytes;		/* of an I/O */
	uint32_t unit;		/* bytes; a unit takes one I/O */
	uint32_t depth;
	uint32_t part, parts;	/* use each unit of this share once; 0: use all, with repetitions */
	uint64_t warm, count;	/* I/Os before the measurement, and in it */
	uint64_t size;		/* bytes of the device that are used */
	char tag;		/* what is written, or has to be read; 0: anything */

	int fd;
	uint64_t *at;		/* byte offsets, one for each I/O */
	uint8_t *buffers;
	struct io_uring ring;
};

/* Idle time of the processor, with the kernel's resolution of 10 ms. */
static double idle_seconds(void)
{
	double up, idle = 0;
	FILE *f = fopen("/proc/uptime", "r");

	if (!f || fscanf(f, "%lf %lf", &up, &idle) != 2)
		die("cannot read /proc/uptime");
	fclose(f);
	return idle;
}

/* xorshift64: the same numbers in each run */
static uint64_t random_below(uint64_t limit)
{
	static uint64_t x = 0x9e3779b97f4a7c15ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x % limit;
}

static uint64_t *shuffled(uint64_t n)
{
	uint64_t *p = xalloc(n * sizeof(*p)), i, j, t;

	for (i = 0; i < n; i++)
		p[i] = i;
	for (i = n; i-- > 1;) {
		j = random_below(i + 1);
		t = p[i];
		p[i] = p[j];
		p[j] = t;
	}
	return p;
}

static void choose_offsets(struct work *w)
{
	uint64_t units = w->size / w->unit, n = w->warm + w->count, share, first, i, *order = NULL;
	/* In the middle of a larger unit, so that a copy is needed on both sides. */
	uint64_t inside = (w->unit - w->bytes) / 2 / w->bytes * w->bytes;

	if (w->parts) {
		share = units / w->parts;
		first = share * w->part;
		if (n > share)
			die("%s: %lu I/Os for %lu units", w->dev, n, share);
		order = shuffled(units) + first;
	}
	w->at = xalloc(n * sizeof(*w->at));
	for (i = 0; i < n; i++) {
		uint64_t unit = order ? order[i] : w->sequential ? i % units : random_below(units);

		w->at[i] = unit * w->unit + inside;
	}
}

static void stamp(const struct work *w, uint8_t *buf, uint64_t at)
{
	uint32_t i;

	for (i = 0; i < w->bytes; i += SECTOR)
		*(uint64_t *)(buf + i) = stamp_of(at + i, w->tag);
}

static void verify(const struct work *w, const uint8_t *buf, uint64_t at)
{
	uint64_t last = w->bytes - SECTOR;

	if (!w->tag)
		return;
	if (*(uint64_t *)buf != stamp_of(at, w->tag) ||
	    *(uint64_t *)(buf + last) != stamp_of(at + last, w->tag))
		die("%s: wrong data at %lu: %lx", w->dev, at, *(uint64_t *)buf);
}

/* The ring's user data is the number of the I/O and the slot of its buffer. */
static void queue(struct work *w, uint32_t slot, uint64_t i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&w->ring);
	uint8_t *buf = w->buffers + (uint64_t)slot * w->bytes;

	if (w->op == OP_WRITE) {
		stamp(w, buf, w->at[i]);
		io_uring_prep_write_fixed(sqe, 0, buf, w->bytes, w->at[i], 0);
		sqe->rw_flags = w->dsync ? RWF_DSYNC : 0;
	} else {
		io_uring_prep_read_fixed(sqe, 0, buf, w->bytes, w->at[i], 0);
	}
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	sqe->user_data = i << 16 | slot;
}

static uint32_t finish(struct work *w, struct io_uring_cqe *cqe)
{
	uint32_t slot = cqe->user_data & 0xffff;
	uint64_t at = w->at[cqe->user_data >> 16];

	if (cqe->res != (int)w->bytes)
		die("%s: I/O at %lu: %s", w->dev, at,
		    cqe->res < 0 ? strerror(-cqe->res) : "too short");
	if (w->op == OP_READ)
		verify(w, w->buffers + (uint64_t)slot * w->bytes, at);
	return slot;
}

/* Keep @depth I/Os in flight. As many are submitted at once as have completed. */
static void run_ring(struct work *w, uint64_t first, uint64_t last)
{
	uint32_t idle[MAX_DEPTH], nr_idle = 0, slot;
	struct io_uring_cqe *cqe;
	uint64_t next = first;
	unsigned int head, seen;

	for (slot = w->depth; slot-- > 0;)
		idle[nr_idle++] = slot;
	while (next < last || nr_idle < w->depth) {
		while (nr_idle && next < last)
			queue(w, idle[--nr_idle], next++);
		if (io_uring_submit_and_wait(&w->ring, 1) < 0)
			die("%s: io_uring_submit_and_wait", w->dev);
		seen = 0;
		io_uring_for_each_cqe(&w->ring, head, cqe) {
			idle[nr_idle++] = finish(w, cqe);
			seen++;
		}
		io_uring_cq_advance(&w->ring, seen);
		if (w->fsync && fdatasync(w->fd))
			die("%s: fdatasync: %s", w->dev, strerror(errno));
	}
}

static void run_discards(struct work *w, uint64_t first, uint64_t last)
{
	for (; first < last; first++) {
		uint64_t range[2] = { w->at[first], w->bytes };

		if (ioctl(w->fd, BLKDISCARD, range)) {
			if (errno == EOPNOTSUPP)
				unsupported("discards");
			die("%s: BLKDISCARD: %s", w->dev, strerror(errno));
		}
	}
}

static void run(struct work *w, uint64_t first, uint64_t last)
{
	if (w->op == OP_DISCARD)
		run_discards(w, first, last);
	else
		run_ring(w, first, last);
}

static void prepare(struct work *w)
{
	struct iovec iov = { .iov_len = (size_t)w->depth * w->bytes };
	int r;

	w->fd = open(w->dev, (w->op == OP_READ ? O_RDONLY : O_RDWR) | O_DIRECT);
	if (w->fd < 0)
		die("%s: %s", w->dev, strerror(errno));
	w->buffers = mmap(NULL, iov.iov_len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (w->buffers == MAP_FAILED)
		die("no memory");
	iov.iov_base = w->buffers;
	r = io_uring_queue_init(w->depth, &w->ring, 0);
	if (r < 0)
		die("io_uring: %s", strerror(-r));
	if (io_uring_register_buffers(&w->ring, &iov, 1) ||
	    io_uring_register_files(&w->ring, &w->fd, 1))
		die("io_uring: cannot register");
	choose_offsets(w);
	mlockall(MCL_CURRENT);
}

static void parse(struct work *w, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "b:d:f:n:p:s:t:u:w:SFD")) != -1) {
		switch (c) {
		case 'b': w->bytes = number(optarg); break;
		case 'd': w->depth = number(optarg); break;
		case 'n': w->count = number(optarg); break;
		case 'p':
			if (sscanf(optarg, "%u/%u", &w->part, &w->parts) != 2)
				die("-p %s", optarg);
			break;
		case 's': w->size = number(optarg); break;
		case 't': w->tag = *optarg; break;
		case 'u': w->unit = number(optarg); break;
		case 'w': w->warm = number(optarg); break;
		case 'S': w->sequential = true; break;
		case 'F': w->fsync = true; break;
		case 'D': w->dsync = true; break;
		default: exit(2);
		}
	}
	if (argc - optind != 2 || !w->size || !w->count || w->depth > MAX_DEPTH)
		die("usage: io [OPTION]... read|write|discard DEVICE");
	w->op = !strcmp(argv[optind], "read") ? OP_READ :
		!strcmp(argv[optind], "write") ? OP_WRITE : OP_DISCARD;
	w->dev = argv[optind + 1];
	if (!w->unit)
		w->unit = w->bytes;
}

/* io [OPTION]... OP DEVICE: print the nanoseconds per I/O and the share of idle time */
void cmd_io(int argc, char **argv)
{
	struct work w = { .bytes = 4096, .depth = 1, .warm = 2000 };
	uint64_t begin, took;
	double idle;

	parse(&w, argc, argv);
	prepare(&w);
	run(&w, 0, w.warm);
	idle = idle_seconds();
	begin = now_ns();
	run(&w, w.warm, w.warm + w.count);
	took = now_ns() - begin;
	idle = idle_seconds() - idle;
	printf("%.1f %.3f\n", (double)took / w.count, idle * 1e9 / took);
}
