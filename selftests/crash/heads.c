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

/* Is a job to be recorded, by the messages up to now? */
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

/* A job is in the header of the last top, or of the layer that a stream goes into. */
static bool check_job(struct replay *r, const char *before)
{
	const struct head *h = &r->head[r->job_top];
	const char *file = r->top[r->job_top].meta->file;
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

/* The same if the commit is of that top itself. */
static bool check_old_top(struct replay *r, const char *before)
{
	const struct head *h = &r->head[r->n_tops - 1];
	const char *file = r->top[r->n_tops - 1].meta->file;
	enum record want = job_record(r);
	bool pivoted = lookup_pivoted(r);

	if (strcmp(h->name, before))
		return complain(r, "%s: the backing file is '%s'", file, h->name);
	if (h->ident.job && h->ident.job != JOB_COMMIT && h->ident.job != JOB_PIVOTED)
		return complain(r, "%s: a job of kind %u is recorded", file, h->ident.job);
	if (h->ident.job == JOB_PIVOTED && !pivoted)
		return complain(r, "%s: says that %s is the top", file, r->final);
	if (h->ident.job == JOB_COMMIT && want == MUST_NOT && !(pivoted && !done(r, "wait")))
		return complain(r, "%s: a job is recorded that was not started, or has ended",
				file);
	if (want == MUST && !h->ident.job)
		return complain(r, "%s: a job was started, but is not recorded", file);
	return !done(r, "wait") || pivoted ||
	       complain(r, "the job has ended, but %s is not the top", r->final);
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
	if ((int)i != lookup_base(r) || h->ident.job != JOB_TARGET ||
	    (done(r, "wait") && !h->ident.copied))
		return complain(r, "%s: a job of kind %u is recorded", file, h->ident.job);
	return true;
}

/* The base of a commit says so before the top does, and until the top has another name. */
static bool check_target(struct replay *r)
{
	const struct head *top = &r->head[r->n_tops - 1];
	int base = lookup_base(r);
	bool ended = r->active ? lookup_pivoted(r) : !strcmp(top->name, r->final);

	if (base >= 0 && top->ident.job == JOB_COMMIT && !ended &&
	    (r->head[base].ident.job != JOB_TARGET || r->head[base].ident.copied))
		return complain(r, "a commit is recorded in the top, but not in %s", r->final);
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

/* The first layer of the chain from @top on that does not accept what its header names, or -1. */
static int bad_link(const struct replay *r, unsigned int top)
{
	int at = top, next;

	for (; (next = lookup_next(r, at)) >= 0; at = next)
		if (!ident_stands_on(&r->head[at].ident, &r->head[next].ident,
				     is_shadowed(r, top, next)))
			return at;
	return ident_stands_on(&r->head[at].ident, NULL, false) ? -1 : at;
}

/* Is the chain from @top on attached without a feature? */
static bool is_attached(const struct replay *r, unsigned int top)
{
	return ident_may_be_top(&r->head[top].ident) && bad_link(r, top) < 0;
}

/* Each layer accepts the one that its header names. */
static bool check_links(struct replay *r, unsigned int top)
{
	int at = bad_link(r, top);

	return at < 0 || complain(r, "%s was not made for %s", r->top[at].meta->file,
				  r->head[at].name);
}

/*
 * Of the old top and the base, one is accepted from the first write to the base on. Before that a
 * base that was never a top could be one.
 */
static bool check_one_chain(struct replay *r)
{
	int base = lookup_base(r);
	bool old, now;

	if (!r->active || base < 0)
		return true;
	old = is_attached(r, r->n_tops - 1);
	now = is_attached(r, base);
	if (!r->head[base].ident.present)
		return old || complain(r, "the old top is refused before the commit");
	return old != now || complain(r, "both the old top and %s are %s", r->final,
				      old ? "accepted" : "refused");
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

static bool check_head(struct replay *r, unsigned int i)
{
	const char *before = i ? r->top[i - 1].meta->file : r->below[0].name;

	if (i != r->job_top)
		return check_lower(r, i, before);
	return r->active ? check_old_top(r, before) : check_job(r, before);
}

static bool read_heads(struct replay *r, bool durable)
{
	unsigned int i;

	for (i = 0; i < r->n_tops; i++) {
		const char *bad = top_head(&r->top[i], &r->head[i]);

		if (bad)
			return complain(r, "%s: %s", r->top[i].meta->file, bad);
		if (!durable && !check_seen(r, i))
			return false;
	}
	return true;
}

/* What the old top, and others above the base, say counts no more once that is the top. */
static unsigned int end_of_snapshots(const struct replay *r)
{
	return lookup_pivoted(r) ? lookup_base(r) + 1u : r->n_tops;
}

bool heads_check(struct replay *r, bool durable)
{
	unsigned int i;

	if (!read_heads(r, durable))
		return false;
	for (i = 0; i < r->n_tops; i++)
		if (!check_head(r, i))
			return false;
	for (i = lookup_first(r) + 1; i < end_of_snapshots(r); i++)
		if (!check_snapshot(r, i) || !check_links(r, i))
			return false;
	return check_target(r) && check_one_chain(r) && check_links(r, lookup_active(r));
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
