// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutantwalk: the devices that the layers lie on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dm.h"
#include "loops.h"
#include "report.h"
#include "slices.h"

static uint8_t guard[GUARD_BYTES];

const uint8_t *slice_guard(void)
{
	return guard;
}

static bool is_layer(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (!strcmp(dot, ".raw") || !strcmp(dot, ".qcow2") || !strcmp(dot, ".data"));
}

/*
 * Maps the file, with zeros up to the length of the slice; pages that are not touched take no
 * memory.
 */
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

/* The bytes behind the end of a cut slice stay in the file, and must not change. */
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
