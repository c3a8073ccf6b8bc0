// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutants: the devices that layers lie on, and what must not have been written to.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dm.h"
#include "loops.h"
#include "mutants.h"

#define CHUNK	65536u

static uint8_t guard[GUARD_BYTES];

static bool is_layer(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (!strcmp(dot, ".raw") || !strcmp(dot, ".qcow2") || !strcmp(dot, ".data"));
}

/* The file with zeros up to the slice's length; untouched pages cost nothing. */
static void map_pristine(struct worker *w, struct slice *s)
{
	char path[512];
	uint64_t bytes;
	uint8_t *p;
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", w->dir, s->file);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	bytes = size_of_fd(fd);
	s->len = (bytes + 4095) & ~4095ull;
	p = mmap(NULL, s->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	err = pread_full(fd, p, bytes, 0);
	if (err)
		die("%s: %s", path, strerror(err));
	close(fd);
	s->pristine = p;
	geometry_read(&s->g, p, bytes);
}

static void find_slices(struct worker *w)
{
	struct dirent **names;
	uint64_t offset = GUARD_BYTES;
	int n = scandir(w->dir, &names, NULL, alphasort), i;

	if (n < 0)
		die("%s: %s", w->dir, strerror(errno));
	for (i = 0; i < n; i++) {
		struct slice *s = &w->slice[w->slices];

		if (is_layer(names[i]->d_name)) {
			if (w->slices == MAX_SLICES)
				die("too many layers in %s", w->dir);
			snprintf(s->file, sizeof(s->file), "%.31s", names[i]->d_name);
			snprintf(s->name, sizeof(s->name), "cct-mut%u-%u", w->id, w->slices);
			map_pristine(w, s);
			s->offset = offset;
			offset += s->len + GUARD_BYTES;
			w->slices++;
		}
		free(names[i]);
	}
	free(names);
	w->bytes = offset;
}

static void linear(const struct worker *w, const struct slice *s, char *params, size_t len)
{
	snprintf(params, len, "%s %llu", w->loop_path, (unsigned long long)s->offset / SECTOR);
}

static void make_devices(struct worker *w)
{
	char params[64];
	unsigned int i;

	for (i = 0; i < w->slices; i++) {
		struct slice *s = &w->slice[i];
		int err;

		linear(w, s, params, sizeof(params));
		err = dm_create(s->name, "linear", s->len / SECTOR, params, false);
		if (err)
			die("%s: %s", s->name, strerror(err));
		dm_number(s->name, s->number, sizeof(s->number));
	}
}

void worker_setup(struct worker *w, const char *file)
{
	struct loop_opts opts = { .readonly = false };
	uint64_t longest = 0;
	unsigned int i;
	int fd;

	find_slices(w);
	fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, w->bytes))
		die("%s: %s", file, strerror(errno));
	w->map = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (w->map == MAP_FAILED)
		die("%s: %s", file, strerror(errno));
	close(fd);
	for (i = 0; i < GUARD_BYTES; i++)
		guard[i] = 0xa5 ^ i ^ i >> 8;
	memcpy(w->map, guard, GUARD_BYTES);
	for (i = 0; i < w->slices; i++) {
		struct slice *s = &w->slice[i];

		s->map = w->map + s->offset;
		memcpy(s->map, s->pristine, s->len);
		memcpy(s->map + s->len, guard, GUARD_BYTES);
		longest = s->len > longest ? s->len : longest;
	}
	w->shadow = xalloc(longest);
	w->loop = loop_attach(file, &opts, w->loop_path);
	make_devices(w);
}

void worker_teardown(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < w->slices; i++) {
		int err = dm_remove(w->slice[i].name);

		if (err)
			worker_fail(w, "cannot remove %s: %s", w->slice[i].file, strerror(err));
	}
	close(w->loop);
	if (loop_detach(w->loop_path))
		worker_fail(w, "%s is still in use", w->loop_path);
}

struct slice *worker_slice(struct worker *w, const char *file)
{
	unsigned int i;

	for (i = 0; i < w->slices; i++)
		if (!strcmp(w->slice[i].file, file))
			return &w->slice[i];
	return NULL;
}

/* ------------------------------------------------------- what the block layer stops */

/* The kernel log from now on. */
void worker_log_open(struct worker *w)
{
	w->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (w->kmsg < 0 || lseek(w->kmsg, 0, SEEK_END) < 0)
		die("/dev/kmsg: %s", strerror(errno));
}

/* "dm-3: rw=0, sector=8, nr_sectors = 8 limit=4": what was it about? */
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
		/* what was there when it was checked may be gone when it is used */
		if (w->m.live && s->was_cut)
			continue;
		worker_fail(w, "I/O behind the end of %s: %u sectors at %llu of %llu", s->file, n,
			    sector, limit);
	}
}

/*
 * No slice was asked for what lies behind its end. The guards would not see it: the block layer lets
 * nothing through, it only says so.
 */
void worker_log_check(struct worker *w)
{
	char text[8192], *line, *save;
	ssize_t n;

	/* a record each time; EPIPE: some were lost, the next ones are there */
	while ((n = read(w->kmsg, text, sizeof(text) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		text[n > 0 ? n : 0] = 0;
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			check_log_line(w, line);
	}
}

/* Bytes behind the end of a cut slice are still in the file: they must stay, too. */
void slice_cut(struct worker *w, struct slice *s, uint64_t len)
{
	char params[64];
	int err;

	linear(w, s, params, sizeof(params));
	err = dm_load(s->name, "linear", len / SECTOR, params);
	if (!err)
		err = dm_suspend(s->name, true);
	if (!err)
		err = dm_resume(s->name);
	if (err)
		die("%s with %llu bytes: %s", s->name, (unsigned long long)len, strerror(err));
	s->cut = len != s->len;
	s->was_cut |= s->cut;
}

/* ------------------------------------------------------------------- verification */

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
	uint64_t at;

	if (differs(s->map - GUARD_BYTES, guard, GUARD_BYTES, &at))
		worker_fail(w, "somebody wrote %llu bytes before %s",
			    (unsigned long long)(GUARD_BYTES - at), s->file);
	if (differs(s->map + s->len, guard, GUARD_BYTES, &at))
		worker_fail(w, "somebody wrote %llu bytes behind %s", (unsigned long long)at,
			    s->file);
}

static bool may_be_written(const struct mutant *m, const struct slice *s)
{
	if (m->writable && (s == m->top || s == m->top_data))
		return true;
	return m->spare_used && (s == m->spare || s == m->spare_data);
}

/* True if it has to be mended. */
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

static void mend(struct worker *w, struct slice *s)
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
			mend(w, all[i]);
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
