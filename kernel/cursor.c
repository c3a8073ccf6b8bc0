// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cursor of a stream. It moves over the guest's disk and skips what the top has, what the base
 * provides and what no layer provides; the rest is copied.
 */
#include "below.h"
#include "cursor.h"
#include "top.h"

/*
 * Does a layer between base and top provide this? Zeros need not be copied if there is no base,
 * since what no layer provides reads as zeros, too; but an external data file has to contain them.
 */
static bool cc_piece_wanted(struct cc_job *job, const struct cc_piece *p)
{
	bool raw_data = job->base < 0 && cc_view_active(job->view)->data;

	if (raw_data)
		return true;
	if (p->state == CC_NONE || (p->state == CC_ZERO && job->base < 0))
		return false;
	return cc_view_index(job->view, p->slot) > job->base;
}

/* The piece of the below map at @pos, resolved if need be. */
static int cc_below_at(struct cc_job *job, sector_t pos, u32 max, struct cc_piece *p)
{
	cc_below_piece(job->view, pos, max, p);
	return p->cold ? cc_below_load(job->view, pos, p->len, p) : 0;
}

/*
 * Look at a run of subclusters that the top does not have, [rel, end) sectors of the block.
 * Subclusters are copied whole, even where a layer with smaller clusters provides only a part of
 * one.
 */
static int cc_find_wanted(struct cc_job *job, struct cc_todo *t, u32 rel, u32 end)
{
	struct cc_top *top = t->b->top;
	sector_t start = (sector_t)t->b->index << top->block_shift;
	u32 sub = 1U << top->sub_shift;
	u32 max = cc_job_copy_max(job, sub);
	struct cc_piece p;
	u32 from = 0;
	bool found = false;
	int r;

	while (rel < end && (!found || rel < from + max)) {
		r = cc_below_at(job, start + rel, end - rel, &p);
		if (r)
			return r;
		if (p.state == CC_BAD && cc_view_index(job->view, p.slot) > job->base)
			return -EIO;
		if (cc_piece_wanted(job, &p)) {
			if (!found)
				from = rel & ~(sub - 1);
			found = true;
		} else if (found && !(rel & (sub - 1))) {
			break;
		}
		/* In the middle of a subcluster: include the rest of it. */
		if (found && !cc_piece_wanted(job, &p))
			rel = min((rel + sub - 1) & ~(sub - 1), end);
		else
			rel += p.len;
	}
	if (found) {
		rel = min(rel, min(from + max, end));
		t->first = from >> top->sub_shift;
		t->end = (rel + sub - 1) >> top->sub_shift;
	}
	t->next = start + rel;
	return 0;
}

/* A subcluster that the top has is skipped, except for zeros of an external data file. */
static bool cc_state_wanted(struct cc_job *job, enum cc_state state)
{
	if (state == CC_ZERO)
		return job->base < 0 && cc_view_active(job->view)->data;
	return state == CC_NONE;
}

int cc_find_todo(struct cc_job *job, struct cc_todo *t)
{
	struct cc_top *top = cc_view_active(job->view)->top;
	sector_t start = t->pos >> top->block_shift << top->block_shift;
	u32 limit = min_t(sector_t, t->until - start, 1U << top->block_shift);
	u32 rel = t->pos - start;
	u32 first = rel >> top->sub_shift;
	u32 last = (limit + (1U << top->sub_shift) - 1) >> top->sub_shift;
	enum cc_state state;
	u32 run;

	/* Stop before a bad cluster, which cannot be written. */
	last = cc_block_next_bad(t->b, first, last);
	limit = min(limit, last << top->sub_shift);
	if (first == last)
		return -EIO;
	state = cc_block_state(t->b, first);
	run = cc_block_run(t->b, first, last, state);
	if (!cc_state_wanted(job, state)) {
		t->next = start + min((first + run) << top->sub_shift, limit);
		return 0;
	}
	if (state == CC_ZERO) {
		u32 max = cc_job_copy_max(job, 1U << top->sub_shift) >> top->sub_shift;

		t->first = first;
		t->end = first + min(run, max);
		t->next = start + min(t->end << top->sub_shift, limit);
		return 0;
	}
	return cc_find_wanted(job, t, rel, min((first + run) << top->sub_shift, limit));
}
