// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: puts writes right that the log has in the wrong order.
 *
 * dm-log-writes collects the writes that end. A flush takes with it, as it begins, all that were
 * collected up to then, and they get into the log when the flush has ended. So if two flushes are
 * under way at once, the one that began later may end earlier, and the younger writes come first.
 *
 * Which of two flushes took its writes first cannot be seen: the trace has a flush a moment before
 * it takes them, and in that moment another may begin, end, and be followed by more writes. What
 * can be seen is which writes were begun after others had ended. That is all that somebody can have
 * waited for, so an order that keeps to it is right, whatever it does with writes that were under
 * way at once.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"

/* The writes that one flush took with it. */
struct chunk {
	uint32_t from, to;	/* entries of the log; @to is the flush */
	uint64_t flush_queued, flush_ended;
	uint64_t first_end;	/* of these writes */
	uint64_t last_begin;
	bool placed;
	uint32_t slot;		/* it belongs in front of the writes of that chunk */
};

/* The first of the writes that entry @flush of the log was logged with. */
static uint32_t brought_along(const struct crash_log *l, uint32_t flush)
{
	uint32_t i = flush;

	while (i && (l->e[i - 1].kind == E_WRITE || l->e[i - 1].kind == E_DISCARD) &&
	       !l->e[i - 1].fua)
		i--;
	return i;
}

static int by_end(const void *a, const void *b)
{
	uint64_t x = ((const struct traced *)a)->ended;
	uint64_t y = ((const struct traced *)b)->ended;

	return x < y ? -1 : x > y;
}

/* The log has flushes in the order in which they ended. */
static struct chunk *find_chunks(const struct crash_log *l, struct trace_list *flush)
{
	struct chunk *c = xalloc((flush->n + 1) * sizeof(*c));
	uint32_t i, n = 0;

	if (flush->n)
		qsort(flush->e, flush->n, sizeof(*flush->e), by_end);
	for (i = 0; i < l->n; i++) {
		if (l->e[i].kind != E_FLUSH)
			continue;
		c[n].from = brought_along(l, i);
		c[n].to = i;
		c[n].flush_queued = flush->e[n].queued;
		c[n].flush_ended = flush->e[n].ended;
		c[n].first_end = UINT64_MAX;
		n++;
	}
	return c;
}

/* The bio that wrote the entry: the log may have it in parts, and the same place more than once. */
static struct traced *find_write(struct trace_list *write, const struct entry *e,
				 const struct slice *slices)
{
	uint64_t sector = e->sector - slices[e->slice].start;
	uint32_t i;

	/* in the order in which they ended */
	for (i = 0; i < write->n; i++) {
		struct traced *w = &write->e[i];

		if (w->slice == e->slice && w->sector <= sector &&
		    sector + e->sectors <= w->sector + w->sectors &&
		    e->sectors <= w->sectors - w->found)
			return w;
	}
	die("the trace lacks a write to sector %" PRIu64 " of %s", sector, slices[e->slice].file);
}

static void look_up(const struct crash_log *l, struct chunk *c, struct trace_list *write,
		    const struct slice *slices)
{
	uint32_t i;

	for (i = c->from; i < c->to; i++) {
		struct traced *w = find_write(write, &l->e[i], slices);

		w->found += l->e[i].sectors;
		if (w->ended < c->first_end)
			c->first_end = w->ended;
		if (w->queued > c->last_begin)
			c->last_begin = w->queued;
	}
}

static int by_flush_queued(const void *a, const void *b)
{
	const struct chunk *x = *(struct chunk *const *)a, *y = *(struct chunk *const *)b;

	return x->flush_queued < y->flush_queued ? -1 : x->flush_queued > y->flush_queued;
}

/*
 * Writes to the same place are told apart by the order of the flushes' beginnings: the best guess
 * at who took the first of them.
 */
static void look_up_all(const struct crash_log *l, struct chunk *c, uint32_t n, struct trace *t,
			const struct slice *slices)
{
	struct chunk **sorted = xalloc((n + 1) * sizeof(*sorted));
	uint32_t i;

	for (i = 0; i < n; i++)
		sorted[i] = &c[i];
	if (n)
		qsort(sorted, n, sizeof(*sorted), by_flush_queued);
	if (t->write.n)
		qsort(t->write.e, t->write.n, sizeof(*t->write.e), by_end);
	for (i = 0; i < n; i++)
		look_up(l, sorted[i], &t->write, slices);
	free(sorted);
}

/* Was a write of @b begun after one of @a had ended? @b is in front of @a in the log. */
static bool is_before(const struct chunk *a, const struct chunk *b)
{
	return a->flush_queued < b->flush_ended && a->first_end < b->last_begin;
}

/* The first chunk in the log that none of the others has to precede. */
static uint32_t next_chunk(const struct chunk *c, uint32_t n)
{
	uint32_t i, k, first = n;

	for (i = 0; i < n; i++) {
		if (c[i].placed)
			continue;
		if (first == n)
			first = i;
		for (k = i + 1; k < n && (c[k].placed || !is_before(&c[k], &c[i])); k++)
			;
		if (k == n)
			return i;
	}
	return first;
}

/* All that come before a chunk are at its place at the latest. */
static void find_slots(struct chunk *c, const uint32_t *sorted, uint32_t n)
{
	uint32_t slot = n, i;

	for (i = n; i--;) {
		if (sorted[i] < slot)
			slot = sorted[i];
		c[sorted[i]].slot = slot;
	}
}

static void move_entries(struct crash_log *l, const struct chunk *c, const uint32_t *sorted,
			 uint32_t n)
{
	size_t size = (l->n + 1) * sizeof(*l->e);
	struct entry *was = xalloc(size);
	uint32_t slot, next = 0, at = 0, i = 0;

	memcpy(was, l->e, size);
	for (slot = 0; slot < n; slot++) {
		while (i < c[slot].from)
			l->e[at++] = was[i++];
		for (; next < n && c[sorted[next]].slot == slot; next++) {
			const struct chunk *m = &c[sorted[next]];

			memcpy(l->e + at, was + m->from, (m->to - m->from) * sizeof(*was));
			at += m->to - m->from;
			if (sorted[next] != slot)
				l->moved += m->to - m->from;
		}
		i = c[slot].to;
	}
	while (i < l->n)
		l->e[at++] = was[i++];
	free(was);
}

void log_order(struct crash_log *l, struct trace *t, const struct slice *slices)
{
	struct chunk *c = find_chunks(l, &t->flush);
	uint32_t *sorted = xalloc((t->flush.n + 1) * sizeof(*sorted));
	uint32_t n = t->flush.n, i;

	look_up_all(l, c, n, t, slices);
	for (i = 0; i < n; i++) {
		sorted[i] = next_chunk(c, n);
		c[sorted[i]].placed = true;
	}
	find_slots(c, sorted, n);
	move_entries(l, c, sorted, n);
	free(sorted);
	free(c);
}
