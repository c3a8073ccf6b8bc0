// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order of the writes in a log of dm-log-writes, for the tests of power losses.
 */
#include <stdlib.h>
#include <unistd.h>

#include "test.h"
#include "../crash/trace.h"

#define MAX_ENTRIES	16

static const struct slice slices[] = {
	{ .file = "c", .start = 0, .sectors = 100, .major = 253, .minor = 1 },
	{ .file = "d", .start = 100, .sectors = 100, .major = 253, .minor = 2 },
};

static struct entry entries[MAX_ENTRIES];
static struct crash_log logged;
static char order[2 * MAX_ENTRIES];	/* the names of the entries, after that */

/*
 * @log: a letter an entry: a capital is a flush, another a write to the slice "c" if it is before
 * "m", else to "d". One with a dot behind it is FUA.
 */
static void parse_log(const char *log)
{
	static char names[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	memset(entries, 0, sizeof(entries));
	logged = (struct crash_log){ .e = entries };
	for (; *log; log++) {
		struct entry *e = &entries[logged.n++];

		e->data = (const uint8_t *)strchr(names, *log);
		e->kind = *log < 'a' ? E_FLUSH : E_WRITE;
		logged.flushes += e->kind == E_FLUSH;
		e->slice = *log >= 'm';
		e->sector = slices[e->slice].start + 8 * (*log % 4);
		e->sectors = 8;
		e->fua = log[1] == '.';
		log += e->fua;
	}
}

/* @events: "+a" is the beginning of what has that name in the log, "-a" its end. */
static void write_trace(FILE *f, const char *events)
{
	for (; *events; events += 2) {
		char name = events[1];
		unsigned int slice = name >= 'm' || (name >= 'M' && name <= 'Z');

		fprintf(f, " x-1 [000] ..... 1.0: block_bio_%s: 253,%u %s %d + %d [x]\n",
			events[0] == '+' ? "queue" : "complete", slice + 1,
			name < 'a' ? "FWS" : "WS", name < 'a' ? 0 : 8 * (name % 4),
			name < 'a' ? 0 : 8);
	}
}

/* Return: the log @log in the right order, by these events. */
static const char *sorted(const char *log, const char *events)
{
	char name[] = "/tmp/test-crash.XXXXXX";
	int fd = mkstemp(name);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	uint32_t i, n = 0;

	if (!f)
		abort();
	write_trace(f, events);
	fclose(f);
	parse_log(log);
	trace_attribute(&logged, name, slices, 2);
	unlink(name);
	for (i = 0; i < logged.n; i++) {
		order[n++] = *(const char *)entries[i].data;
		if (entries[i].fua)
			order[n++] = '.';
	}
	order[n] = 0;
	return order;
}

/* M is a flush of "d", B of "c"; a and b are writes to "c", n and o to "d". */
static void overtaken(void)
{
	CHECK(!strcmp(sorted("aBnM", "+a-a+B-B+n-n+M-M"), "aBnM"), "%s", order);
	CHECK(logged.moved == 0);
	CHECK(!strcmp(sorted("nMaB", "+a-a+B+n-n+M-M-B"), "anMB"), "%s", order);
	CHECK(logged.moved == 1);
	/* of three, the first one ends last, then the second */
	CHECK(!strcmp(sorted("nMbCaB", "+a-a+B+b-b+C+n-n+M-M-C-B"), "abnMCB"), "%s", order);
	CHECK(logged.moved == 2);
}

/* A flush that is seen early takes its writes late. */
static void begun_early(void)
{
	CHECK(!strcmp(sorted("aBnM", "+M+a-a+B-B+n-n-M"), "aBnM"), "%s", order);
	CHECK(logged.moved == 0);
}

/* Nobody can have waited for the other. */
static void at_once(void)
{
	CHECK(!strcmp(sorted("nMaB", "+a+n-a+B-n+M-M-B"), "nMaB"), "%s", order);
}

/* The sectors are 8 times the letter modulo 4: "a" and "e" are the same place. */
static void same_place(void)
{
	CHECK(!strcmp(sorted("BeCaM", "+a-a+M+B-B+e-e+C-C-M"), "BaeCM"), "%s", order);
	CHECK(!strcmp(sorted("aCeM", "+a-a+C-C+M+e-e-M"), "aCeM"), "%s", order);
}

static void with_fua(void)
{
	CHECK(!strcmp(sorted("b.nMaB", "+a-a+B+n-n+M-M-B"), "b.anMB"), "%s", order);
}

const struct test crash_tests[] = {
	{ "crash: writes of flushes that overtake one another", overtaken },
	{ "crash: a flush that is seen before it takes its writes", begun_early },
	{ "crash: writes that are under way at once", at_once },
	{ "crash: writes to the same place", same_place },
	{ "crash: FUA writes stay where they are", with_fua },
	{ NULL, NULL }
};
