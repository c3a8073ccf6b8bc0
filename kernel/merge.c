// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies what the layers above the base of a commit have down into the base.
 *
 * The chain goes on reading the base meanwhile, at other places: whatever is written here has a
 * layer above the base that provides it, so no read of the guest gets as far as the base there.
 * Only where a subcluster of the base is not allocated, all of it is written, also the part that
 * the layers above do not provide; that part is what the layers below the base have, and reads the
 * same before and after its bit is set. In subclusters that are allocated, nothing else is written
 * than what the layers above provide. So for the guest nothing changes, after a crash either,
 * whichever of the bits are durable: a commit may be repeated, or given up, at any point. (While
 * the top itself is committed, it may lose bits in a crash whose data is here already. Then the
 * guest finds what it has written and not flushed.)
 *
 * The job is the only one who writes to the base, and all layers up to the top of the range are
 * only read. So there are no cells to be taken, and the guest waits for nothing of this. (It writes
 * to the top while that is committed: see active.c.)
 */
#include <linux/bitmap.h>
#include <linux/mm.h>

#include "active.h"
#include "below.h"
#include "copy.h"
#include "io.h"
#include "live.h"
#include "merge.h"
#include "top.h"
#include "track.h"
#include "verify.h"
#include "writer.h"

/* Of a raw base, what is read at once; what is written are sectors. */
#define CC_RAW_SUB_SHIFT	3

static unsigned int cc_merge_sub_shift(struct cc_job *job)
{
	return job->target->top ? job->target->top->sub_shift : CC_RAW_SUB_SHIFT;
}

/* ------------------------------------------------------------------- writing */

static bool cc_merge_is_zero(struct cc_copy *c, u32 from, u32 end)
{
	return cc_pages_are_zero(c->pages, from << SECTOR_SHIFT, (end - from) << SECTOR_SHIFT);
}

/*
 * The next run of sectors that are wanted, inside of [*from, end). Return: false if there is
 * none.
 */
static bool cc_merge_wanted(struct cc_copy *c, u32 *from, u32 *to, u32 end)
{
	*from = find_next_bit(c->wanted, end, *from);
	*to = find_next_zero_bit(c->wanted, end, *from);
	return *from < end;
}

static int cc_merge_write_raw(struct cc_copy *c)
{
	struct cowchain *cc = c->job->cc;
	struct block_device *bdev = cc_data_bdev(c->job->target);
	u32 from = 0, to;
	int r = 0;

	for (; !r && cc_merge_wanted(c, &from, &to, c->sectors); from = to) {
		struct cc_batch batch;

		if (cc_merge_is_zero(c, from, to)) {
			r = cc_zero_device(cc, bdev, c->pos + from, to - from,
					   !cc->no_discard_passdown);
			if (!r)
				r = cc_verify_raw(c, from, to - from);
			continue;
		}
		cc_batch_init(&batch);
		cc_batch_add(cc, &batch, bdev, REQ_OP_WRITE, c->pos + from, c->pages,
			     from << SECTOR_SHIFT, to - from);
		r = cc_batch_wait(&batch);
		c->written += to - from;
		if (!r)
			r = cc_verify_raw(c, from, to - from);
	}
	return r;
}

/*
 * Sectors of the copy where subcluster @sub of its block begins; not behind the end of the image.
 */
static u32 cc_merge_rel(struct cc_copy *c, u32 sub)
{
	return min((sub - c->first) << c->b->top->sub_shift, c->sectors);
}

/* Write what is wanted of subclusters that are allocated. */
static int cc_merge_write_parts(struct cc_copy *c, u32 first, u32 end)
{
	u32 base = c->first << c->b->top->sub_shift;
	u32 from = cc_merge_rel(c, first), to;
	int r = 0;

	for (; !r && cc_merge_wanted(c, &from, &to, cc_merge_rel(c, end)); from = to) {
		c->written += to - from;
		r = cc_write_top(c->job->cc, c->b, base + from, to - from, c->pages,
				 from << SECTOR_SHIFT);
		if (!r)
			r = cc_verify_block(c, base + from, to - from, from << SECTOR_SHIFT, false);
	}
	return r;
}

static int cc_merge_write_whole(struct cc_copy *c, u32 first, u32 end)
{
	struct cowchain *cc = c->job->cc;
	u32 from = cc_merge_rel(c, first), to = cc_merge_rel(c, end);
	u32 rel = first << c->b->top->sub_shift;
	int r;

	c->written += to - from;
	r = cc_write_top(cc, c->b, rel, to - from, c->pages, from << SECTOR_SHIFT);
	if (!r)
		r = cc_verify_block(c, rel, to - from, from << SECTOR_SHIFT, false);
	if (!r)
		r = cc_zero_slack(cc, c->b, first, end);
	if (!r)
		cc_block_set(c->b, first, end, CC_DATA);
	return r;
}

enum cc_merge_way { CC_MERGE_NOTHING, CC_MERGE_PARTS, CC_MERGE_WHOLE, CC_MERGE_ZERO };

/*
 * What is zero gets a zero bit. An external data file may have to be a raw disk, so it gets the
 * zeros themselves: see on-disk.rst.
 */
static enum cc_merge_way cc_merge_way(struct cc_copy *c, u32 sub)
{
	u32 from = cc_merge_rel(c, sub), end = cc_merge_rel(c, sub + 1), at = from, to;

	if (!cc_merge_wanted(c, &at, &to, end))
		return CC_MERGE_NOTHING;
	if (cc_block_state(c->b, sub) == CC_DATA)
		return CC_MERGE_PARTS;
	if (!c->job->target->data && cc_merge_is_zero(c, from, end))
		return CC_MERGE_ZERO;
	return CC_MERGE_WHOLE;
}

static int cc_merge_write_subs(struct cc_copy *c)
{
	u32 sub = c->first, run;
	int r = 0;

	for (; sub < c->end && !r; sub = run) {
		enum cc_merge_way way = cc_merge_way(c, sub);

		for (run = sub + 1; run < c->end && cc_merge_way(c, run) == way; run++)
			;
		if (way == CC_MERGE_PARTS)
			r = cc_merge_write_parts(c, sub, run);
		else if (way == CC_MERGE_WHOLE)
			r = cc_merge_write_whole(c, sub, run);
		else if (way == CC_MERGE_ZERO)
			cc_block_set(c->b, sub, run, CC_ZERO);
	}
	return r;
}

static int cc_merge_write(struct cc_copy *c)
{
	return c->b ? cc_merge_write_subs(c) : cc_merge_write_raw(c);
}

/* ------------------------------------------------------------------ the copy */

static void cc_merge_work(struct work_struct *work)
{
	struct cc_copy *c = container_of(work, struct cc_copy, work);
	struct cc_job *job = c->job;
	int r;

	/* The place of a bad cluster is unknown, so it must not be written. */
	r = c->b && cc_block_bad(c->b, c->first, c->end) ? -EIO : 0;
	if (!r)
		r = job->active ? cc_live_read(job->view, c->pos, c->sectors, c->pages) :
				  cc_read_below(job->source, c->pos, c->sectors, c->pages, 0);
	if (!r && cc_job_begin_write(job)) {
		r = cc_merge_write(c);
		cc_job_end_write(job);
	}
	if (r && job->active)
		cc_track_mark(job->active->track, c->pos, c->sectors);
	cc_copy_end(c, c->sectors, r);
}

/* Which sectors of [from, from + sectors) do layers above the base provide? */
struct cc_merge_range {
	sector_t from;
	u32 sectors;
	DECLARE_BITMAP(wanted, CC_COPY_SECTORS);
};

static int cc_merge_piece(struct cc_job *job, sector_t pos, u32 max, struct cc_piece *p,
			  bool *wanted)
{
	struct cc_view *source = job->active ? job->view : job->source;
	int r = 0;

	p->state = CC_NONE;
	if (job->active) {
		r = cc_live_piece(source, pos, max, p);
		if (r)
			return r;
		max = p->len;
	}
	if (p->state != CC_NONE) {
		*wanted = true;
		return p->state == CC_BAD ? -EIO : 0;
	}
	cc_below_piece(source, pos, max, p);
	if (p->cold)
		r = cc_below_load(source, pos, p->len, p);
	if (r)
		return r;
	*wanted = p->state != CC_NONE && cc_view_index(source, p->slot) > job->base;
	return *wanted && p->state == CC_BAD ? -EIO : 0;
}

static sector_t cc_merge_end(struct cc_job *job)
{
	return job->active ? min(job->active->end, job->len) : job->len;
}

/* Where the next copy ends at the latest: with its pages, its block, or a quarter of a second. */
static sector_t cc_merge_limit(struct cc_job *job, sector_t from)
{
	struct cc_top *top = job->target->top;
	u32 max = cc_active_urgent(job) ? CC_COPY_SECTORS :
					  cc_job_copy_max(job, 1U << cc_merge_sub_shift(job));
	sector_t end = min(from + max, cc_merge_end(job));

	if (top)
		end = min(end, ((from >> top->block_shift) + 1) << top->block_shift);
	return end;
}

/* How far one step looks for something to copy, so that it sees a pause. */
#define CC_MERGE_LOOK	65536

/*
 * Find the next piece that is wanted. Return: 0 with job->pos there, or behind what was looked
 * at.
 */
static int cc_merge_skip(struct cc_job *job, bool *found)
{
	sector_t pos = job->pos, end = min(pos + CC_MERGE_LOOK, cc_merge_end(job));
	struct cc_piece p;
	int r = 0;

	*found = false;
	while (pos < end && !*found && !r) {
		r = cc_merge_piece(job, pos, min_t(u64, end - pos, CC_COPY_SECTORS), &p, found);
		if (!r && !*found)
			pos += p.len;
		cond_resched();
	}
	WRITE_ONCE(job->pos, pos);
	return r;
}

/* From there on, in whole subclusters. Return: 0 or -errno. */
static int cc_merge_look(struct cc_job *job, struct cc_merge_range *m)
{
	u32 sub = 1U << cc_merge_sub_shift(job);
	sector_t pos = job->pos, end;
	struct cc_piece p;
	bool wanted;
	int r;

	m->from = round_down(pos, sub);
	end = cc_merge_limit(job, m->from);
	bitmap_zero(m->wanted, CC_COPY_SECTORS);
	while (pos < end) {
		r = cc_merge_piece(job, pos, end - pos, &p, &wanted);
		if (r)
			return r;
		/* What is not wanted at the end need not be read. */
		if (!wanted && !(pos & (sub - 1)))
			break;
		if (wanted)
			bitmap_set(m->wanted, pos - m->from, p.len);
		else
			p.len = min_t(u64, p.len, round_up(pos, sub) - pos);
		pos += p.len;
	}
	m->sectors = min(round_up(pos, sub), end) - m->from;
	return 0;
}

static struct cc_block *cc_merge_block(struct cc_job *job, sector_t pos)
{
	struct cc_top *top = job->target->top;

	return top ? cc_top_load(top, pos >> top->block_shift) : NULL;
}

static void cc_merge_start(struct cc_copy *c, const struct cc_merge_range *m, struct cc_block *b)
{
	u32 rel;

	c->b = b;
	c->pos = m->from;
	c->retry = c->pos;
	c->sectors = m->sectors;
	bitmap_copy(c->wanted, m->wanted, CC_COPY_SECTORS);
	if (b) {
		rel = m->from & ((1U << b->top->block_shift) - 1);
		c->first = rel >> b->top->sub_shift;
		c->end = (rel + m->sectors + (1U << b->top->sub_shift) - 1) >> b->top->sub_shift;
	}
	cc_copy_queue(c, cc_merge_work);
}

static int cc_merge_range(struct cc_job *job, struct cc_merge_range *m)
{
	struct cc_block *b = cc_merge_block(job, m->from);
	struct cc_copy *copy;

	if (IS_ERR(b))
		return PTR_ERR(b);
	copy = cc_copy_get(job);
	if (!copy) {
		if (b)
			cc_block_unpin(b);
		return 0;
	}
	copy->cost = 0;
	/* The guest waits for it: see cc_track_hold(). */
	if (!cc_active_urgent(job))
		copy->cost = cc_job_throttle(job, (u64)m->sectors << SECTOR_SHIFT);
	cc_merge_start(copy, m, b);
	WRITE_ONCE(job->pos, m->from + m->sectors);
	return 0;
}

int cc_merge_step(struct cc_job *job)
{
	struct cc_merge_range m;
	bool found;
	int r = cc_merge_skip(job, &found);

	if (r || !found)
		return r;
	r = cc_merge_look(job, &m);
	return r ? r : cc_merge_range(job, &m);
}
