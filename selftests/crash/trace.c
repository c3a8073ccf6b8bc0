// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: reads a trace of block events, and finds out from it to which slice each flush of
 * the log belongs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "trace.h"

static void trace_add(struct trace_list *list, const struct traced *what)
{
	struct traced *more = realloc(list->e, (list->n + 1) * sizeof(*list->e));

	if (!more)
		die("out of memory");
	list->e = more;
	list->e[list->n++] = *what;
}

static void trace_end(struct trace_list *list, const struct traced *what)
{
	uint32_t i;

	for (i = 0; i < list->n; i++) {
		struct traced *e = &list->e[i];

		if (e->slice == what->slice && e->sector == what->sector &&
		    e->sectors == what->sectors && e->ended == UINT64_MAX) {
			e->ended = what->ended;
			return;
		}
	}
	die("the trace has the end of what never began");
}

static void trace_event(struct trace_list *list, bool begins, const struct traced *what)
{
	if (begins)
		trace_add(list, what);
	else
		trace_end(list, what);
}

/* A line of the trace; @at is its number. The flags of a FUA write have an F behind the W. */
static void trace_line(struct trace *t, const char *line, uint64_t at, const struct slice *s,
		       unsigned int n)
{
	const char *queue = strstr(line, "block_bio_queue: ");
	const char *event = queue ? queue : strstr(line, "block_bio_complete: ");
	struct traced what = { .queued = at, .ended = UINT64_MAX };
	unsigned int major, minor, i;
	char flags[16];

	if (!event || sscanf(strchr(event, ':'), ": %u,%u %15s %" SCNu64 " + %" SCNu32, &major, &minor,
			     flags, &what.sector, &what.sectors) != 5)
		return;
	for (i = 0; i < n && (s[i].major != major || s[i].minor != minor); i++)
		;
	if (i == n)
		return;
	what.slice = i;
	if (!queue)
		what.ended = at;
	if (flags[0] == 'F')
		trace_event(&t->flush, queue, &what);
	else if ((flags[0] == 'W' || flags[0] == 'D') && flags[1] != 'F')
		trace_event(&t->write, queue, &what);
}

static void trace_read(struct trace *t, const char *file, const struct slice *s, unsigned int n)
{
	FILE *f = fopen(file, "r");
	char line[512];
	uint64_t at = 0;

	if (!f)
		die("%s: %s", file, strerror(errno));
	while (fgets(line, sizeof(line), f))
		trace_line(t, line, ++at, s, n);
	fclose(f);
}

/*
 * The log has flushes in the order in which they ended. A flush that began after m others had
 * ended, and ended when k had begun, itself included, has one of the places m to k - 1.
 */
static void trace_places(struct trace_list *flush)
{
	uint32_t i, j;

	for (i = 0; i < flush->n; i++) {
		struct traced *f = &flush->e[i];
		uint32_t begun = 0;

		for (j = 0; j < flush->n; j++) {
			f->first += flush->e[j].ended < f->queued;
			begun += flush->e[j].queued < f->ended;
		}
		f->last = begun - 1;
	}
}

void trace_attribute(struct crash_log *l, const char *trace, const struct slice *slices,
		     unsigned int n)
{
	struct trace t = { .flush.n = 0 };
	uint32_t place = 0;
	uint32_t i, j;

	trace_read(&t, trace, slices, n);
	if (t.flush.n != l->flushes)
		die("%s has %u flushes, the log %" PRIu64, trace, t.flush.n, l->flushes);
	trace_places(&t.flush);
	for (i = 0; i < l->n; i++) {
		struct entry *e = &l->e[i];

		if (e->kind != E_FLUSH)
			continue;
		for (j = 0; j < t.flush.n; j++)
			if (t.flush.e[j].first <= place && place <= t.flush.e[j].last)
				e->slices |= 1u << t.flush.e[j].slice;
		l->unclear += !!(e->slices & (e->slices - 1));
		place++;
	}
	log_order(l, &t, slices);
	free(t.flush.e);
	free(t.write.e);
}
