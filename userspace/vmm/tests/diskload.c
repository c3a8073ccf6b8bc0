// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generates load on a disk from inside a guest and prints operations per second. Linked statically,
 * to run in an initramfs without anything else.
 *
 * 	diskload DEVICE read|write rand|seq BLOCK-BYTES DEPTH SECONDS
 *
 * Uses the system calls of Linux aio: libaio is not always available.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/fs.h>

#define MAX_DEPTH 128

static int fd;
static int is_write, is_random;
static size_t block;
static unsigned long long nblocks, next;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void submit(aio_context_t ctx, struct iocb *cb)
{
	unsigned long long n = is_random ? ((unsigned long long)random() << 31 | random()) : next++;

	cb->aio_offset = n % nblocks * block;
	if (syscall(SYS_io_submit, ctx, 1L, &cb) != 1)
		die("io_submit");
}

static void prepare(struct iocb *cb)
{
	void *buf;

	if (posix_memalign(&buf, 4096, block))
		die("memory");
	memset(buf, 0x5a, block);
	memset(cb, 0, sizeof(*cb));
	cb->aio_fildes = fd;
	cb->aio_lio_opcode = is_write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
	cb->aio_buf = (unsigned long)buf;
	cb->aio_nbytes = block;
}

int main(int argc, char **argv)
{
	static struct iocb cb[MAX_DEPTH];
	struct io_event ev[MAX_DEPTH];
	aio_context_t ctx = 0;
	unsigned long long bytes, done = 0;
	double start, end;
	int depth;

	if (argc != 7)
		return 2;
	is_write = !strcmp(argv[2], "write");
	is_random = !strcmp(argv[3], "rand");
	block = strtoul(argv[4], NULL, 10);
	depth = atoi(argv[5]);
	if (!block || depth < 1 || depth > MAX_DEPTH)
		return 2;
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		die(argv[1]);
	nblocks = bytes / block;
	if (!nblocks || syscall(SYS_io_setup, (long)depth, &ctx))
		die("io_setup");

	start = now();
	end = start + atof(argv[6]);
	for (int i = 0; i < depth; i++) {
		prepare(&cb[i]);
		submit(ctx, &cb[i]);
	}
	while (now() < end) {
		int n = syscall(SYS_io_getevents, ctx, 1L, (long)depth, ev, NULL);

		if (n < 0)
			die("io_getevents");
		for (int i = 0; i < n; i++) {
			if (ev[i].res != (long long)block)
				die("I/O");
			submit(ctx, (struct iocb *)(unsigned long)ev[i].obj);
		}
		done += n;
	}
	printf("%.1f\n", done / (now() - start));
	return 0;
}
