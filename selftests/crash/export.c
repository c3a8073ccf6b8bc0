// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: the images at a point of the log, for qemu-img and for the target to look at.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"
#include "lookup.h"

static int open_in(const char *dir, const char *file)
{
	char path[1200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

/* Appends to a file. */
static void put_text(const char *dir, const char *file, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void put_text(const char *dir, const char *file, const char *fmt, ...)
{
	char path[1200];
	va_list ap;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "a");
	if (!f)
		die("%s: %s", path, strerror(errno));
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	if (fclose(f))
		die("%s: cannot write", path);
}

static void put_sparse(int fd, const uint8_t *data, uint64_t off, uint64_t len)
{
	if (!is_zero(data, len) && pwrite_full(fd, data, len, off))
		die("cannot write");
}

static void export_slice(const struct replay *r, const char *dir, const struct slice *s)
{
	int fd = open_in(dir, s->file);
	uint64_t i, n;

	if (ftruncate(fd, s->sectors * SECTOR))
		die("%s: cannot make it", s->file);
	for (i = 0; i < s->sectors; i += n) {
		n = s->sectors - i < 8 ? s->sectors - i : 8;
		put_sparse(fd, r->disk + (s->start + i) * SECTOR, i * SECTOR, n * SECTOR);
	}
	close(fd);
}

static void put_sector(const struct replay *r, int fd, const struct found *f, uint32_t c,
		       uint32_t g)
{
	const struct top *t;
	const uint8_t *p;

	if (f->zero || (f->top < 0 && (!f->below || !f->below->data)))
		return;
	if (f->top < 0) {
		p = f->below->data + (size_t)g * SECTOR;
	} else {
		t = &r->top[f->top];
		p = r->disk + lookup_data(t)->start * SECTOR + t->host[c] +
		    g % ((1u << t->cluster_bits) / SECTOR) * SECTOR;
	}
	put_sparse(fd, p, (uint64_t)g * SECTOR, SECTOR);
}

/* What the reader here finds, which has to agree with what QEMU and the target read. */
static void export_disk(const struct replay *r, const char *dir, unsigned int top)
{
	const struct top *t = &r->top[top];
	uint32_t per_cluster = (1u << t->cluster_bits) / SECTOR;
	int fd = open_in(dir, "expect.raw");
	uint64_t bitmap[MAX_TOPS];
	uint32_t g, i;

	if (ftruncate(fd, t->size))
		die("expect.raw: cannot make it");
	for (g = 0; g < t->size / SECTOR; g++) {
		struct found f;

		for (i = 0; i <= top; i++)
			top_entry(&r->top[i], g / per_cluster, &bitmap[i]);
		f = lookup(r, top, bitmap, g % per_cluster / (per_cluster / 32));
		put_sector(r, fd, &f, g / per_cluster, g);
	}
	close(fd);
}

/* The words for a table, and for each layer a line of those that are written. */
static void export_chain(const struct replay *r, const char *dir, unsigned int top)
{
	const struct top *t = &r->top[top];
	int next = lookup_next(r, top);
	const struct below *b;

	if (next >= 0) {
		export_chain(r, dir, next);
	} else {
		b = lookup_below(r, r->head[top].name);
		put_text(dir, "chain", "%s", b->chain);
		if (b->slice)
			put_text(dir, "written", "%s\n", b->chain);
	}
	put_text(dir, "chain", " %s%s%s", t->meta->file, t->data ? "," : "",
		 t->data ? t->data->file : "");
	put_text(dir, "written", "%s %s\n", t->meta->file, t->data ? t->data->file : "");
	put_text(dir, "manifest", "check %s\n", t->meta->file);
}

static void export_names(const struct replay *r, const char *dir, unsigned int top)
{
	export_chain(r, dir, top);
	put_text(dir, "chain", "\n");
	put_text(dir, "manifest", "compare %s expect.raw\n", r->top[top].meta->file);
	put_text(dir, "point", "%s, entry %u of the log\n", r->where, r->at);
	put_text(dir, "mark", "%s\n", r->text);
}

void export_point(struct replay *r, const char *name)
{
	unsigned int top = lookup_active(r);
	char from[1200], to[1200];
	unsigned int i;

	if (mkdir(name, 0755))
		die("%s: %s", name, strerror(errno));
	for (i = 0; i < r->n_slices; i++)
		export_slice(r, name, &r->slice[i]);
	for (i = 0; i < r->n_shared; i++) {
		snprintf(from, sizeof(from), "%s/%s", r->dir, r->shared[i]);
		snprintf(to, sizeof(to), "%s/%s", name, r->shared[i]);
		if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW))
			die("%s: %s", to, strerror(errno));
	}
	export_disk(r, name, top);
	export_names(r, name, top);
}
