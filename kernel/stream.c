// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stream: a cursor over the guest's address space.  What the top has, what
 * the base provides and what nobody provides is skipped; the rest is copied,
 * several pieces at a time.  Then the chain is shortened.
 */
#include <linux/file.h>
#include <linux/slab.h>

#include "identity.h"
#include "job.h"
#include "table.h"

/* ------------------------------------------------------- what has to be done */

/* Index in the chain of the layer that a piece of the below map names. */
static int cc_provider(struct cc_view *view, const struct cc_piece *p)
{
	unsigned int i;

	for (i = 0; i < view->nr; i++)
		if (view->layer[i]->slot == p->slot)
			return i;
	return -1;
}

/*
 * Does a layer between base and top say something here?  Zeros without a base
 * need not be said: what nobody provides reads as zeros, too; but an external
 * data file must hold them.
 */
static bool cc_piece_wanted(struct cc_job *job, const struct cc_piece *p)
{
	bool raw_data = job->base < 0 && cc_view_active(job->view)->data;

	if (raw_data)
		return true;
	if (p->state == CC_NONE || (p->state == CC_ZERO && job->base < 0))
		return false;
	return cc_provider(job->view, p) > job->base;
}

/* The piece of the below map at @pos, resolved if need be. */
static int cc_below_at(struct cc_job *job, sector_t pos, u32 max, struct cc_piece *p)
{
	int r = 0;

	p->fresh = false;
	cc_below_piece(job->view, pos, max, p);
	while (p->cold && !r) {
		r = cc_below_load(job->view, pos);
		p->fresh = true;
		cc_below_piece(job->view, pos, max, p);
	}
	return r;
}

/*
 * struct cc_todo - the next thing to copy, inside one block of the top.
 * @b: pinned.
 * @first, @end: subclusters; equal if there is nothing up to @next.
 * @next: where to look on, sectors.
 */
struct cc_todo {
	struct cc_block *b;
	u32 first, end;
	sector_t next;
};

/* How much one copy may take: a quarter of a second at the speed limit. */
static u32 cc_copy_max(struct cc_job *job)
{
	u64 speed = READ_ONCE(job->speed);
	u32 sub = 1U << cc_view_active(job->view)->top->sub_shift;
	u64 max = CC_COPY_SECTORS;

	if (speed)
		max = min_t(u64, max, speed >> (SECTOR_SHIFT + 2));
	return max_t(u32, max & ~(u64)(sub - 1), sub);
}

/*
 * Look at a run of subclusters that the top does not have, [rel, end) sectors
 * of the block.  Subclusters are copied whole, even where a layer with smaller
 * clusters provides only a part of one.
 */
static int cc_find_wanted(struct cc_job *job, struct cc_todo *t, u32 rel, u32 end)
{
	struct cc_top *top = t->b->top;
	sector_t start = (sector_t)t->b->index << top->block_shift;
	u32 sub = 1U << top->sub_shift;
	u32 max = cc_copy_max(job);
	struct cc_piece p;
	u32 from = 0;
	bool found = false;
	int r;

	while (rel < end && (!found || rel < from + max)) {
		r = cc_below_at(job, start + rel, end - rel, &p);
		if (r)
			return r;
		if (p.state == CC_BAD && cc_provider(job->view, &p) > job->base)
			return -EIO;
		if (cc_piece_wanted(job, &p)) {
			if (!found)
				from = rel & ~(sub - 1);
			found = true;
		} else if (found && !(rel & (sub - 1))) {
			break;
		}
		/* In the middle of a subcluster: the rest of it goes along. */
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

/* A subcluster the top has needs nothing, but for zeros of a raw data file. */
static bool cc_state_wanted(struct cc_job *job, enum cc_state state)
{
	if (state == CC_ZERO)
		return job->base < 0 && cc_view_active(job->view)->data;
	return state == CC_NONE;
}

static int cc_find_todo(struct cc_job *job, struct cc_todo *t)
{
	struct cc_top *top = cc_view_active(job->view)->top;
	sector_t start = job->pos >> top->block_shift << top->block_shift;
	u32 limit = min_t(sector_t, job->len - start, 1U << top->block_shift);
	u32 rel = job->pos - start;
	u32 first = rel >> top->sub_shift;
	u32 last = (limit + (1U << top->sub_shift) - 1) >> top->sub_shift;
	enum cc_state state;
	u32 run;

	/* Up to a bad cluster; at one, there is nothing that could be done. */
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
		t->first = first;
		t->end = first + min(run, cc_copy_max(job) >> top->sub_shift);
		t->next = start + min(t->end << top->sub_shift, limit);
		return 0;
	}
	return cc_find_wanted(job, t, rel, min((first + run) << top->sub_shift, limit));
}

/* ------------------------------------------------------------------- copying */

/* One step.  0, or the error of finding out what to do. */
static int cc_stream_step(struct cc_job *job)
{
	struct cc_top *top = cc_view_active(job->view)->top;
	struct cc_todo t = { .first = 0, .end = 0 };
	struct cc_copy *copy;
	int r;

	t.b = cc_top_load(top, job->pos >> top->block_shift);
	if (IS_ERR(t.b))
		return PTR_ERR(t.b);
	r = cc_find_todo(job, &t);
	if (r) {
		cc_block_unpin(t.b);
		return r;
	}
	if (t.first == t.end) {
		cc_block_unpin(t.b);
		WRITE_ONCE(job->pos, t.next);
		cond_resched();
		return 0;
	}
	cc_job_throttle(job, (u64)(t.end - t.first) << (top->sub_shift + SECTOR_SHIFT));
	copy = cc_copy_get(job);
	if (!copy) {
		cc_block_unpin(t.b);
		return 0;
	}
	cc_copy_start(copy, t.b, t.first, t.end);
	WRITE_ONCE(job->pos, t.next);
	return 0;
}

/* Not where metadata could not be written: then only another table helps. */
static bool cc_stops_on(struct cc_job *job, int error)
{
	if (READ_ONCE(job->cc->mode) != CC_RW)
		return false;
	return job->on_error == CC_ON_ERROR_STOP ||
	       (job->on_error == CC_ON_ERROR_ENOSPC && error == -ENOSPC);
}

/*
 * Copies in flight may fail behind the cursor; go back to the first that did,
 * so that nothing is ever skipped.
 */
static int cc_stream_settle(struct cc_job *job)
{
	sector_t pos;
	int error = cc_job_drain(job, &pos);

	if (!error)
		return 0;
	WRITE_ONCE(job->pos, pos);
	if (!cc_stops_on(job, error))
		return error;
	cc_job_stop_on_error(job, error);
	return 0;
}

static int cc_stream_copy(struct cc_job *job)
{
	int r;

	for (;;) {
		r = cc_job_gate(job);
		if (r)
			return r;
		if (READ_ONCE(job->error) || job->pos >= job->len) {
			r = cc_stream_settle(job);
			if (r)
				return r;
			if (job->pos >= job->len && !READ_ONCE(job->pause))
				return 0;
			continue;
		}
		r = READ_ONCE(job->cc->mode) == CC_RW ? cc_stream_step(job) : -EROFS;
		if (r)
			cc_job_failed(job, job->pos, r);
	}
}

/* ---------------------------------------------------------------- completion */

/* Is there anything to change in the header? */
static bool cc_stream_changes_header(struct cc_job *job)
{
	if (job->base < 0)
		return cc_view_active(job->view)->q2.backing_len;
	return job->base < (int)job->view->nr - 2 || job->backing_given;
}

static int cc_stream_set_header(struct cc_job *job)
{
	struct cc_layer *top = cc_view_active(job->view);

	if (!cc_stream_changes_header(job))
		return 0;
	if (job->base < 0)
		return cc_layer_set_backing(top, NULL, NULL);
	return cc_layer_set_backing(top, job->backing_name, job->backing_format);
}

static int cc_stream_end_header(struct cc_job *job)
{
	struct cc_layer *top = cc_view_active(job->view);
	struct cc_layer *base = job->base < 0 ? NULL : job->view->layer[job->base];
	bool named = base && cc_stream_changes_header(job);
	int r = cc_ident_job_copied(top, base, named ? job->backing_name : NULL);

	if (!r)
		r = cc_stream_set_header(job);
	if (!r)
		cc_ident_job_done(top, base);
	return r;
}

/* What would fail in the end shall not take hours to find out. */
static int cc_stream_check_header(struct cc_job *job)
{
	struct cc_layer *top = cc_view_active(job->view);

	if (!cc_stream_changes_header(job))
		return 0;
	if (job->base < 0)
		return cc_layer_check_backing(top, NULL, NULL);
	return cc_layer_check_backing(top, job->backing_name, job->backing_format);
}

/*
 * Everything is copied; now, each step durable before the next begins:
 *
 * 1. Data and bits of the top.
 * 2. The header names the base.  After a crash before this the chain is as it
 *    was, after it as it shall be; the guest reads the same either way, since
 *    the top shadows all that lies between.  The identity is written before
 *    it, to say that the layer below may be the old one or the base, and after
 *    it, to say that it is the base and that the job has ended.
 * 3. Publish the view without the layers between.
 * 4. Wait for bios that still use the old one (without holding cc->ctl, so
 *    that suspend and messages go on), close the layers.
 *
 * Return: -EAGAIN if the device is suspended meanwhile.
 */
static int cc_stream_finish(struct cc_job *job)
{
	struct cowchain *cc = job->cc;
	struct cc_view *old, *now;
	int r;

	mutex_lock(&cc->ctl);
	if (READ_ONCE(job->frozen) || READ_ONCE(job->cancel) || READ_ONCE(job->pause)) {
		mutex_unlock(&cc->ctl);
		return -EAGAIN;
	}
	old = cc_view_current(cc);
	now = cc_view_without(old, job->base);
	r = now ? cc_commit_wait(cc) : -ENOMEM;
	if (!r)
		r = cc_stream_end_header(job);
	if (r) {
		mutex_unlock(&cc->ctl);
		cc_view_destroy(now);
		return r;
	}
	/* The scan holds a view, too; it goes on with the new one. */
	cc_stop_scan(cc);
	rcu_assign_pointer(cc->view, now);
	cc_start_scan(cc);
	cc->base = -1;
	WRITE_ONCE(job->quiet, true);
	mutex_unlock(&cc->ctl);
	wake_up_all(&job->wait);

	cc_view_put(job->view, false);
	job->view = NULL;
	cc_view_drain(old);
	synchronize_rcu();
	cc_view_close_dropped(old, now);
	cc_view_destroy(old);
	/* A kthread's fput() is deferred; an autoclear loop goes with it. */
	flush_delayed_fput();
	return 0;
}

static int cc_stream_run(struct cc_job *job)
{
	int r;

	do {
		r = cc_stream_copy(job);
		if (r)
			return r;
		r = cc_stream_finish(job);
		if (r && r != -EAGAIN && cc_stops_on(job, r)) {
			cc_job_stop_on_error(job, r);
			r = -EAGAIN;
		}
	} while (r == -EAGAIN);
	return r;
}

/*
 * A job that failed is over: the next activation shall not begin it again.
 * One that was cancelled because its table goes away is not, and the headers
 * are not ours any more; a user's cancel sees to it in the message.  Nor is one
 * that could not change the header: nobody knows what is on disk, and the
 * record says that the old layer below and the base are both right.
 */
static void cc_stream_forget(struct cc_job *job)
{
	struct cowchain *cc = job->cc;
	struct cc_layer *top = cc_view_active(job->view);
	bool frozen;

	do {
		if (cc_job_gate(job))
			return;
		mutex_lock(&cc->ctl);
		frozen = READ_ONCE(job->frozen);
		if (!frozen && !READ_ONCE(job->cancel) && READ_ONCE(cc->mode) == CC_RW &&
		    !top->ident.job.copied)
			cc_ident_job_drop(top);
		mutex_unlock(&cc->ctl);
	} while (frozen);
}

int cc_stream_thread(void *data)
{
	struct cc_job *job = data;
	sector_t pos;
	int r;

	spin_lock_irq(&job->lock);
	if (job->state == CC_JOB_CREATED)
		WRITE_ONCE(job->state, CC_JOB_RUNNING);
	spin_unlock_irq(&job->lock);
	r = cc_stream_run(job);
	cc_job_drain(job, &pos);
	if (r && r != -ECANCELED)
		cc_stream_forget(job);
	if (job->view)
		cc_view_put(job->view, false);
	job->view = NULL;
	cc_job_conclude(job, r);
	return 0;
}

/* --------------------------------------------------------------------- start */

/* What the header shall say: as given, or what the layer above the base says. */
static int cc_stream_names(struct cc_job *job, const struct cc_stream_args *args)
{
	struct cc_layer *above;
	const char *kind;
	char said[16];
	int r;

	if (job->base < 0)
		return 0;
	/* Never another than what the base is: QEMU would believe it. */
	kind = cc_kind_name(job->view->layer[job->base]->kind);
	strscpy(job->backing_format, kind, sizeof(job->backing_format));
	if (args->backing_name) {
		if (strcmp(args->backing_format, kind)) {
			cc_err(job->cc, "the base is %s, not %s", kind, args->backing_format);
			return -EINVAL;
		}
		strscpy(job->backing_name, args->backing_name, QCOW2_MAX_BACKING_NAME + 1);
		job->backing_given = true;
		return 0;
	}
	above = job->view->layer[job->base + 1];
	r = cc_layer_backing(above, job->backing_name, said);
	if (r)
		return r;
	if (!job->backing_name[0] && job->base < (int)job->view->nr - 2) {
		cc_err(job->cc, "layer %s names no backing file: say backing-file <name> <format>",
		       above->dev->name);
		return -EINVAL;
	}
	return 0;
}

int cc_base_index(struct cowchain *cc, struct cc_view *view)
{
	unsigned int i;

	lockdep_assert_held(&cc->ctl);
	for (i = 0; cc->base >= 0 && i < view->nr; i++)
		if ((int)view->layer[i]->slot == cc->base)
			return i;
	return -1;
}

static int cc_stream_prepare(struct cc_job *job, const struct cc_stream_args *args)
{
	struct cowchain *cc = job->cc;
	int r;

	job->view = cc_view_get(cc, false);
	if (!job->view)
		return -EBUSY;
	job->base = cc_base_index(cc, job->view);
	job->len = job->view->sectors;
	job->speed = args->speed;
	job->on_error = args->on_error;
	job->pause = args->paused;
	job->frozen = cc->suspended;
	r = cc_stream_names(job, args);
	return r ? r : cc_stream_check_header(job);
}

/* Before anything is copied: what shall be continued after a crash. */
static int cc_stream_record(struct cc_job *job)
{
	struct q2_ident_job record = {
		.type = QCOW2_IDENT_JOB_STREAM,
		.paused = job->pause,
		.base = job->base,
		.on_error = job->on_error,
		.speed = job->speed,
	};
	struct q2_ident *base;

	if (job->base >= 0) {
		base = &job->view->layer[job->base]->ident;
		if (base->present) {
			memcpy(record.base_uuid, base->uuid, QCOW2_UUID_BYTES);
			record.base_generation = base->generation;
		}
	}
	return cc_ident_set_job(cc_view_active(job->view), &record,
				job->backing_given ? job->backing_name : NULL);
}

int cc_stream_start(struct cowchain *cc, const struct cc_stream_args *args)
{
	struct cc_job *job;
	int r;

	lockdep_assert_held(&cc->ctl);
	if (cc_job_active(cc)) {
		cc_err(cc, "a job is running already");
		return -EBUSY;
	}
	if (!cc_view_current(cc)->top || READ_ONCE(cc->mode) != CC_RW) {
		cc_err(cc, "the chain is read-only");
		return -EROFS;
	}
	job = cc_job_create(cc);
	if (!job)
		return -ENOMEM;
	r = cc_stream_prepare(job, args);
	/* The record is last, so that no failure has to take one back. */
	if (!r)
		r = cc_job_make_thread(job);
	if (!r)
		r = cc_stream_record(job);
	if (!r)
		cc_job_start(job);
	else
		cc_job_discard(job);
	return r;
}

/* ---------------------------------------------------------------- continuing */

bool cc_stream_recorded(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);

	lockdep_assert_held(&cc->ctl);
	return view && view->top && !cc_job_active(cc) && cc_view_active(view)->ident.job.type;
}

int cc_recorded_base(struct cc_view *view, const struct q2_ident_job *record)
{
	const struct q2_ident *id;
	unsigned int i;

	if (record->base == -1)
		return -1;
	if (record->base < 0)
		return -ENOENT;
	for (i = 0; i + 1 < view->nr; i++) {
		id = &view->layer[i]->ident;
		if (id->present && !memcmp(id->uuid, record->base_uuid, QCOW2_UUID_BYTES))
			return i;
	}
	i = record->base;
	if (i + 1 < view->nr && !memchr_inv(record->base_uuid, 0, QCOW2_UUID_BYTES) &&
	    !view->layer[i]->ident.present)
		return i;
	return -ENOENT;
}

int cc_stream_continue(struct cowchain *cc, bool may_pause)
{
	struct cc_view *view = cc_view_current(cc);
	struct cc_layer *top = cc_view_active(view);
	const struct q2_ident_job record = top->ident.job;
	struct cc_stream_args args = {
		.speed = record.speed,
		.on_error = min_t(u32, record.on_error, CC_ON_ERROR_ENOSPC),
		.paused = may_pause && record.paused,
	};
	int base = cc_recorded_base(view, &record);
	char *name;
	int r;

	lockdep_assert_held(&cc->ctl);
	if (base < -1 || record.type != QCOW2_IDENT_JOB_STREAM) {
		cc_err(cc, "the interrupted stream cannot be continued: its base is not in the chain");
		return -ENOENT;
	}
	name = base < 0 ? NULL : cc_ident_job_name(top);
	if (IS_ERR(name))
		return PTR_ERR(name);
	if (name) {
		args.backing_name = name;
		args.backing_format = cc_kind_name(view->layer[base]->kind);
	}
	cc->base = base < 0 ? -1 : (int)view->layer[base]->slot;
	r = cc_stream_start(cc, &args);
	kfree(name);
	if (r) {
		cc->base = -1;
		cc_err(cc, "the interrupted stream cannot be continued: error %d", r);
	} else if (base < 0) {
		cc_info(cc, "the interrupted stream goes on, without a base");
	} else {
		cc_info(cc, "the interrupted stream goes on, base %d", base);
	}
	return r;
}

int cc_stream_drop(struct cowchain *cc)
{
	if (!cc_stream_recorded(cc))
		return -ENOENT;
	if (READ_ONCE(cc->mode) != CC_RW) {
		cc_err(cc, "the chain is read-only: the stream stays recorded in the top");
		return -EROFS;
	}
	return cc_ident_job_drop(cc_view_active(cc_view_current(cc)));
}
