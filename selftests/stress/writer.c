// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: the writers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/fs.h>

#include "model.h"
#include "power-loss.h"
#include "report.h"
#include "writer.h"

/* The kinds of operations with their weights, and the letters that select them. */
static const struct {
	char letter;
	enum op_kind kind;
	unsigned int weight;
} mix[] = {
	{ 'w', OP_WRITE, 50 },
	{ 'u', OP_FUA, 8 },
	{ 'z', OP_ZERO, 12 },
	{ 'd', OP_DISCARD, 12 },
	{ 'f', OP_FLUSH, 6 },
	{ 'r', OP_READ, 20 },
};

static enum op_kind pick_kind(struct writer *w)
{
	unsigned int total = 0;
	unsigned int i;
	uint64_t at;

	for (i = 0; i < ARRAY_SIZE(mix); i++)
		if (strchr(w->s->writes, mix[i].letter))
			total += mix[i].weight;
	at = rng_below(&w->rng, total);
	for (i = 0; i < ARRAY_SIZE(mix) - 1; i++) {
		if (!strchr(w->s->writes, mix[i].letter))
			continue;
		if (at < mix[i].weight)
			break;
		at -= mix[i].weight;
	}
	return mix[i].kind;
}

static const struct chunk *pick_chunk(struct writer *w)
{
	const struct chunk *c;

	do {
		c = &w->s->chunks[rng_below(&w->rng, w->s->n_chunks)];
	} while (!c->grain && c->owner != w->id);
	return c;
}

/*
 * Picks a range of whole units of @unit sectors in [sector, sector + sectors); false if there is
 * none.
 */
static bool pick_range(struct writer *w, struct op *op, uint32_t sector, uint32_t sectors,
		       uint32_t unit)
{
	uint32_t first = (sector + unit - 1) / unit;
	uint32_t end = (sector + sectors) / unit;

	if (end <= first)
		return false;
	op->sectors = 1 + rng_below(&w->rng, end - first);
	/* mostly short: a long one would hide the effect of the shorter ones before it */
	if (rng_below(&w->rng, 4) && op->sectors > 16)
		op->sectors = 1 + op->sectors % 16;
	op->sector = (first + rng_below(&w->rng, end - first - op->sectors + 1)) * unit;
	op->sectors *= unit;
	return true;
}

static bool pick_shared(struct writer *w, struct op *op, const struct chunk *c)
{
	uint32_t runs = c->sectors / c->grain;
	uint32_t run;

	if (runs < w->s->threads || op->kind == OP_DISCARD)
		return false;
	run = rng_below(&w->rng, runs / w->s->threads) * w->s->threads + w->id;
	return pick_range(w, op, c->sector + run * c->grain, c->grain, 1);
}

static void pick_op(struct writer *w, struct op *op)
{
	const struct chunk *c;
	uint32_t unit;

	for (;;) {
		op->kind = pick_kind(w);
		if (op->kind == OP_FLUSH) {
			op->sector = 0;
			op->sectors = 0;
			return;
		}
		c = pick_chunk(w);
		/* the effect of a discard on a part of a subcluster is not defined */
		unit = op->kind == OP_DISCARD ? w->s->unit : 1;
		if (c->grain ? pick_shared(w, op, c) :
		    pick_range(w, op, c->sector, c->sectors, unit))
			return;
	}
}

static int do_write(struct stress *s, const struct op *op, uint64_t id, uint8_t *buf)
{
	struct iovec iov = { .iov_base = buf, .iov_len = (size_t)op->sectors * SECTOR };
	ssize_t n;
	uint32_t i;

	for (i = 0; i < op->sectors; i++)
		sector_fill(buf + (size_t)i * SECTOR, s->seed, op->sector + i, id);
	if (s->log_writes && op->kind == OP_FUA)
		return crash_write_fua(s->dev, buf, iov.iov_len, (uint64_t)op->sector * SECTOR);
	n = pwritev2(s->dev, &iov, 1, (uint64_t)op->sector * SECTOR,
		     op->kind == OP_FUA ? RWF_DSYNC : 0);
	if (n < 0)
		return errno;
	return (size_t)n == iov.iov_len ? 0 : EIO;
}

static int do_range(struct stress *s, unsigned long req, const struct op *op)
{
	uint64_t range[2] = { (uint64_t)op->sector * SECTOR, (uint64_t)op->sectors * SECTOR };

	return ioctl(s->dev, req, range) ? errno : 0;
}

static int do_read(struct stress *s, const struct op *op, uint8_t *buf)
{
	char text[128];
	uint32_t i;
	int err = pread_full(s->dev, buf, (size_t)op->sectors * SECTOR,
			     (uint64_t)op->sector * SECTOR);

	for (i = op->sector; !err && i < op->sector + op->sectors; i++) {
		uint8_t *data = buf + (size_t)(i - op->sector) * SECTOR;
		uint64_t seq = 0;

		if (model_match(s, s->last[i], i, data))
			continue;
		model_describe(s, s->last[i], text, sizeof(text));
		sector_decode(data, s->seed, i, &seq);
		stress_fail(s, "sector %u reads %s (%llu) instead of %s", i,
			    is_zero(data, SECTOR) ? "zeros" : "other data",
			    (unsigned long long)seq, text);
		break;
	}
	return err;
}

static int submit(struct writer *w, const struct op *op, uint64_t id, uint8_t *buf)
{
	switch (op->kind) {
	case OP_WRITE:
	case OP_FUA:
		return do_write(w->s, op, id, buf);
	case OP_ZERO:
		return do_range(w->s, BLKZEROOUT, op);
	case OP_DISCARD:
		return do_range(w->s, BLKDISCARD, op);
	case OP_FLUSH:
		return fsync(w->s->dev) ? errno : 0;
	case OP_READ:
		return do_read(w->s, op, buf);
	}
	return EINVAL;
}

static void one_op(struct writer *w, uint8_t *buf)
{
	struct stress *s = w->s;
	uint64_t id = atomic_fetch_add(&s->next, 1);
	struct op *op = &s->log[id];
	char text[128];
	uint32_t i;
	int err;

	pick_op(w, op);
	op->submit = atomic_fetch_add(&s->clock, 1);
	err = submit(w, op, id, buf);
	op->ack = atomic_fetch_add(&s->clock, 1);
	s->heartbeat++;
	if (err) {
		stress_fail(s, "operation %llu, kind %d, %u sectors at %u: %s",
			    (unsigned long long)id, op->kind, op->sectors, op->sector,
			    strerror(err));
		return;
	}
	crash_mark_op(s, id);
	if (op->kind > OP_DISCARD)
		return;
	for (i = op->sector; i < op->sector + op->sectors; i++)
		s->last[i] = id;
	if (s->verbose) {
		model_describe(s, id, text, sizeof(text));
		stress_note(s, "writer %u: %s", w->id, text);
	}
}

static void wait_if_held(struct stress *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->hold) {
		s->held++;
		pthread_cond_broadcast(&s->cond);
		while (s->hold)
			pthread_cond_wait(&s->cond, &s->lock);
		s->held--;
	}
	pthread_mutex_unlock(&s->lock);
}

void *writer_thread(void *arg)
{
	struct writer *w = arg;
	struct stress *s = w->s;
	uint8_t *buf = xalloc_io(1u << 20);
	uint64_t n = s->ops / s->threads;

	while (n-- && !s->failed) {
		wait_if_held(s);
		one_op(w, buf);
	}
	pthread_mutex_lock(&s->lock);
	s->running--;
	pthread_cond_broadcast(&s->cond);
	pthread_mutex_unlock(&s->lock);
	free(buf);
	return NULL;
}

void writers_hold(struct stress *s)
{
	pthread_mutex_lock(&s->lock);
	s->hold = true;
	while (s->held < s->running)
		pthread_cond_wait(&s->cond, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void writers_release(struct stress *s)
{
	pthread_mutex_lock(&s->lock);
	s->hold = false;
	pthread_cond_broadcast(&s->cond);
	while (s->held)
		pthread_cond_wait(&s->cond, &s->lock);
	pthread_mutex_unlock(&s->lock);
}
