// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: is the disk in a state that a power loss may leave?
 */
#include <stdio.h>
#include <string.h>

#include "judge.h"
#include "lookup.h"

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
		return complain(r, "%s: a stream is recorded that was not started", file);
	if (!target || !begun(r, "stream"))
		return true;
	if (done(r, "wait") && (strcmp(h->name, r->final) || h->ident.job))
		return complain(r, "%s: the stream has ended, but the header says '%s', job %u",
				file, h->name, h->ident.job);
	if (done(r, "stream") && !h->ident.job && strcmp(h->name, r->final))
		return complain(r, "%s: a stream was started, but is not recorded", file);
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
		return complain(r, "a snapshot that was not taken");
	if (done(r, "snapshot") && (!old->sealed || !new->present))
		return complain(r, "a snapshot was taken, but is not in the headers");
	if (old->sealed && !new->present)
		return complain(r, "sealed, but no layer is on top of it");
	if (!old->sealed && !is_empty(&r->top[1]))
		return complain(r, "data in the new top before the old one is sealed");
	if (!strcmp(r->head[1].name, r->top[0].meta->file) && !ident_stands_on(new, old))
		return complain(r, "the new top has another parent");
	return true;
}

/* The header has to be the one at the last flush, or one that a write since then made. */
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
			continue;	/* judge() reports it */
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

static uint32_t value_of(const struct replay *r, const struct found *f, uint32_t c, uint32_t g)
{
	const struct top *t;

	if (f->zero)
		return V_ZERO;
	if (f->top < 0)
		return f->below->value[g];
	t = &r->top[f->top];
	return r->value[lookup_data(t)->start + t->host[c] / SECTOR +
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

/*
 * An external data file has to be the guest's disk, all of it, once the header of its top says that
 * no layer is below. Until then zero bits hide what it has.
 */
static bool is_raw(const struct replay *r, unsigned int top)
{
	return r->top[top].data && !*r->head[top].name;
}

static bool check_raw(struct replay *r, unsigned int top, uint64_t bitmap, unsigned int sub,
		      uint32_t from, uint32_t to)
{
	const struct slice *data = r->top[top].data;
	uint32_t g;

	if (!((bitmap | bitmap >> 32) >> sub & 1))
		return complain(r, "%s: sector %u was not streamed in", data->file, from);
	for (g = from; g < to; g++) {
		uint32_t value = r->value[data->start + g];
		const char *bad = model_check(&r->model, g, value);

		if (bad)
			return complain(r, "%s: sector %u has %s (%#x), the last durable write is %u",
					data->file, g, bad, value, r->model.floor[g]);
	}
	return true;
}

/* Compares what the guest would read with top @top with what it has written. */
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
			struct found f = lookup(r, top, bitmap, sub);
			uint32_t g = (c * 32 + sub) * per_sub;
			uint32_t end = g + per_sub < sectors ? g + per_sub : sectors;

			if (g >= sectors)
				break;
			if (!check_run(r, &f, c, g, end))
				return false;
			if (is_raw(r, top) && !check_raw(r, top, bitmap[top], sub, g, end))
				return false;
		}
	}
	return true;
}

bool judge(struct replay *r, bool durable)
{
	unsigned int top;

	if (!check_heads(r, durable))
		return false;
	top = lookup_active(r);
	/*
	 * the new top, still empty, can be attached before the old one is sealed, and has to read
	 * the same
	 */
	if (!top && r->n_tops == 2 && r->head[1].ident.present && !check_contents(r, 1))
		return false;
	return check_contents(r, top);
}
