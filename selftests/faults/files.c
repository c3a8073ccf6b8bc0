// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: the files behind the layers: opened, restored after a run, and compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "qimg.h"
#include "verdict.h"

static const char *const single_names[] = {
	"a.raw", "b.qcow2", "c.qcow2", "d.qcow2", "e.qcow2", "f.qcow2",
};
static const char *const data_names[] = { "d.data", "e.data" };

/* The length of the metadata at the start of a file: what lies before its first data cluster. */
static uint64_t meta_end(const char *path, bool ext)
{
	const uint64_t mask = 0x00fffffffffffe00ULL, compressed = 1ULL << 62;
	struct qimg q;
	uint64_t end, at, c;

	qimg_open(&q, path, false);
	end = size_of_fd(q.fd);
	for (c = 0; !ext && c < qimg_clusters(&q); c++) {
		at = qimg_l2_entry(&q, c);
		at = at ? qimg_get(&q, at, 8) : 0;
		at &= at & compressed ? (1ULL << (70 - q.cluster_bits)) - 1 : mask;
		if (at && at < end)
			end = at;
	}
	qimg_close(&q);
	return end;
}

bool has_data(const struct walk *w, unsigned int file)
{
	return w->ext && file >= FIRST_TOP && file <= LAST_EXT;
}

static void add_file(struct walk *w, const char *dir, const char *name)
{
	struct file *f = &w->files[w->n_files];
	char path[512];

	f->id = w->n_files++;
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f->fd = open(path, O_RDWR | O_CLOEXEC);
	if (f->fd < 0)
		die("%s: %s", path, strerror(errno));
	f->size = size_of_fd(f->fd);
	f->image = xalloc(f->size);
	if (pread_full(f->fd, f->image, f->size, 0))
		die("%s: cannot read", path);
	if (strstr(name, ".qcow2"))
		f->meta_end = meta_end(path, has_data(w, f->id));
}

void files_open(struct walk *w, const char *dir)
{
	struct model *m = &w->model;
	char path[512];
	uint8_t *initial;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(single_names); i++)
		add_file(w, dir, single_names[i]);
	for (i = 0; w->ext && i < ARRAY_SIZE(data_names); i++)
		add_file(w, dir, data_names[i]);
	snprintf(path, sizeof(path), "%s/model.raw", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	m->sectors = size_of_fd(fd) / SECTOR;
	initial = xalloc((size_t)m->sectors * SECTOR);
	if (pread_full(fd, initial, (size_t)m->sectors * SECTOR, 0))
		die("%s: cannot read", path);
	close(fd);
	m->initial = initial;
	m->seed = 77;
	m->live = xalloc(m->sectors * sizeof(*m->live));
	m->stable = xalloc(m->sectors * sizeof(*m->stable));
	m->frozen = xalloc(m->sectors * sizeof(*m->frozen));
}

/* Writes only what differs, because most of a file has not changed. */
static void restore_file(struct file *f)
{
	static uint8_t buf[65536];
	uint64_t at;

	if (ftruncate(f->fd, f->size))
		die("%s: %s", f->name, strerror(errno));
	for (at = 0; at < f->size; at += sizeof(buf)) {
		size_t n = f->size - at < sizeof(buf) ? f->size - at : sizeof(buf);

		if (pread_full(f->fd, buf, n, at))
			die("%s: cannot read", f->name);
		if (memcmp(buf, f->image + at, n) && pwrite_full(f->fd, f->image + at, n, at))
			die("%s: cannot write", f->name);
	}
}

bool may_change(const struct walk *w, unsigned int file)
{
	return file >= FIRST_TOP || file == w->base;
}

void files_restore(struct walk *w)
{
	unsigned int i;

	for (i = 0; i < w->n_files; i++)
		if (may_change(w, i))
			restore_file(&w->files[i]);
}

void files_check_lower(struct walk *w)
{
	uint8_t *buf;
	unsigned int i;

	for (i = 0; i < FIRST_TOP; i++) {
		struct file *f = &w->files[i];

		if (may_change(w, i))
			continue;
		buf = xalloc(f->size);
		if (pread_full(f->fd, buf, f->size, 0) || memcmp(buf, f->image, f->size))
			wrong(w, "%s has changed", f->name);
		free(buf);
	}
}
