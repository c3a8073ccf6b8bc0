// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stream: copies what the layers between the base and the top provide, several pieces at a time,
 * then shortens the chain.
 */
#include <linux/file.h>
#include <linux/freezer.h>
#include <linux/slab.h>

#include "copy.h"
#include "cursor.h"
#include "header.h"
#include "identity.h"
#include "mode.h"
#include "scan.h"
#include "stream.h"
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

/* Do not stop if metadata could not be written: only another table helps then. */
static bool cc_stops_on(struct cc_job *job, int error)
{
	if (READ_ONCE(job->cc->mode) != CC_RW)
		return false;
	return job->on_error == CC_ON_ERROR_STOP ||
	       (job->on_error == CC_ON_ERROR_ENOSPC && error == -ENOSPC);
}

/*
 * Copies in flight may fail behind the cursor. Go back to the first one that failed, so that
 * nothing is ever skipped.
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
			if (!cc_job_wait_copies(job))
				continue;
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

/* -------------------------------------------------------------- completion */

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

/*
 * Everything has been copied. Each step is durable before the next one begins:
 *
 * 1. Sync data and bits of the top.
 * 2. Let the header name the base. A crash before this leaves the chain as it was, a crash after it
 *    the shorter chain; the guest reads the same either way, since the top shadows everything in
 *    between. The identity is written before it, to allow both the old layer and the base as the
 *    layer below, and after it, to record that it is the base and that the job has ended.
 * 3. Publish the view without the layers in between.
 * 4. Wait for bios that still use the old view (without cc->ctl, so that suspend and messages can
 *    proceed), and close the layers.
 *
 * Return: 0, -EAGAIN if the device is suspended meanwhile, or -errno.
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
	r = now ? cc_writer_sync(cc_view_active(old)->writer) : -ENOMEM;
	if (!r)
		r = cc_stream_end_header(job);
	if (r) {
		mutex_unlock(&cc->ctl);
		cc_view_destroy(now);
		return r;
	}
	/* The scan holds a view, too; restart it with the new one. */
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
	/* Views that snapshots have replaced still have these layers. */
	wait_event(cc->wait, !READ_ONCE(cc->nr_retired));
	cc_view_close_dropped(old, now);
	cc_view_destroy(old);
	/* A kthread's fput() is deferred; a loop device with autoclear waits for it. */
	flush_delayed_fput();
	return 0;
}

static int cc_stream_run(struct cc_job *job)
{
	struct cc_layer *top = cc_view_active(job->view);
	int r;

	/* Before the cursor looks at anything. A suspended device has nothing to sync. */
	r = job->base < 0 && top->data ? cc_zero_begin_raw(job->cc, top->top) : 0;
	if (r)
		return r;
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
 * Drop the record of a job that has failed, so that the next activation does not start it again.
 * The record stays
 *
 * - if the job was cancelled because its table goes away: the headers may belong to another table
 *   by now. (A user's cancel drops the record in the message.)
 * - if the job could not change the header: it is unknown what is on disk, and the record allows
 *   both the old layer and the base as the layer below.
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

static int cc_stream_thread(void *data)
{
	struct cc_job *job = data;
	sector_t pos;
	int r;

	set_freezable();
	spin_lock_irq(&job->lock);
	if (job->state == CC_JOB_CREATED)
		WRITE_ONCE(job->state, CC_JOB_RUNNING);
	spin_unlock_irq(&job->lock);
	r = cc_stream_run(job);
	cc_job_drain(job, &pos);
	/* Otherwise the header on disk may say that there is no layer below. */
	if (r && !cc_view_active(job->view)->ident.job.copied)
		cc_zero_end_raw(cc_view_active(job->view)->top);
	if (r && r != -ECANCELED)
		cc_stream_forget(job);
	if (job->view)
		cc_view_put(job->view, false);
	job->view = NULL;
	cc_job_conclude(job, r);
	return 0;
}

/* ------------------------------------------------------------------- start */

/* Find out now what would otherwise fail after hours of copying. */
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
 * The name that the layer above the base has for it. Its header goes to another directory with it
 * if the name is written into that of the top: a relative name would mean another file there, or
 * none. The directories are not known here, so only an absolute name is taken.
 */
static int cc_stream_default_name(struct cc_job *job)
{
	struct cc_layer *above = job->view->layer[job->base + 1];
	const char *name = job->backing_name;
	char said[16];
	int r = cc_layer_backing(above, job->backing_name, said);

	if (r || !cc_stream_changes_header(job) || name[0] == '/')
		return r;
	if (name[0])
		cc_layer_err(above,
			     "its backing file is %.200s, relative to its own directory: use backing-file <name> <format>",
			     name);
	else
		cc_layer_err(above, "names no backing file: use backing-file <name> <format>");
	return -EINVAL;
}

/* The name of the base in the header: as given, or as the layer above the base has it. */
static int cc_stream_names(struct cc_job *job, const struct cc_stream_args *args)
{
	const char *kind;

	if (job->base < 0)
		return 0;
	/* The format must be that of the base: QEMU relies on it. */
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
	return cc_stream_default_name(job);
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
	cc_job_limit(job, args->speed);
	job->on_error = args->on_error;
	job->pause = args->paused;
	r = cc_stream_names(job, args);
	return r ? r : cc_stream_check_header(job);
}

/* Record what has to be continued after a crash, before anything is copied. */
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
	r = cc_check_live(cc);
	if (r)
		return r;
	if (!cc_view_current(cc)->top || READ_ONCE(cc->mode) != CC_RW) {
		cc_err(cc, "the chain is read-only");
		return -EROFS;
	}
	/* Pairs with cc_snapshot(). */
	if (smp_load_acquire(&cc->snapshot)) {
		cc_err(cc, "a snapshot is being taken: start the stream when it has ended");
		return -EBUSY;
	}
	job = cc_job_create(cc);
	if (!job)
		return -ENOMEM;
	r = cc_stream_prepare(job, args);
	/* The record is last, so that no later failure has to remove it. */
	if (!r)
		r = cc_job_make_thread(job, cc_stream_thread);
	if (!r)
		r = cc_stream_record(job);
	if (!r)
		cc_job_start(job);
	else
		cc_job_discard(job);
	return r;
}
