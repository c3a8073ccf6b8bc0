// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: is what a power loss has left what it may leave?
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

#define MAX_REPORTS	12

static bool complain(struct replay *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool complain(struct replay *r, const char *fmt, ...)
{
	va_list ap;

	if (r->bad++ < MAX_REPORTS) {
		printf("# FAILED: %s, entry %u: ", r->where, r->at);
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
		putchar('\n');
	}
	return false;
}

/* ---- headers ---- */

static bool begun(const struct replay *r, const char *what)
{
	int i = model_message(&r->model, what);

	return i >= 0 && r->begun[i];
}

static bool done(const struct replay *r, const char *what)
{
	int i = model_message(&r->model, what);

	return i >= 0 && r->done[i];
}

/* The stream goes into the last top. */
static bool check_stream(struct replay *r, unsigned int i, const char *before)
{
	const struct head *h = &r->head[i];
	bool target = i == r->n_tops - 1;
	const char *file = r->top[i].meta->file;

	if (strcmp(h->name, before) &&
	    !(target && begun(r, "stream") && !strcmp(h->name, r->final)))
		return complain(r, "%s: the backing file is '%s'", file, h->name);
	if (h->ident.job && !(target && begun(r, "stream")))
		return complain(r, "%s: a stream is recorded that nobody started", file);
	if (!target || !begun(r, "stream"))
		return true;
	if (done(r, "wait") && (strcmp(h->name, r->final) || h->ident.job))
		return complain(r, "%s: the stream has ended, but the header says '%s', job %u",
				file, h->name, h->ident.job);
	if (done(r, "stream") && !h->ident.job && strcmp(h->name, r->final))
		return complain(r, "%s: a stream goes on, but is not recorded", file);
	return true;
}

static bool is_empty(const struct top *t)
{
	uint64_t bitmap;
	uint32_t c;

	for (c = 0; c < t->clusters; c++)
		if (top_entry(t, c, &bitmap) || bitmap)
			return false;
	return true;
}

static bool check_snapshot(struct replay *r)
{
	const struct ident *old = &r->head[0].ident;
	const struct ident *new = &r->head[1].ident;

	if (!begun(r, "snapshot") && (old->sealed || new->present))
		return complain(r, "a snapshot that nobody took");
	if (done(r, "snapshot") && (!old->sealed || !new->present))
		return complain(r, "a snapshot was taken, but the headers do not say so");
	if (old->sealed && !new->present)
		return complain(r, "sealed, but nobody stands on it");
	if (!old->sealed && !is_empty(&r->top[1]))
		return complain(r, "data in the new top before the old one is sealed");
	if (!strcmp(r->head[1].name, r->top[0].meta->file) && !ident_stands_on(new, old))
		return complain(r, "the new top names another parent");
	return true;
}

/* A header is as it was at the last flush, or as one of the writes since then made it. */
static bool check_seen(struct replay *r, unsigned int i)
{
	unsigned int k;

	for (k = 0; k < r->n_seen[i]; k++)
		if (head_equal(&r->head[i], &r->seen[i][k]))
			return true;
	return complain(r, "%s: a header that is neither the old nor the new one",
			r->top[i].meta->file);
}

static bool check_heads(struct replay *r, bool durable)
{
	unsigned int i;

	for (i = 0; i < r->n_tops; i++) {
		const char *before = i ? r->top[0].meta->file : r->below[0].name;
		const char *bad = top_head(&r->top[i], &r->head[i]);

		if (bad)
			return complain(r, "%s: %s", r->top[i].meta->file, bad);
		if (!check_stream(r, i, before) || (!durable && !check_seen(r, i)))
			return false;
	}
	return r->n_tops == 1 || check_snapshot(r);
}

void judge_saw(struct replay *r)
{
	unsigned int i;

	for (i = 0; i < r->n_tops; i++) {
		struct head h;

		if (top_head(&r->top[i], &h))
			continue;	/* will be judged */
		if (r->n_seen[i] && head_equal(&h, &r->seen[i][r->n_seen[i] - 1]))
			continue;
		if (r->n_seen[i] == MAX_HEADS)
			die("too many headers without a flush");
		r->seen[i][r->n_seen[i]++] = h;
	}
}

void judge_settled(struct replay *r, uint32_t slices)
{
	unsigned int i;

	for (i = 0; i < r->n_tops; i++)
		if (slices & 1u << (r->top[i].meta - r->slice))
			r->n_seen[i] = 0;
	judge_saw(r);
}

/* ---- contents ---- */

static const struct below *below_named(const struct replay *r, const char *name)
{
	unsigned int i;

	for (i = 0; i < r->n_below; i++)
		if (!strcmp(r->below[i].name, name))
			return &r->below[i];
	return NULL;
}

static const struct slice *data_slice(const struct top *t)
{
	return t->data ? t->data : t->meta;
}

/* Which top's, if any, and what is below the last that was asked. */
struct found {
	int top;
	bool zero;
	const struct below *below;
};

static struct found find(const struct replay *r, unsigned int i, const uint64_t *bitmap,
			 unsigned int sub)
{
	struct found f = { .top = -1 };

	for (;;) {
		if (bitmap[i] >> sub & 1) {
			f.top = i;
			return f;
		}
		if (bitmap[i] >> (32 + sub) & 1) {
			f.zero = true;
			return f;
		}
		if (!i || strcmp(r->head[i].name, r->top[0].meta->file))
			break;
		i--;
	}
	f.below = below_named(r, r->head[i].name);
	return f;
}

static uint32_t value_of(const struct replay *r, const struct found *f, uint32_t c, uint32_t g)
{
	const struct top *t;

	if (f->zero)
		return V_ZERO;
	if (f->top < 0)
		return f->below->value[g];
	t = &r->top[f->top];
	return r->value[data_slice(t)->start + t->host[c] / SECTOR +
			g % ((1u << t->cluster_bits) / SECTOR)];
}

static bool check_run(struct replay *r, const struct found *f, uint32_t c, uint32_t from,
		      uint32_t to)
{
	uint32_t g;

	for (g = from; g < to; g++) {
		uint32_t value = value_of(r, f, c, g);
		const char *bad = model_check(&r->model, g, value);

		if (bad)
			return complain(r, "sector %u reads %s (%#x), the last durable write is %u",
					g, bad, value, r->model.floor[g]);
	}
	return true;
}

/* What the guest reads with top @top, against what it has written. */
static bool check_contents(struct replay *r, unsigned int top)
{
	const struct top *t = &r->top[top];
	uint32_t per_sub = (1u << t->cluster_bits) / SECTOR / 32;
	uint32_t sectors = t->size / SECTOR;
	uint64_t bitmap[MAX_TOPS];
	const char *bad;
	uint32_t c, sub, i;

	for (c = 0; c < t->clusters; c++) {
		for (i = 0; i <= top; i++) {
			bad = top_entry(&r->top[i], c, &bitmap[i]);
			if (bad)
				return complain(r, "%s, cluster %u: %s",
						r->top[i].meta->file, c, bad);
		}
		for (sub = 0; sub < 32 && !r->no_model; sub++) {
			struct found f = find(r, top, bitmap, sub);
			uint32_t g = (c * 32 + sub) * per_sub;

			if (g >= sectors)
				break;
			if (!check_run(r, &f, c, g, g + per_sub < sectors ? g + per_sub : sectors))
				return false;
		}
	}
	return true;
}

unsigned int judge_top(const struct replay *r)
{
	return r->n_tops == 2 && r->head[0].ident.sealed ? 1 : 0;
}

bool judge(struct replay *r, bool durable)
{
	unsigned int top;

	if (!check_heads(r, durable))
		return false;
	top = judge_top(r);
	/* who attaches the new one, still empty, before the old is sealed, has all as well */
	if (!top && r->n_tops == 2 && r->head[1].ident.present && !check_contents(r, 1))
		return false;
	return check_contents(r, top);
}

/* ---- for others to judge ---- */

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

/* At the end of a file. */
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
		p = r->disk + data_slice(t)->start * SECTOR + t->host[c] +
		    g % ((1u << t->cluster_bits) / SECTOR) * SECTOR;
	}
	put_sparse(fd, p, (uint64_t)g * SECTOR, SECTOR);
}

/* What our reader reads, which QEMU's and the target have to agree with. */
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
		f = find(r, top, bitmap, g % per_cluster / (per_cluster / 32));
		put_sector(r, fd, &f, g / per_cluster, g);
	}
	close(fd);
}

static void export_names(const struct replay *r, const char *dir, unsigned int top)
{
	const struct top *t = &r->top[top];
	unsigned int bottom = top;

	if (top && !strcmp(r->head[top].name, r->top[0].meta->file))
		bottom = 0;
	put_text(dir, "manifest", "check %s\ncompare %s expect.raw\n", t->meta->file,
		 t->meta->file);
	put_text(dir, "point", "%s, entry %u of the log\n", r->where, r->at);
	put_text(dir, "mark", "%s\n", r->text);
	put_text(dir, "chain", "%s", below_named(r, r->head[bottom].name)->chain);
	for (; bottom <= top; bottom++) {
		t = &r->top[bottom];
		put_text(dir, "chain", " %s%s%s", t->meta->file, t->data ? "," : "",
			 t->data ? t->data->file : "");
	}
	put_text(dir, "chain", "\n");
}

void judge_export(struct replay *r, const char *name)
{
	unsigned int top = judge_top(r);
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
