// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stream: copies what the layers between the base and the top provide, several pieces at a time,
 * then shortens the chain. The top is that of the view of the job, which may be a layer below the
 * top of the guest's: see lower.c.
 */

#include "copy.h"
#include "cursor.h"
#include "first.h"
#include "identity.h"
#include "job-header.h"
#include "job-target.h"
#include "job-thread.h"
#include "lower.h"
#include "mode.h"
#include "scan.h"
#include "stream.h"
#include "verify.h"
#include "writer.h"
#include "zero.h"

/* ----------------------------------------------------------------- copying */

/*
 * Takes over the pin of @t. If it fails, the job goes back at least to @back. Return: false if
 * there is no slot, and nothing was started.
 */
static bool cc_stream_copy(struct cc_job *job, const struct cc_todo *t, sector_t back)
{
	u64 bytes = (u64)(t->end - t->first) << (t->b->top->sub_shift + SECTOR_SHIFT);
	struct cc_copy *copy = NULL;

	if (cc_copy_wait_for(job, t->b, t->first, t->end))
		copy = cc_copy_get(job);
	if (!copy) {
		cc_block_unpin(t->b);
		return false;
	}
	copy->cost = cc_job_throttle(job, bytes);
	cc_copy_start(copy, t->b, t->first, t->end, back);
	return true;
}

/*
 * Start the next copy in [*pos, until), or skip; *pos is then where to go on. @back: see above.
 * Return: 0, or the error of finding out what to copy.
 */
static int cc_stream_look(struct cc_job *job, sector_t *pos, sector_t until, sector_t back)
{
	struct cc_top *top = cc_view_active(job->view)->top;
	struct cc_todo t = { .pos = *pos, .until = until };
	int r;

	t.b = cc_top_load(top, t.pos >> top->block_shift);
	if (IS_ERR(t.b))
		return PTR_ERR(t.b);
	r = cc_find_todo(job, &t);
	if (r) {
		cc_block_unpin(t.b);
		return r;
	}
	if (t.first == t.end) {
		cc_block_unpin(t.b);
		cond_resched();
	} else if (!cc_stream_copy(job, &t, back)) {
		return 0;
	}
	*pos = t.next;
	return 0;
}

/*
 * The cursor stays where it is, also if this fails: nothing is ever skipped. A part that cannot be
 * looked at is dropped, since the cursor will meet the same error there.
 */
static int cc_stream_part(struct cc_job *job, struct cc_part *part)
{
	int r = cc_stream_look(job, &part->pos, part->end, job->pos);

	cc_first_move(job, r ? part->end : part->pos);
	return r;
}

static int cc_stream_step(struct cc_job *job)
{
	sector_t pos = job->pos;
	struct cc_part part;
	int r;

	if (cc_first_get(job, &part))
		return cc_stream_part(job, &part);
	r = cc_stream_look(job, &pos, job->len, job->len);
	WRITE_ONCE(job->pos, pos);
	return r;
}

/* -------------------------------------------------------------- completion */

static int cc_stream_begin(struct cc_job *job)
{
	struct cc_layer *top = cc_view_active(job->view);
	int r = cc_job_enter_write(job);

	if (r)
		return r;
	/*
	 * Before the cursor looks at anything. It is a sync that flushes in any case, so a suspend
	 * waits for it, as for what copies write: the error of a later flush belongs to the next
	 * table.
	 *
	 * Nobody discards in a layer below the top, and what is in its map is on disk. A snapshot
	 * may have made it one while the job was parked.
	 */
	if (!job->target && job->base < 0 && top->data)
		r = cc_zero_begin_raw(job->cc, top->top);
	cc_job_end_write(job);
	return r;
}

/* The top shadows everything in between. */
static struct cc_view *cc_stream_complete(struct cc_job *job, struct cc_view *old)
{
	struct cc_view *now;
	int r;

	if (job->target)
		return cc_lower_complete(job, old);
	now = cc_view_without(old, job->base);
	r = now ? cc_writer_sync(cc_view_active(old)->writer) : -ENOMEM;

	if (!r)
		r = cc_job_end_header(job);
	if (!r) {
		cc_view_publish(job->cc, now);
		return now;
	}
	cc_view_destroy(now);
	return ERR_PTR(r);
}

static void cc_stream_end(struct cc_job *job, int error)
{
	/*
	 * Otherwise the header on disk may say that there is no layer below, also if the write that
	 * says so has failed, and dropping the record fails as well.
	 */
	if (error && !job->ending)
		cc_zero_end_raw(cc_view_active(job->view)->top);
}

static const struct cc_job_ops cc_stream_ops = {
	.type = QCOW2_IDENT_JOB_STREAM,
	.name = "stream",
	.own_view = true,
	.begin = cc_stream_begin,
	.step = cc_stream_step,
	.settle = cc_lower_settle,
	.complete = cc_stream_complete,
	.end = cc_stream_end,
	.release = cc_lower_release,
};

/* ------------------------------------------------------------------- start */

/* What is common to all streams: job->view is there. cc->ctl is held. */
static int cc_stream_launch(struct cc_job *job, const struct cc_stream_args *args)
{
	struct cc_view *view = cc_view_current(job->cc);
	int r;

	lockdep_assert_held(&job->cc->ctl);
	job->top = args->top;
	job->base = args->base;
	job->len = job->view->sectors;
	cc_job_limit(job, args->job.speed);
	job->on_error = args->job.on_error;
	job->pause = args->job.paused;
	r = job->cc->ignore_identity ? 0 : cc_ident_check_stream(view, args->base, args->top);
	if (!r && args->job.verify)
		r = cc_verify_create(job);
	if (!r)
		r = cc_job_take_names(job, &args->job);
	if (!r)
		r = cc_job_check_header(job);
	/* The record is last, so that no later failure has to remove it. */
	if (!r)
		r = cc_job_make_thread(job, cc_job_thread);
	if (!r)
		r = cc_job_record(job);
	if (!r)
		cc_job_start(job);
	return r;
}

/* ----------------------------------------------------------- into the top */

/*
 * A view of its own, with the same maps. A snapshot makes the job's target what is the top now,
 * see cc_lower_adopt(); what its writer works with then is made here, where that may fail.
 */
static int cc_stream_prepare(struct cc_job *job)
{
	struct cc_view *view = cc_view_current(job->cc);

	job->view = cc_view_create(job->cc, view->layer, view->nr, view->below);
	return job->view ? cc_target_make_env(job) : -ENOMEM;
}

int cc_stream_start(struct cowchain *cc, const struct cc_stream_args *args)
{
	struct cc_stream_args into = *args;
	struct cc_job *job;
	int r;

	lockdep_assert_held(&cc->ctl);
	r = cc_check_live(cc);
	if (r)
		return r;
	if (!cc_view_current(cc)->top || READ_ONCE(cc->mode) != CC_RW) {
		cc_err(cc, "the chain is read-only");
		return -EROFS;
	}
	/* Pairs with cc_snapshot_end() and cc_target_leave(). */
	if (smp_load_acquire(&cc->snapshot)) {
		cc_err(cc, "a snapshot is being taken, or a commit is starting: start the stream when that has ended");
		return -EBUSY;
	}
	into.top = cc_view_current(cc)->nr - 1;
	job = cc_job_create(cc, &cc_stream_ops);
	if (!job)
		return -ENOMEM;
	r = cc_stream_prepare(job);
	if (!r)
		r = cc_stream_launch(job, &into);
	if (r)
		cc_job_discard(job);
	return r;
}

/* ------------------------------------------------- into a layer below the top */

/* Is another one recorded there? It would be forgotten, or be one of two. */
static int cc_stream_check_records(struct cowchain *cc, int top)
{
	struct cc_view *view = cc_view_current(cc);
	int lower = cc_ident_lower(view->layer, view->nr);

	if (q2_ident_has_job(&cc_view_active(view)->ident)) {
		cc_err(cc, "a job is recorded in the top: continue or cancel it first");
		return -EBUSY;
	}
	if (lower >= 0 && lower != top) {
		cc_err(cc, "a stream is recorded in layer %d: continue or cancel it first", lower);
		return -EBUSY;
	}
	return 0;
}

/* May the header of a layer below the top be written now? */
static int cc_stream_check_idle(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);
	int r;

	lockdep_assert_held(&cc->ctl);
	/* A table that was never resumed has no chain yet. */
	if (!view)
		return -ENXIO;
	r = cc_check_live(cc);
	if (r)
		return r;
	if (cc_job_active(cc)) {
		cc_err(cc, "a job is running already");
		return -EBUSY;
	}
	if (!view->top || READ_ONCE(cc->mode) != CC_RW) {
		cc_err(cc, "the chain is read-only");
		return -EROFS;
	}
	return 0;
}

static int cc_stream_check_lower(struct cowchain *cc, const void *data)
{
	const struct cc_stream_args *args = data;
	struct cc_view *view = cc_view_current(cc);
	int r = cc_stream_check_idle(cc);

	if (!r)
		r = cc_check_seen(cc, args->job.seen);
	if (r)
		return r;
	if (args->top < 0 || args->top >= (int)view->nr - 1 || args->base >= args->top) {
		cc_err(cc, "the base has to be below the layer that is streamed into");
		return -EINVAL;
	}
	if (view->layer[args->top]->kind == CC_RAW) {
		cc_err(cc, "layer %d is raw: there is nothing below it", args->top);
		return -EINVAL;
	}
	r = cc_target_check_record(&args->job, view->layer[args->top]);
	if (!r)
		r = cc_stream_check_records(cc, args->top);
	return r ? r : cc_ident_check_lower(view, args->top);
}

static int cc_stream_launch_lower(struct cc_job *job, const void *args)
{
	/* The mode may have changed. */
	int r = cc_stream_check_lower(job->cc, args);

	return r ? r : cc_stream_launch(job, args);
}

static const struct cc_target_start cc_stream_how = {
	.ops = &cc_stream_ops,
	.check = cc_stream_check_lower,
	.open = cc_lower_open,
	.launch = cc_stream_launch_lower,
};

int cc_stream_start_lower(struct cowchain *cc, const struct cc_stream_args *args)
{
	return cc_target_start(cc, &cc_stream_how, args);
}

/* ------------------------------------------------------------------ records */

/* What is below the layer does not matter: nothing is copied. */
static int cc_stream_check_forget(struct cowchain *cc, const void *data)
{
	struct cc_view *view = cc_view_current(cc);
	const int *lower = data;
	int r = cc_stream_check_idle(cc);

	if (!r && cc_ident_lower(view->layer, view->nr) != *lower) {
		cc_err(cc, "the chain has just changed: send the message again");
		r = -EBUSY;
	}
	return r;
}

/* The chain stays as it is. */
static int cc_stream_open_forget(struct cc_job *job, const void *data)
{
	struct cc_view *view = cc_view_current(job->cc);
	const int *lower = data;

	return cc_target_open(job, view, view->layer[*lower], NULL, NULL, false);
}

static int cc_stream_forget(struct cc_job *job, const void *data)
{
	int r = cc_ident_job_drop(job->target);

	return r ? r : 1;
}

static const struct cc_target_start cc_stream_forget_how = {
	.ops = &cc_stream_ops,
	.check = cc_stream_check_forget,
	.open = cc_stream_open_forget,
	.launch = cc_stream_forget,
};

int cc_stream_forget_lower(struct cowchain *cc, int lower)
{
	return cc_target_start(cc, &cc_stream_forget_how, &lower);
}
