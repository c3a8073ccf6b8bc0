// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: which writer owns which sectors, and what the disk held at which moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"
#include "report.h"

#define PIECE	(1u << 20)

static void add_chunk(struct stress *s, struct rng *r, uint32_t sector, uint32_t sectors)
{
	struct chunk *c;

	s->chunks = realloc(s->chunks, (s->n_chunks + 1) * sizeof(*s->chunks));
	if (!s->chunks)
		die("out of memory");
	c = &s->chunks[s->n_chunks];
	c->sector = sector;
	c->sectors = sectors;
	c->grain = 0;
	c->owner = s->n_chunks++ % s->threads;
	/* only small chunks are shared, because they are written in runs of a few sectors */
	if (sectors <= 128 && rng_below(r, 2))
		c->grain = 1 + rng_below(r, 5);
}

static void layout_window(struct stress *s, struct rng *r, uint32_t from, uint32_t to)
{
	static const uint32_t sizes[] = { 8, 8, 16, 32, 64, 128, 256, 1024 };

	while (from < to) {
		uint32_t n = sizes[rng_below(r, ARRAY_SIZE(sizes))];

		n = (n + s->unit - 1) / s->unit * s->unit;
		if (n > to - from)
			n = to - from;
		add_chunk(s, r, from, n);
		from += n;
	}
}

/*
 * A few small windows, so that the writers meet: the start, the end, and both sides of the place
 * where the second L2 block begins (256 clusters of 128 KiB).
 */
void model_layout(struct stress *s)
{
	const uint32_t window = (2u << 20) / SECTOR;
	const uint32_t block = (32u << 20) / SECTOR;
	struct rng r = { .state = s->seed };

	if (s->sectors <= 4 * window) {
		layout_window(s, &r, 0, s->sectors);
		return;
	}
	layout_window(s, &r, 0, window);
	if (s->sectors > block + 2 * window)
		layout_window(s, &r, block - window / 2, block + window / 2);
	layout_window(s, &r, (s->sectors - window) / s->unit * s->unit, s->sectors);
}

bool model_match(const struct stress *s, uint32_t id, uint32_t sector, const void *data)
{
	uint64_t seq;

	if (!id)
		return !memcmp(data, s->initial + (size_t)sector * SECTOR, SECTOR);
	if (s->log[id].kind == OP_ZERO || s->log[id].kind == OP_DISCARD)
		return is_zero(data, SECTOR);
	return sector_decode(data, s->seed, sector, &seq) && seq == id;
}

void model_describe(const struct stress *s, uint32_t id, char *buf, size_t len)
{
	static const char *const names[] = { "write", "fua write", "write zeroes", "discard" };
	const struct op *op = &s->log[id];

	if (!id)
		snprintf(buf, len, "the initial contents");
	else
		snprintf(buf, len, "operation %u, %s of %u sectors at %u, ticks %llu-%llu", id,
			 names[op->kind], op->sectors, op->sector,
			 (unsigned long long)op->submit, (unsigned long long)op->ack);
}

static bool changes(const struct op *op)
{
	return op->submit && op->kind <= OP_DISCARD;
}

static bool acked_before(const struct op *op, uint64_t tick)
{
	return op->ack && op->ack < tick;
}

/*
 * The tick at which the youngest operation was submitted that left a sector on @disk. What was
 * acknowledged before that tick has to be on @disk as well, because the frozen disk is one moment,
 * not a span of time.
 */
static uint64_t youngest_submit(struct stress *s, const uint8_t *disk, uint64_t end)
{
	uint64_t tick = 0;
	uint64_t seq;
	uint32_t i;

	for (i = 0; i < s->sectors; i++) {
		if (!sector_decode(disk + (size_t)i * SECTOR, s->seed, i, &seq) || seq >= end)
			continue;
		if (s->log[seq].submit > tick)
			tick = s->log[seq].submit;
	}
	return tick;
}

/* The last operation on each sector that was acknowledged before @tick. */
static uint32_t *replay(struct stress *s, uint64_t tick, uint64_t end)
{
	uint32_t *last = xalloc(s->sectors * sizeof(*last));
	uint64_t id;
	uint32_t i;

	for (id = 1; id < end; id++) {
		const struct op *op = &s->log[id];

		if (!changes(op) || !acked_before(op, tick))
			continue;
		for (i = op->sector; i < op->sector + op->sectors; i++)
			last[i] = id;
	}
	return last;
}

/* True if an operation that was under way between the ticks left @data in @sector. */
static bool under_way(struct stress *s, uint32_t sector, const void *data, uint64_t from,
		      uint64_t to, uint64_t end)
{
	uint64_t id;

	for (id = 1; id < end; id++) {
		const struct op *op = &s->log[id];

		if (changes(op) && op->submit < to && !acked_before(op, from) &&
		    sector >= op->sector && sector < op->sector + op->sectors &&
		    model_match(s, id, sector, data))
			return true;
	}
	return false;
}

static bool check_sectors(struct stress *s, const uint8_t *disk, uint64_t from, uint64_t to,
			  uint64_t end)
{
	uint32_t *last = replay(s, from, end);
	unsigned int bad = 0;
	char text[128];
	uint32_t i;

	for (i = 0; i < s->sectors && bad < 8; i++) {
		const uint8_t *data = disk + (size_t)i * SECTOR;
		uint64_t seq = 0;

		if (model_match(s, last[i], i, data) || under_way(s, i, data, from, to, end))
			continue;
		model_describe(s, last[i], text, sizeof(text));
		if (is_zero(data, SECTOR))
			stress_fail(s, "sector %u holds zeros instead of %s", i, text);
		else if (sector_decode(data, s->seed, i, &seq))
			stress_fail(s, "sector %u holds operation %llu instead of %s", i,
				    (unsigned long long)seq, text);
		else
			stress_fail(s, "sector %u holds %s instead of %s", i,
				    model_match(s, 0, i, data) ? "the initial contents" :
				    "unknown contents", text);
		bad++;
	}
	free(last);
	return !bad;
}

static void export_model(const char *file, const uint8_t *disk, uint64_t size)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	uint64_t off;

	if (fd < 0 || ftruncate(fd, size))
		die("%s: %s", file, strerror(errno));
	for (off = 0; off < size; off += 4096) {
		size_t n = size - off < 4096 ? size - off : 4096;

		if (!is_zero(disk + off, n) && pwrite_full(fd, disk + off, n, off))
			die("%s: cannot write", file);
	}
	close(fd);
}

static int read_disk(struct stress *s, int fd, uint8_t *disk)
{
	uint64_t size = (uint64_t)s->sectors * SECTOR;
	uint64_t off;
	int err;

	for (off = 0; off < size; off += PIECE) {
		size_t n = size - off < PIECE ? size - off : PIECE;

		err = pread_full(fd, disk + off, n, off);
		if (err)
			return err;
		s->heartbeat++;
	}
	return 0;
}

bool model_check_moment(struct stress *s, int fd, uint64_t from, uint64_t to, const char *model)
{
	uint8_t *disk = xalloc_io((size_t)s->sectors * SECTOR);
	uint64_t end = s->next;
	uint64_t youngest;
	bool ok = false;
	int err = read_disk(s, fd, disk);

	if (err) {
		stress_fail(s, "reading the disk back: %s", strerror(err));
		goto out;
	}
	youngest = youngest_submit(s, disk, end);
	ok = check_sectors(s, disk, youngest > from ? youngest : from, to, end);
	if (model)
		export_model(model, disk, (uint64_t)s->sectors * SECTOR);
out:
	free(disk);
	return ok;
}
