// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stream: copies what the layers between the base and the top provide, several pieces at a time,
 * then shortens the chain.
 */
#include "copy.h"
#include "cursor.h"
#include "identity.h"
#include "job-header.h"
#include "job-thread.h"
#include "mode.h"
#include "scan.h"
#include "stream.h"
#include "verify.h"
#include "writer.h"
#include "zero.h"

/* ----------------------------------------------------------------- copying */

/* Start the next copy, or skip. Return: 0, or the error of finding out what to copy. */
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
	copy = cc_copy_get(job);
	if (!copy) {
		cc_block_unpin(t.b);
		return 0;
	}
	copy->cost = cc_job_throttle(job,
				     (u64)(t.end - t.first) << (top->sub_shift + SECTOR_SHIFT));
	cc_copy_start(copy, t.b, t.first, t.end);
	WRITE_ONCE(job->pos, t.next);
	return 0;
}

/* -------------------------------------------------------------- completion */

static int cc_stream_begin(struct cc_job *job)
{
	struct cc_layer *top = cc_view_active(job->view);

	/* Before the cursor looks at anything. A suspended device has nothing to sync. */
	return job->base < 0 && top->data ? cc_zero_begin_raw(job->cc, top->top) : 0;
}

/* The top shadows everything in between. */
static struct cc_view *cc_stream_complete(struct cc_job *job, struct cc_view *old)
{
	struct cc_view *now = cc_view_without(old, job->base);
	int r = now ? cc_writer_sync(cc_view_active(old)->writer) : -ENOMEM;

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
	/* Otherwise the header on disk may say that there is no layer below. */
	if (error && !cc_view_active(job->view)->ident.job.copied)
		cc_zero_end_raw(cc_view_active(job->view)->top);
}

static const struct cc_job_ops cc_stream_ops = {
	.type = QCOW2_IDENT_JOB_STREAM,
	.name = "stream",
	.begin = cc_stream_begin,
	.step = cc_stream_step,
	.complete = cc_stream_complete,
	.end = cc_stream_end,
};

/* ------------------------------------------------------------------- start */

static int cc_stream_prepare(struct cc_job *job, const struct cc_job_args *args)
{
	struct cowchain *cc = job->cc;
	int r;

	job->view = cc_view_get(cc, false);
	if (!job->view)
		return -EBUSY;
	job->base = cc_base_index(cc, job->view);
	job->len = job->view->sectors;
	cc_job_limit(job, args->speed);
	job->on_error = args->on_error;
	job->pause = args->paused;
	r = cc->ignore_identity ? 0 : cc_ident_check_stream(job->view, job->base);
	if (!r && args->verify)
		r = cc_verify_create(job);
	if (!r)
		r = cc_job_take_names(job, args);
	return r ? r : cc_job_check_header(job);
}

int cc_stream_start(struct cowchain *cc, const struct cc_job_args *args)
{
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
	/* Pairs with cc_snapshot(). */
	if (smp_load_acquire(&cc->snapshot)) {
		cc_err(cc, "a snapshot is being taken, or a commit is starting: start the stream when that has ended");
		return -EBUSY;
	}
	job = cc_job_create(cc, &cc_stream_ops);
	if (!job)
		return -ENOMEM;
	r = cc_stream_prepare(job, args);
	/* The record is last, so that no later failure has to remove it. */
	if (!r)
		r = cc_job_make_thread(job, cc_job_thread);
	if (!r)
		r = cc_job_record(job);
	if (!r)
		cc_job_start(job);
	else
		cc_job_discard(job);
	return r;
}
