// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: are the headers in a state that a power loss may leave, by the messages up to then?
 */
#include <string.h>

#include "heads.h"
#include "lookup.h"
#include "report.h"

bool heads_begun(const struct replay *r, const char *what)
{
	int i = model_message(&r->model, what);

	return i >= 0 && r->begun[i];
}

static bool done(const struct replay *r, const char *what)
{
	int i = model_message(&r->model, what);

	return i >= 0 && r->done[i];
}

static bool job_begun(const struct replay *r)
{
	return heads_begun(r, "stream") || heads_begun(r, "commit");
}

static bool is_start(const char *text)
{
	return !strncmp(text, "stream", 6) || !strncmp(text, "commit", 6);
}

/* Is a job to be recorded in the last top, by the messages up to now? */
static enum record { MUST_NOT, MAY, MUST } job_record(const struct replay *r)
{
	enum record want = MUST_NOT;
	unsigned int i;

	for (i = 0; i < r->model.n_messages && r->begun[i]; i++) {
		const char *text = r->model.message[i];

		if (is_start(text))
			want = r->done[i] ? MUST : MAY;
		else if (!strcmp(text, "job-cancel"))
			want = r->done[i] ? MUST_NOT : MAY;
		else if (!strcmp(text, "wait") && r->done[i])
			want = MUST_NOT;
	}
	return want;
}

/* A job is in the header of the last top. */
static bool check_job(struct replay *r, const char *before)
{
	const struct head *h = &r->head[r->n_tops - 1];
	const char *file = r->top[r->n_tops - 1].meta->file;
	enum record want = job_record(r);
	bool ended = !strcmp(h->name, r->final);

	if (strcmp(h->name, before) && !(job_begun(r) && ended))
		return complain(r, "%s: the backing file is '%s'", file, h->name);
	if (h->ident.job && want == MUST_NOT)
		return complain(r, "%s: a job is recorded that was not started, or has ended",
				file);
	if (h->ident.job && h->ident.job != (heads_begun(r, "commit") ? JOB_COMMIT : JOB_STREAM))
		return complain(r, "%s: a job of kind %u is recorded", file, h->ident.job);
	if (want == MUST && !h->ident.job && !ended)
		return complain(r, "%s: a job was started, but is not recorded", file);
	if (done(r, "wait") && !ended)
		return complain(r, "%s: the job has ended, but the header says '%s'", file,
				h->name);
	return true;
}

int heads_base(const struct replay *r)
{
	unsigned int i;

	for (i = 0; heads_begun(r, "commit") && i < r->n_tops - 1; i++)
		if (!strcmp(r->top[i].meta->file, r->final))
			return i;
	return -1;
}

/* The other layers have no job, and their names never change. */
static bool check_lower(struct replay *r, unsigned int i, const char *before)
{
	const struct head *h = &r->head[i];
	const char *file = r->top[i].meta->file;

	if (strcmp(h->name, before))
		return complain(r, "%s: the backing file is '%s'", file, h->name);
	if (!h->ident.job)
		return true;
	if ((int)i != heads_base(r) || h->ident.job != JOB_TARGET ||
	    (done(r, "wait") && !h->ident.copied))
		return complain(r, "%s: a job of kind %u is recorded", file, h->ident.job);
	return true;
}

/* The base of a commit says so before the top does, and until the top has another name. */
static bool check_target(struct replay *r)
{
	const struct head *top = &r->head[r->n_tops - 1];
	int base = heads_base(r);

	if (base >= 0 && top->ident.job == JOB_COMMIT && strcmp(top->name, r->final) &&
	    (r->head[base].ident.job != JOB_TARGET || r->head[base].ident.copied))
		return complain(r, "a commit is recorded in the top, but not in %s", r->final);
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

/* The message that took the @n-th snapshot. */
static int snapshot_message(const struct replay *r, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < r->model.n_messages; i++)
		if (model_takes_snapshot(&r->model, i) && !n--)
			return i;
	die("there is no such snapshot");
}

/* The one that prepared it: that message itself, or the one for the first of two steps. */
static int prepare_message(const struct replay *r, int taken)
{
	int i = taken;

	if (!strncmp(r->model.message[taken], "snapshot ", 9))
		return taken;
	while (strncmp(r->model.message[i], "snapshot-prepare", 16))
		if (!i--)
			die("a snapshot was not prepared");
	return i;
}

/* The snapshot that put the top @i on the one before. */
static bool check_snapshot(struct replay *r, unsigned int i)
{
	const struct ident *old = &r->head[i - 1].ident;
	const struct ident *new = &r->head[i].ident;
	int at = snapshot_message(r, i - 1 - lookup_first(r));

	if ((!r->begun[at] && old->sealed) || (!r->begun[prepare_message(r, at)] && new->present))
		return complain(r, "a snapshot that was not taken");
	if (r->done[at] && (!old->sealed || !new->present))
		return complain(r, "a snapshot was taken, but is not in the headers");
	if (old->sealed && !new->present)
		return complain(r, "sealed, but no layer is on top of it");
	if (!old->sealed && !is_empty(&r->top[i]))
		return complain(r, "data in the new top before the old one is sealed");
	return true;
}

/* Is what was committed into @base in the chain from @top on? */
static bool is_shadowed(const struct replay *r, int top, int base)
{
	for (; top > base; top = lookup_next(r, top))
		if (ident_shadows(&r->head[top].ident, &r->head[base].ident))
			return true;
	return false;
}

/* Each layer accepts the one that its header names: the chain is attached without a feature. */
static bool check_links(struct replay *r, unsigned int top)
{
	int first = top, next = lookup_next(r, top);

	for (; next >= 0; top = next, next = lookup_next(r, top))
		if (!ident_stands_on(&r->head[top].ident, &r->head[next].ident,
				     is_shadowed(r, first, next)))
			return complain(r, "%s was not made for %s", r->top[top].meta->file,
					r->top[next].meta->file);
	return ident_stands_on(&r->head[top].ident, NULL, false) ||
	       complain(r, "%s was not made for %s", r->top[top].meta->file, r->head[top].name);
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

bool heads_check(struct replay *r, bool durable)
{
	unsigned int i;

	for (i = 0; i < r->n_tops; i++) {
		const char *before = i ? r->top[i - 1].meta->file : r->below[0].name;
		const char *bad = top_head(&r->top[i], &r->head[i]);

		if (bad)
			return complain(r, "%s: %s", r->top[i].meta->file, bad);
		if (!(i < r->n_tops - 1 ? check_lower(r, i, before) : check_job(r, before)) ||
		    (!durable && !check_seen(r, i)))
			return false;
	}
	for (i = lookup_first(r) + 1; i < r->n_tops; i++)
		if (!check_snapshot(r, i) || !check_links(r, i))
			return false;
	return check_target(r) && check_links(r, lookup_active(r));
}

void heads_saw(struct replay *r)
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

void heads_settled(struct replay *r, uint32_t slices)
{
	unsigned int i;

	for (i = 0; i < r->n_tops; i++)
		if (slices & 1u << (r->top[i].meta - r->slice))
			r->n_seen[i] = 0;
	heads_saw(r);
}
