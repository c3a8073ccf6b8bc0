// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies subclusters from the layers below into the top, or into the lower layer that is the job's
 * target.
 *
 * What is missing is read first. Then the cells are taken exclusively, so that no guest write, fill
 * or discard of an unallocated subcluster is in flight there. Under them the states are checked
 * again, the data is written or found to be zero, and the bits are set. After a crash before the
 * bits are durable, the subclusters are just copied again.
 *
 * The guest does not wait for a slow layer below, since no cell is held while that is read. What
 * the layers below read like never changes, and a subcluster never becomes unallocated again: one
 * that is unallocated under the cells was so before, and has been read.
 *
 * A layer below the top is written by nobody else, so no cells are taken for it; copies that are
 * under way never have a subcluster in common, see cc_copy_wait_for().
 */
#include <linux/mm.h>

#include "below.h"
#include "cell.h"
#include "copy.h"
#include "hold.h"
#include "io.h"
#include "trace.h"
#include "verify.h"
#include "zero.h"

static struct cc_copy *cc_copy_find(struct cc_job *job)
{
	unsigned int i;

	for (i = 0; i < CC_NR_COPIES; i++)
		if (!READ_ONCE(job->copy[i].busy))
			return &job->copy[i];
	return NULL;
}

static bool cc_copy_must_end(struct cc_job *job)
{
	return READ_ONCE(job->error) || READ_ONCE(job->cancel) || cc_job_must_park(job);
}

struct cc_copy *cc_copy_get(struct cc_job *job)
{
	struct cc_copy *copy = NULL;

	wait_event(job->wait, (copy = cc_copy_find(job)) || cc_copy_must_end(job));
	return cc_copy_must_end(job) ? NULL : copy;
}

/* @b, @first and @end of a busy copy are only set by the thread, which asks. */
static bool cc_copy_is_of(struct cc_copy *c, const struct cc_block *b, u32 first, u32 end)
{
	return READ_ONCE(c->busy) && c->b == b && c->first < end && first < c->end;
}

static bool cc_copy_under_way(struct cc_job *job, const struct cc_block *b, u32 first, u32 end)
{
	unsigned int i;

	for (i = 0; i < CC_NR_COPIES; i++)
		if (cc_copy_is_of(&job->copy[i], b, first, end))
			return true;
	return false;
}

bool cc_copy_wait_for(struct cc_job *job, const struct cc_block *b, u32 first, u32 end)
{
	wait_event(job->wait, !cc_copy_under_way(job, b, first, end) || cc_copy_must_end(job));
	/* What has to end may go on again by now. */
	return !cc_copy_under_way(job, b, first, end);
}

/*
 * An external data file becomes a plain raw disk when everything has been streamed into it, so what
 * reads as zeros has to be zero there, too.
 */
static bool cc_copy_zeroes_data(struct cc_job *job)
{
	return job->base < 0 && cc_view_active(job->view)->data;
}

static bool cc_sub_wanted(struct cc_copy *c, u32 sub)
{
	enum cc_state state = cc_block_state(c->b, sub);

	return state == CC_NONE || (state == CC_ZERO && cc_copy_zeroes_data(c->job));
}

/* Sectors of [first, end) inside the image. */
static u32 cc_sub_sectors(struct cc_block *b, u32 first, u32 end)
{
	struct cc_top *top = b->top;
	sector_t start = (sector_t)b->index << top->block_shift;
	u64 limit = top->layer->sectors - start;

	return min_t(u64, end << top->sub_shift, limit) - (first << top->sub_shift);
}

static unsigned int cc_sub_offset(struct cc_copy *c, u32 sub)
{
	return (sub - c->first) << (c->b->top->sub_shift + SECTOR_SHIFT);
}

static bool cc_sub_is_zero(struct cc_copy *c, u32 sub)
{
	return cc_pages_are_zero(c->pages, cc_sub_offset(c, sub),
				 cc_sub_sectors(c->b, sub, sub + 1) << SECTOR_SHIFT);
}

/* What lies below [first, end) is not needed any more, so the data file is read to its pages. */
static int cc_copy_zero_data(struct cc_copy *c, u32 first, u32 end)
{
	u32 rel = first << c->b->top->sub_shift;
	u32 sectors = cc_sub_sectors(c->b, first, end);
	struct cc_zeroing z = {
		.cc = c->job->cc,
		.b = c->b,
		.unmap = !c->job->cc->no_discard_passdown,
		.hint = true,
		.look = true,
		.pages = c->pages,
		.offset = cc_sub_offset(c, first),
		.sectors = sectors,
	};
	int r = cc_zero_data(&z, rel, rel + sectors);

	/* Where the device only makes a note of zeros, the speed limit does not count them. */
	c->written += z.written;
	return r ? r : cc_verify_block(c, rel, sectors, z.offset, true);
}

/* [first, end) contains only zeros: set zero bits instead of writing them. */
static int cc_copy_zeros(struct cc_copy *c, u32 first, u32 end)
{
	int r = 0;

	if (cc_copy_zeroes_data(c->job))
		r = cc_copy_zero_data(c, first, end);
	if (!r && cc_block_run(c->b, first, end, CC_ZERO) < end - first)
		cc_block_set(c->b, first, end, CC_ZERO);
	return r;
}

static int cc_copy_data(struct cc_copy *c, u32 first, u32 end)
{
	struct cowchain *cc = c->job->cc;
	u32 rel = first << c->b->top->sub_shift;
	u32 sectors = cc_sub_sectors(c->b, first, end);
	int r;

	c->written += sectors;
	r = cc_write_top(cc, c->b, rel, sectors, c->pages, cc_sub_offset(c, first));
	if (!r)
		r = cc_verify_block(c, rel, sectors, cc_sub_offset(c, first), false);
	if (!r)
		r = cc_zero_slack(cc, c->b, first, end);
	if (!r)
		cc_block_set(c->b, first, end, CC_DATA);
	return r;
}

/* Write what was read to [first, end), in runs of zeros and of data. */
static int cc_copy_out(struct cc_copy *c, u32 first, u32 end)
{
	u32 run;
	int r = 0;

	while (first < end && !r) {
		bool zero = cc_sub_is_zero(c, first);

		for (run = first + 1; run < end && cc_sub_is_zero(c, run) == zero; run++)
			;
		r = zero ? cc_copy_zeros(c, first, run) : cc_copy_data(c, first, run);
		first = run;
	}
	return r;
}

/* Read what the top does not have. No cells are held. */
static int cc_copy_in(struct cc_copy *c)
{
	sector_t start = (sector_t)c->b->index << c->b->top->block_shift;
	u32 sub = c->first, run;
	int r = 0;

	for (; sub < c->end && !r; sub += run) {
		enum cc_state state = cc_block_state(c->b, sub);

		/* The guest may have set bits between the two calls. */
		run = max(cc_block_run(c->b, sub, c->end, state), 1U);
		if (state == CC_NONE)
			r = cc_read_below(c->job->view, start + (sub << c->b->top->sub_shift),
					  cc_sub_sectors(c->b, sub, sub + run), c->pages,
					  cc_sub_offset(c, sub));
	}
	return r;
}

static int cc_copy_subs(struct cc_copy *c)
{
	u32 sub = c->first, run;
	int r = 0;

	for (; sub < c->end && !r; sub += run) {
		enum cc_state state = cc_block_state(c->b, sub);

		run = cc_block_run(c->b, sub, c->end, state);
		if (!cc_sub_wanted(c, sub))
			continue;
		r = state == CC_ZERO ? cc_copy_zeros(c, sub, sub + run) :
				       cc_copy_out(c, sub, sub + run);
	}
	return r;
}

/* Only what was written counts for the speed limit: no holes, nor what the target has by now. */
static void cc_copy_refund(struct cc_copy *c, u32 all)
{
	if (c->written < all)
		cc_job_refund(c->job, div_u64(c->cost * (all - c->written), all));
}

void cc_copy_end(struct cc_copy *c, u32 all, int error)
{
	struct cc_job *job = c->job;

	trace_cowchain_job(job->cc, job->ops->name, (u64)c->pos << SECTOR_SHIFT,
			   (u64)all << SECTOR_SHIFT, (u64)c->written << SECTOR_SHIFT, error);
	cc_copy_refund(c, all);
	if (c->b)
		cc_block_unpin(c->b);
	if (error && c->retry < c->pos)
		cc_err(job->cc, "%s: a part that was to be copied first: offset %llu: error %d",
		       job->ops->name, (u64)c->pos << SECTOR_SHIFT, error);
	if (error)
		cc_job_failed(job, c->retry, error);
	/* Pairs with cc_copy_idle(): whoever sees the copy idle sees its results. */
	smp_store_release(&c->busy, false);
	wake_up(&job->wait);
}

void cc_copy_queue(struct cc_copy *c, work_func_t fn)
{
	c->written = 0;
	/* The status line reads @pos of a busy copy. */
	smp_store_release(&c->busy, true);
	INIT_WORK(&c->work, fn);
	queue_work(c->job->wq, &c->work);
}

/* Guest writes go there, too. */
static int cc_copy_to_top(struct cc_copy *c)
{
	struct cowchain *cc = c->job->cc;
	struct cc_block *b = c->b;
	int r;

	cc_subs_lock_excl(cc, b, c->first, c->end);
	r = cc_copy_subs(c);
	if (r)
		cc_cells_fail(cc, cc_sub_cluster(b, c->first), cc_sub_cluster(b, c->end - 1));
	cc_subs_unlock_excl(cc, b, c->first, c->end);
	return r;
}

static void cc_copy_work(struct work_struct *work)
{
	struct cc_copy *c = container_of(work, struct cc_copy, work);
	struct cc_job *job = c->job;
	struct cc_block *b = c->b;
	int r;

	/* The place of a bad cluster is unknown, so it must not be written. */
	r = cc_block_bad(b, c->first, c->end) ? -EIO : cc_copy_in(c);
	if (!r && cc_job_begin_write(job)) {
		/* It does not become the target, or cease to be, while a copy writes. */
		r = job->target ? cc_copy_subs(c) : cc_copy_to_top(c);
		cc_job_end_write(job);
	}
	cc_copy_end(c, (c->end - c->first) << b->top->sub_shift, r);
}

void cc_copy_start(struct cc_copy *c, struct cc_block *b, u32 first, u32 end, sector_t back)
{
	c->b = b;
	c->first = first;
	c->end = end;
	c->pos = ((sector_t)b->index << b->top->block_shift) + (first << b->top->sub_shift);
	c->retry = min(c->pos, back);
	cc_copy_queue(c, cc_copy_work);
}
