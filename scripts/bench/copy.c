// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contents of devices: fill one, write an image to it, or copy one to another as dd does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"
#include "util.h"

#define PIECE	1048576

static int open_or_die(const char *name, int flags)
{
	int fd = open(name, flags);

	if (fd < 0)
		die("%s: %s", name, strerror(errno));
	return fd;
}

static void write_at(int fd, const char *name, const void *buf, size_t n, uint64_t at)
{
	if (pwrite(fd, buf, n, at) != (ssize_t)n)
		die("%s: write at %lu: %s", name, at, strerror(errno));
}

/* fill DEVICE BYTES TAG: stamp each sector, and have a RAM disk allocate all its pages */
void cmd_fill(int argc, char **argv)
{
	uint8_t *buf = xalloc(PIECE);
	uint64_t size, at, i;
	int fd;

	if (argc != 4)
		die("usage: fill DEVICE BYTES TAG");
	size = number(argv[2]);
	fd = open_or_die(argv[1], O_WRONLY | O_DIRECT);
	memset(buf, 0x5a, PIECE);
	for (at = 0; at < size; at += PIECE) {
		for (i = 0; i < PIECE; i += SECTOR)
			*(uint64_t *)(buf + i) = stamp_of(at + i, *argv[3]);
		write_at(fd, argv[1], buf, PIECE, at);
	}
	if (fdatasync(fd))
		die("%s: %s", argv[1], strerror(errno));
}

/* put FILE DEVICE...: write a small file to the beginning of each device */
void cmd_put(int argc, char **argv)
{
	int from, to, i;
	struct stat st;
	size_t size;
	void *buf;

	if (argc < 3)
		die("usage: put FILE DEVICE...");
	from = open_or_die(argv[1], O_RDONLY);
	if (fstat(from, &st))
		die("%s: %s", argv[1], strerror(errno));
	size = (st.st_size + 4095) / 4096 * 4096;
	buf = xalloc(size);
	if (read(from, buf, st.st_size) != st.st_size)
		die("%s: too short", argv[1]);
	for (i = 2; i < argc; i++) {
		to = open_or_die(argv[i], O_WRONLY | O_DIRECT);
		write_at(to, argv[i], buf, size, 0);
		close(to);
	}
}

/* copy FROM TO BYTES: like dd bs=1M iflag=direct oflag=direct; print nanoseconds per MiB */
void cmd_copy(int argc, char **argv)
{
	uint64_t size, at, begin;
	void *buf = xalloc(PIECE);
	int from, to;

	if (argc != 4)
		die("usage: copy FROM TO BYTES");
	from = open_or_die(argv[1], O_RDONLY | O_DIRECT);
	to = open_or_die(argv[2], O_WRONLY | O_DIRECT);
	size = number(argv[3]);
	begin = now_ns();
	for (at = 0; at < size; at += PIECE) {
		if (pread(from, buf, PIECE, at) != PIECE)
			die("%s: read at %lu: %s", argv[1], at, strerror(errno));
		write_at(to, argv[2], buf, PIECE, at);
	}
	printf("%.1f 0\n", (double)(now_ns() - begin) / (size >> 20));
}
