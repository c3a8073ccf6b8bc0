// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: finds out, from a trace of block events, to which slice each flush of the log
 * belongs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define MAX_AT_ONCE	32u	/* flushes in flight */

/* One flush of a slice, and the events of the trace at which it began and ended. */
struct traced {
	unsigned int slice;
	uint64_t queued, ended;
	uint32_t first, last;	/* places in the log where it can be */
};

struct trace {
	struct traced *f;
	uint32_t n;
};

static void trace_event(struct trace *t, bool queued, unsigned int slice, uint64_t at)
{
	struct traced *more;
	uint32_t i;

	if (queued) {
		more = realloc(t->f, (t->n + 1) * sizeof(*t->f));
		if (!more)
			die("out of memory");
		t->f = more;
		t->f[t->n++] = (struct traced){ .slice = slice, .queued = at, .ended = UINT64_MAX };
		return;
	}
	for (i = 0; i < t->n; i++) {
		if (t->f[i].slice == slice && t->f[i].ended == UINT64_MAX) {
			t->f[i].ended = at;
			return;
		}
	}
	die("the trace has the end of a flush that never began");
}

static void trace_read(struct trace *t, const char *file, const struct slice *s, unsigned int n)
{
	FILE *f = fopen(file, "r");
	char line[512], flags[16];
	unsigned int major, minor, i;
	uint64_t at = 0;
	char *event;

	if (!f)
		die("%s: %s", file, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		bool queued = true;

		at++;
		event = strstr(line, "block_bio_queue: ");
		if (!event) {
			queued = false;
			event = strstr(line, "block_bio_complete: ");
		}
		if (!event ||
		    sscanf(strchr(event, ':'), ": %u,%u %15s", &major, &minor, flags) != 3 ||
		    flags[0] != 'F')
			continue;
		for (i = 0; i < n; i++)
			if (s[i].major == major && s[i].minor == minor)
				trace_event(t, queued, i, at);
	}
	fclose(f);
}

/*
 * The log has flushes in the order in which they ended. A flush that began after m others had
 * ended, and ended when k had begun, itself included, has one of the places m to k - 1.
 */
static void trace_places(struct trace *t)
{
	uint32_t i, j;

	for (i = 0; i < t->n; i++) {
		struct traced *f = &t->f[i];
		uint32_t begun = 0;

		for (j = 0; j < t->n; j++) {
			f->first += t->f[j].ended < f->queued;
			begun += t->f[j].queued < f->ended;
		}
		f->last = begun - 1;
	}
}

/* The first of the writes that entry @flush of the log was logged with. */
static uint32_t brought_along(const struct crash_log *l, uint32_t flush)
{
	uint32_t i = flush;

	while (i && (l->e[i - 1].kind == E_WRITE || l->e[i - 1].kind == E_DISCARD) &&
	       !l->e[i - 1].fua)
		i--;
	return i;
}

/* Moves the entries [from, to) in front of entry @before, which is an earlier one. */
static void move_entries(struct crash_log *l, uint32_t before, uint32_t from, uint32_t to)
{
	size_t size = (to - from) * sizeof(*l->e);
	struct entry *moved = xalloc(size);

	memcpy(moved, l->e + from, size);
	memmove(l->e + before + (to - from), l->e + before, (from - before) * sizeof(*l->e));
	memcpy(l->e + before, moved, size);
	free(moved);
}

static uint32_t place_of_flush(const struct crash_log *l, uint32_t place)
{
	uint32_t i;

	for (i = 0; l->e[i].kind != E_FLUSH || place; i++)
		place -= l->e[i].kind == E_FLUSH;
	return i;
}

static int by_end(const void *a, const void *b)
{
	uint64_t x = ((const struct traced *)a)->ended;
	uint64_t y = ((const struct traced *)b)->ended;

	return x < y ? -1 : x > y;
}

/*
 * The writes that have ended when a flush begins are logged with it, when it has ended. If a flush
 * that began later ends earlier, the younger writes come first in the log: reorder them.
 */
static void log_sort(struct crash_log *l, struct trace *t)
{
	uint32_t p, q, at, from;

	if (t->n)
		qsort(t->f, t->n, sizeof(*t->f), by_end);
	for (p = 0; p < t->n; p++) {
		for (q = p + 1; q < t->n && q < p + MAX_AT_ONCE; q++) {
			if (t->f[q].queued > t->f[p].queued)
				continue;
			at = place_of_flush(l, q);
			from = brought_along(l, at);
			move_entries(l, brought_along(l, place_of_flush(l, p)), from, at);
			l->moved += at - from;
		}
	}
}

void trace_attribute(struct crash_log *l, const char *trace, const struct slice *slices,
		     unsigned int n)
{
	struct trace t = { .n = 0 };
	uint32_t place = 0;
	uint32_t i, j;

	trace_read(&t, trace, slices, n);
	if (t.n != l->flushes)
		die("%s has %u flushes, the log %" PRIu64, trace, t.n, l->flushes);
	trace_places(&t);
	for (i = 0; i < l->n; i++) {
		struct entry *e = &l->e[i];

		if (e->kind != E_FLUSH)
			continue;
		for (j = 0; j < t.n; j++)
			if (t.f[j].first <= place && place <= t.f[j].last)
				e->slices |= 1u << t.f[j].slice;
		l->unclear += !!(e->slices & (e->slices - 1));
		place++;
	}
	log_sort(l, &t);
	free(t.f);
}
