// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutantwalk: what must not have been written to, and I/O that the block layer had to stop.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "slices.h"
#include "verify.h"

#define CHUNK	65536u

/* The kernel log from now on. */
void worker_log_open(struct worker *w)
{
	w->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (w->kmsg < 0 || lseek(w->kmsg, 0, SEEK_END) < 0)
		die("/dev/kmsg: %s", strerror(errno));
}

/* A line like "dm-3: rw=0, sector=8, nr_sectors = 8 limit=4": is it about a slice? */
static void check_log_line(struct worker *w, const char *line)
{
	const char *at = strstr(line, "dm-");
	unsigned long long sector, limit;
	unsigned int i, minor, rw, n;

	if (!at || sscanf(at, "dm-%u: rw=%u, sector=%llu, nr_sectors = %u limit=%llu", &minor, &rw,
			  &sector, &n, &limit) != 5)
		return;
	for (i = 0; i < w->slices; i++) {
		const struct slice *s = &w->slice[i];

		if ((unsigned int)atoi(strchr(s->number, ':') + 1) != minor)
			continue;
		/* the length may change between the check and the use */
		if (w->m.live && s->was_cut)
			continue;
		worker_fail(w, "I/O behind the end of %s: %u sectors at %llu of %llu", s->file, n,
			    sector, limit);
	}
}

/*
 * No I/O goes behind the end of a slice. The guards would not show it, because the block layer
 * refuses such I/O and logs it.
 */
void worker_log_check(struct worker *w)
{
	char text[8192], *line, *save;
	ssize_t n;

	/*
	 * one record each time; EPIPE: some were lost, and the next read returns the one after them
	 */
	while ((n = read(w->kmsg, text, sizeof(text) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		text[n > 0 ? n : 0] = 0;
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			check_log_line(w, line);
	}
}

static bool differs(const uint8_t *a, const uint8_t *b, uint64_t len, uint64_t *at)
{
	uint64_t i;

	if (!memcmp(a, b, len))
		return false;
	for (i = 0; a[i] == b[i]; i++)
		;
	*at = i;
	return true;
}

static void check_guards(struct worker *w, const struct slice *s)
{
	const uint8_t *guard = slice_guard();
	uint64_t at;

	if (differs(s->map - GUARD_BYTES, guard, GUARD_BYTES, &at))
		worker_fail(w, "%llu bytes before %s were written",
			    (unsigned long long)(GUARD_BYTES - at), s->file);
	if (differs(s->map + s->len, guard, GUARD_BYTES, &at))
		worker_fail(w, "%llu bytes behind %s were written", (unsigned long long)at,
			    s->file);
}

static bool may_be_written(const struct mutant *m, const struct slice *s)
{
	if (m->writable && (s == m->top || s == m->top_data))
		return true;
	return m->spare_used && (s == m->spare || s == m->spare_data);
}

/* True if it has to be restored. */
static bool check_slice(struct worker *w, const struct slice *s)
{
	const uint8_t *want = s == w->m.target ? w->shadow : s->pristine;
	uint64_t at;

	check_guards(w, s);
	if (may_be_written(&w->m, s))
		return true;
	if (!differs(s->map, want, s->len, &at))
		return s == w->m.target;
	worker_fail(w, "%s was written at 0x%llx", s->file, (unsigned long long)at);
	return true;
}

static void restore(struct worker *w, struct slice *s)
{
	uint64_t off;

	if (s->cut)
		slice_cut(w, s, s->len);
	s->was_cut = false;
	for (off = 0; off < s->len; off += CHUNK) {
		uint64_t n = s->len - off < CHUNK ? s->len - off : CHUNK;

		if (memcmp(s->map + off, s->pristine + off, n))
			memcpy(s->map + off, s->pristine + off, n);
	}
}

void worker_verify(struct worker *w)
{
	struct mutant *m = &w->m;
	struct slice *all[] = { m->base, m->mid, m->mid_data, m->top, m->top_data, m->spare,
				m->spare_data };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i] && check_slice(w, all[i]))
			restore(w, all[i]);
	}
}

void worker_verify_all(struct worker *w)
{
	unsigned int i;
	uint64_t at;

	for (i = 0; i < w->slices; i++) {
		check_guards(w, &w->slice[i]);
		if (differs(w->slice[i].map, w->slice[i].pristine, w->slice[i].len, &at))
			worker_fail(w, "%s, which had no part in it, was written at 0x%llx",
				    w->slice[i].file, (unsigned long long)at);
	}
}
