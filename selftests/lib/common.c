// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the test programs share.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <linux/fs.h>

#include "common.h"

#define SECTOR_MAGIC	0x436f774368616921ULL

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("# ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

void *xalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		die("out of memory (%zu bytes)", size);
	return p;
}

void *xalloc_io(size_t size)
{
	void *p;

	if (posix_memalign(&p, 4096, size ? size : 4096))
		die("out of memory (%zu bytes)", size);
	memset(p, 0, size);
	return p;
}

uint64_t parse_size(const char *s, uint64_t end)
{
	bool from_end = *s == '-';
	uint64_t v;
	char *e;

	errno = 0;
	v = strtoull(s + from_end, &e, 0);
	if (errno || e == s + from_end)
		die("not a number: %s", s);
	switch (*e) {
	case 'k':
		v <<= 10;
		e++;
		break;
	case 'M':
		v <<= 20;
		e++;
		break;
	case 'G':
		v <<= 30;
		e++;
		break;
	case 'T':
		v <<= 40;
		e++;
		break;
	}
	if (*e)
		die("not a size: %s", s);
	if (from_end && v > end)
		die("%s lies before the start", s);
	return from_end ? end - v : v;
}

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

int errno_by_name(const char *name)
{
	static const struct {
		const char *name;
		int err;
	} table[] = {
		{ "EIO", EIO }, { "EINVAL", EINVAL }, { "ENOSPC", ENOSPC },
		{ "EROFS", EROFS }, { "EBUSY", EBUSY }, { "EPERM", EPERM },
		{ "EOPNOTSUPP", EOPNOTSUPP }, { "ENODEV", ENODEV }, { "EAGAIN", EAGAIN },
		{ "EREMOTEIO", EREMOTEIO },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(table[i].name, name))
			return table[i].err;
	return 0;
}

/* splitmix64 */
uint64_t mix64(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

uint64_t rng_next(struct rng *r)
{
	r->state += 0x9e3779b97f4a7c15ULL;
	return mix64(r->state);
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	return n ? rng_next(r) % n : 0;
}

void sector_fill(void *buf, uint64_t seed, uint64_t sector, uint64_t seq)
{
	uint64_t *w = buf;
	uint64_t x;
	size_t i;

	w[0] = SECTOR_MAGIC;
	w[1] = seed;
	w[2] = sector;
	w[3] = seq;
	x = mix64(seed ^ mix64(sector ^ mix64(seq)));
	for (i = 4; i < SECTOR / sizeof(*w); i++) {
		/* xorshift: cheap also where instructions are emulated */
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		w[i] = x;
	}
}

bool sector_decode(const void *buf, uint64_t seed, uint64_t sector, uint64_t *seq)
{
	uint64_t want[SECTOR / sizeof(uint64_t)];
	uint64_t head[4];

	memcpy(head, buf, sizeof(head));
	if (head[0] != SECTOR_MAGIC || head[1] != seed || head[2] != sector)
		return false;
	sector_fill(want, seed, sector, head[3]);
	*seq = head[3];
	return !memcmp(buf, want, SECTOR);
}

bool is_zero(const void *buf, size_t len)
{
	const char *p = buf;

	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

uint64_t size_of_fd(int fd)
{
	struct stat st;
	uint64_t size;

	if (fstat(fd, &st))
		die("stat: %s", strerror(errno));
	if (!S_ISBLK(st.st_mode))
		return st.st_size;
	if (ioctl(fd, BLKGETSIZE64, &size))
		die("BLKGETSIZE64: %s", strerror(errno));
	return size;
}

int pread_full(int fd, void *buf, size_t len, uint64_t off)
{
	while (len) {
		ssize_t n = pread(fd, buf, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (!n)
			return ENODATA;
		buf = (char *)buf + n;
		len -= n;
		off += n;
	}
	return 0;
}

int pwrite_full(int fd, const void *buf, size_t len, uint64_t off)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		buf = (const char *)buf + n;
		len -= n;
		off += n;
	}
	return 0;
}
