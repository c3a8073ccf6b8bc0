// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: the injectors, of I/O errors and of allocations that fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "inject.h"

#define PLAN		"/sys/module/dm_cct_fault/parameters/plan"
#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAILPAGES	"/sys/kernel/debug/fail_page_alloc/"

static bool slab_armed;

static void put(const char *file, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *file, const char *fmt, ...)
{
	char text[128];
	va_list ap;
	ssize_t n;
	int fd = open(file, O_WRONLY);

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = fd < 0 ? -1 : write(fd, text, strlen(text));
	if (n != (ssize_t)strlen(text))
		die("%s: %s", file, strerror(errno));
	close(fd);
}

static void get(const char *file, char *text, size_t len)
{
	int fd = open(file, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, len - 1);

	if (n < 0)
		die("%s: %s", file, strerror(errno));
	text[n] = 0;
	close(fd);
}

/* ---- allocations below the module's functions ---- */

/*
 * The range of the module's code, for the stack filter: from its first function to the end of its
 * last.
 */
static void module_range(const char *start_file, const char *end_file)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	uint64_t start = UINT64_MAX, end = 0, at;
	char line[512], type;

	if (!f)
		die("/proc/kallsyms: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (!strstr(line, "[dm_cowchain]") ||
		    sscanf(line, "%" SCNx64 " %c", &at, &type) != 2 || (type | 32) != 't')
			continue;
		start = at < start ? at : start;
		end = at > end ? at : end;
	}
	fclose(f);
	if (!end)
		die("the addresses of the module's functions are not known");
	put(start_file, "%#" PRIx64, start);
	put(end_file, "%#" PRIx64, end + 1024);
}

/*
 * The kernel counts the calls, and one fails when the count is a multiple of the interval. The
 * count can be neither set nor read, but it does not change while "times" is 0. So it is kept equal
 * to the interval while nothing is armed: the n-th call from there fails if n is added to the
 * interval. If two processors count at once, a call may not be counted: then one number is tried
 * twice.
 */
static uint64_t slab_count;

static void slab_arm(uint64_t nth)
{
	slab_armed = true;
	slab_count += nth;
	put(FAILSLAB "times", "0");
	put(FAILSLAB "interval", "%" PRIu64, slab_count);
	put(FAILSLAB "times", "1");
}

static bool slab_failed(void)
{
	char text[32];

	get(FAILSLAB "times", text, sizeof(text));
	return slab_armed && !atoll(text);
}

/* If no fault has come, the count is too low: allocations that do not matter advance it. */
static void slab_catch_up(void)
{
	int i;

	for (i = 0; i < 10000; i++) {
		if (slab_failed())
			return;
		dm_reload("cct-sync", 8, "0 1 qcow2 no/such/device -");
	}
	die("failslab lets nothing fail; was it used since the machine started?");
}

static void slab_disarm(void)
{
	if (slab_armed)
		slab_catch_up();
	slab_armed = false;
	put(FAILSLAB "times", "0");
}

/* The kernel does not count with an interval below 2. */
static void slab_first(void)
{
	char text[32];

	get(FAILSLAB "interval", text, sizeof(text));
	slab_count = strtoull(text, NULL, 0);
	slab_arm(slab_count > 1 ? 64 : 1);
	slab_disarm();
}

static void remove_sync(void)
{
	dm_remove("cct-sync");
}

static void slab_setup(void)
{
	int err;

	put(FAILSLAB "times", "0");
	put(FAILSLAB "ignore-gfp-wait", "N");
	put(FAILSLAB "verbose", "0");
	put(FAILSLAB "task-filter", "N");
	put(FAILSLAB "space", "0");
	err = dm_create_empty("cct-sync");
	if (err)
		die("cct-sync: %s", strerror(err));
	/* without a table it is not in sysfs, where the tests look for devices that are left */
	atexit(remove_sync);
	module_range(FAILSLAB "require-start", FAILSLAB "require-end");
	put(FAILSLAB "stacktrace-depth", "32");
	put(FAILSLAB "probability", "100");
	slab_first();
}

/*
 * Pages are counted by size: an allocation fails if "space" has no more left than its size. So
 * several numbers let the same allocation of several pages fail.
 */
static bool pages_armed;

static void pages_arm(uint64_t nth)
{
	pages_armed = true;
	put(FAILPAGES "times", "0");
	put(FAILPAGES "space", "%" PRIu64, nth);
	put(FAILPAGES "times", "1");
}

static bool pages_failed(void)
{
	char text[32];

	get(FAILPAGES "times", text, sizeof(text));
	return pages_armed && !atoll(text);
}

static void pages_disarm(void)
{
	pages_armed = false;
	put(FAILPAGES "times", "0");
}

static void pages_setup(void)
{
	put(FAILPAGES "times", "0");
	put(FAILPAGES "ignore-gfp-wait", "N");
	put(FAILPAGES "ignore-gfp-highmem", "N");
	put(FAILPAGES "min-order", "0");
	put(FAILPAGES "verbose", "0");
	put(FAILPAGES "task-filter", "N");
	put(FAILPAGES "interval", "1");
	module_range(FAILPAGES "require-start", FAILPAGES "require-end");
	put(FAILPAGES "stacktrace-depth", "32");
	put(FAILPAGES "probability", "100");
}

void fault_setup(enum fault_kind kind)
{
	switch (kind) {
	case FAULT_IO:
		fault_disarm(kind);
		break;
	case FAULT_SLAB:
		slab_setup();
		break;
	case FAULT_PAGES:
		pages_setup();
		break;
	}
}

/* ---- all of them ---- */

void fault_arm(const struct fault *f)
{
	switch (f->kind) {
	case FAULT_IO:
		put(PLAN, "%u %u %" PRIu64 " %lld %d %d", f->ids, f->ops, f->nth, f->times,
		    f->error, f->late);
		break;
	case FAULT_SLAB:
		slab_arm(f->nth);
		break;
	case FAULT_PAGES:
		pages_arm(f->nth);
		break;
	}
}

void fault_disarm(enum fault_kind kind)
{
	switch (kind) {
	case FAULT_IO:
		put(PLAN, "0 0 0 0 5 0");
		break;
	case FAULT_SLAB:
		slab_disarm();
		break;
	case FAULT_PAGES:
		pages_disarm();
		break;
	}
}

void fault_look(enum fault_kind kind, struct hit *h)
{
	char text[128];

	memset(h, 0, sizeof(*h));
	h->op = '-';
	switch (kind) {
	case FAULT_IO:
		get(PLAN, text, sizeof(text));
		if (sscanf(text, "%" SCNu64 " %" SCNu64 " %u %c %" SCNu64 " %u", &h->seen,
			   &h->failed, &h->id, &h->op, &h->sector, &h->sectors) != 6)
			die("unexpected plan: %s", text);
		break;
	case FAULT_SLAB:
		h->failed = slab_failed();
		break;
	case FAULT_PAGES:
		h->failed = pages_failed();
		break;
	}
}
