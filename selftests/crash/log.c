// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: reads the log of dm-log-writes. Its format is described in the kernel's
 * Documentation/admin-guide/device-mapper/log-writes.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

#define LOG_MAGIC	0x6a736677736872ULL
#define LOG_FLUSH	1u
#define LOG_FUA		2u
#define LOG_DISCARD	4u
#define LOG_MARK	8u

struct log_super {
	uint64_t magic;
	uint64_t version;
	uint64_t entries;
	uint32_t sector_size;
} __attribute__((packed));

struct log_entry {
	uint64_t sector;
	uint64_t sectors;
	uint64_t flags;
	uint64_t data_len;
} __attribute__((packed));

static unsigned int find_slice(const struct slice *s, unsigned int n, uint64_t sector,
			       uint64_t sectors)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (sector >= s[i].start && sector + sectors <= s[i].start + s[i].sectors)
			return i;
	die("the log writes to sector %" PRIu64 ", which no device has", sector);
}

static void parse_mark(struct entry *e, const char *text, uint64_t len)
{
	char buf[64] = "";
	int end = 0;

	memcpy(buf, text, len < sizeof(buf) ? len : sizeof(buf) - 1);
	e->kind = E_MARK;
	if (sscanf(buf, "%c-%" SCNu64 "-%" SCNu64 "%n", &e->mark, &e->a, &e->n, &end) != 3 ||
	    buf[end]) {
		e->mark = 0;
		snprintf(e->text, sizeof(e->text), "%.31s", buf);
	}
}

/* A flush and data in one entry of the log become two. */
static void add_entry(struct crash_log *l, const struct log_entry *d, const uint8_t *block,
		      const uint8_t *data, const struct slice *slices, unsigned int n)
{
	struct entry *e = &l->e[l->n];

	if (d->flags & LOG_MARK) {
		parse_mark(e, (const char *)block + sizeof(*d), d->data_len);
		l->marks++;
		l->n++;
		return;
	}
	if (d->flags & LOG_FLUSH) {
		e->kind = E_FLUSH;
		l->flushes++;
		l->n++;
		e++;
	}
	if (!d->sectors)
		return;
	e->kind = d->flags & LOG_DISCARD ? E_DISCARD : E_WRITE;
	e->fua = d->flags & LOG_FUA;
	e->sector = d->sector;
	e->sectors = d->sectors;
	e->data = data;
	e->slice = find_slice(slices, n, d->sector, d->sectors);
	l->discards += e->kind == E_DISCARD;
	l->writes += e->kind == E_WRITE;
	l->n++;
}

void log_read(struct crash_log *l, const char *file, const struct slice *slices, unsigned int n)
{
	int fd = open(file, O_RDONLY);
	const struct log_super *super;
	uint64_t size, off, i;
	const uint8_t *map;

	if (fd < 0)
		die("%s: %s", file, strerror(errno));
	size = size_of_fd(fd);
	map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		die("%s: %s", file, strerror(errno));
	close(fd);
	super = (const struct log_super *)map;
	if (size < SECTOR || super->magic != LOG_MAGIC || super->sector_size != SECTOR)
		die("%s: no log, or one of other sectors than 512 bytes", file);
	l->e = xalloc((2 * super->entries + 1) * sizeof(*l->e));
	for (i = 0, off = SECTOR; i < super->entries; i++) {
		const struct log_entry *d = (const struct log_entry *)(map + off);
		uint64_t bytes = off + SECTOR > size || d->flags & (LOG_DISCARD | LOG_MARK) ? 0 :
				 d->sectors * SECTOR;

		if (off + SECTOR + bytes > size)
			die("%s: ends in entry %" PRIu64, file, i);
		add_entry(l, d, map + off, map + off + SECTOR, slices, n);
		off += SECTOR + bytes;
	}
}
