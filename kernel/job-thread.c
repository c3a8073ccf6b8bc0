// SPDX-License-Identifier: GPL-2.0-only
/*
 * The thread of a job: its way over the disk, what happens after an error, the switch to the
 * shorter chain, and the end.
 */
#include <linux/file.h>
#include <linux/freezer.h>

#include "identity.h"
#include "job-thread.h"
#include "scan.h"
#include "writer.h"

/* --------------------------------------------------------------- the way */

/* Can what is copied still be made durable? Return: 0 or -errno. */
static int cc_job_check_writer(struct cc_job *job)
{
	struct cc_writer *w = job->target ? job->target->writer : NULL;

	if (READ_ONCE(job->cc->mode) != CC_RW)
		return -EROFS;
	return w && READ_ONCE(w->failed) ? cc_writer_error(w) : 0;
}

/* Do not stop if metadata could not be written: only another table helps then. */
static bool cc_job_stops_on(struct cc_job *job, int error)
{
	if (cc_job_check_writer(job))
		return false;
	return job->on_error == CC_ON_ERROR_STOP ||
	       (job->on_error == CC_ON_ERROR_ENOSPC && error == -ENOSPC);
}

/*
 * Copies in flight may fail behind the cursor. Go back to the first one that failed, so that
 * nothing is ever skipped.
 */
static int cc_walk_settle(struct cc_job *job)
{
	sector_t pos;
	int error = cc_job_drain(job, &pos);

	if (!error)
		return 0;
	WRITE_ONCE(job->pos, pos);
	if (!cc_job_stops_on(job, error))
		return error;
	cc_job_stop_on_error(job, error);
	return 0;
}

static int cc_job_walk(struct cc_job *job)
{
	int r;

	for (;;) {
		r = cc_job_gate(job);
		if (r)
			return r;
		if (READ_ONCE(job->error) || job->pos >= job->len) {
			if (!cc_job_wait_copies(job))
				continue;
			r = cc_walk_settle(job);
			if (r)
				return r;
			if (job->pos < job->len || READ_ONCE(job->pause))
				continue;
			r = job->ops->again ? job->ops->again(job) : 0;
			if (r <= 0)
				return r;
			continue;
		}
		r = cc_job_check_writer(job);
		if (!r)
			r = job->ops->step(job);
		if (r)
			cc_job_failed(job, job->pos, r);
	}
}

/* -------------------------------------------------------------- completion */

static bool cc_job_may_finish(struct cc_job *job)
{
	lockdep_assert_held(&job->cc->ctl);
	return !READ_ONCE(job->frozen) && !READ_ONCE(job->cancel) && !READ_ONCE(job->pause) &&
	       !READ_ONCE(job->cc->snapshot);
}

/* A snapshot that is being taken, or prepared, relies on the layers that there are. */
static void cc_job_wait_chain(struct cc_job *job)
{
	wait_event_idle(job->wait, !READ_ONCE(job->cc->snapshot) || READ_ONCE(job->cancel) ||
			cc_job_must_park(job));
}

/*
 * Everything has been copied. Each step is durable before the next one begins:
 *
 * 1. Sync data and bits of the layer that was written.
 * 2. Let the header above what goes name the base: see cc_job_end_header(). A crash before this
 *    leaves the chain as it was, one after it the shorter chain; the guest reads the same in either
 *    case.
 * 3. Publish the view without the layers in between. (A commit of the top does 2 and 3 otherwise:
 *    see cc_active_complete().)
 * 4. Wait for bios that still use the old view (without cc->ctl, so that suspend and messages can
 *    proceed), and close the layers.
 *
 * Return: 0, -EAGAIN if the device is suspended meanwhile, or a snapshot begins, -ECANCELED, or
 * -errno.
 */
static int cc_job_finish(struct cc_job *job)
{
	DECLARE_BITMAP(dropped, CC_MAX_LAYERS);
	struct cowchain *cc = job->cc;
	struct cc_view *old, *now;
	int r;

	r = job->ops->settle ? job->ops->settle(job) : 0;
	if (r)
		return r;
	cc_job_wait_chain(job);
	mutex_lock(&cc->ctl);
	if (!cc_job_may_finish(job)) {
		mutex_unlock(&cc->ctl);
		return -EAGAIN;
	}
	old = cc_view_current(cc);
	now = job->ops->complete(job, old);
	if (IS_ERR(now)) {
		mutex_unlock(&cc->ctl);
		if (job->ops->undo)
			job->ops->undo(job);
		return PTR_ERR(now);
	}
	cc_view_find_dropped(old, now, dropped);
	/*
	 * A snapshot may replace the new view from here on. It syncs the top and later frees its
	 * map, which the bios of the old view use as well: so it has to wait for these, too.
	 */
	percpu_ref_get(&now->writers.ref);
	percpu_ref_get(&now->readers.ref);
	cc->base = -1;
	job->header = NULL;
	WRITE_ONCE(job->quiet, true);
	mutex_unlock(&cc->ctl);
	wake_up_all(&job->wait);

	/* A reference would keep the old view. */
	if (!job->ops->own_view)
		cc_job_let_go(job);
	cc_view_drain_writers(old);
	cc_view_put(now, true);
	cc_view_drain(old);
	synchronize_rcu();
	cc_view_put(now, false);
	/* Views that snapshots have replaced still have these layers. */
	wait_event(cc->wait, !READ_ONCE(cc->nr_retired));
	if (job->ops->own_view)
		cc_job_let_go(job);
	cc_view_close_dropped(old, dropped);
	cc_view_destroy(old);
	/* A kthread's fput() is deferred; a loop device with autoclear waits for it. */
	flush_delayed_fput();
	return 0;
}

static int cc_job_run(struct cc_job *job)
{
	int r = job->ops->begin ? job->ops->begin(job) : 0;

	if (r)
		return r;
	do {
		r = cc_job_walk(job);
		if (r)
			return r;
		r = cc_job_finish(job);
		if (r && r != -EAGAIN && r != -ECANCELED && cc_job_stops_on(job, r)) {
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
static void cc_job_forget(struct cc_job *job)
{
	struct cowchain *cc = job->cc;
	bool frozen;

	do {
		if (cc_job_gate(job))
			return;
		mutex_lock(&cc->ctl);
		frozen = READ_ONCE(job->frozen);
		if (!frozen && !READ_ONCE(job->cancel) && READ_ONCE(cc->mode) == CC_RW &&
		    !job->header->ident.job.copied)
			cc_ident_job_drop(job->header);
		if (!frozen)
			job->header = NULL;
		mutex_unlock(&cc->ctl);
	} while (frozen);
}

int cc_job_thread(void *data)
{
	struct cc_job *job = data;
	sector_t pos;
	int r;

	set_freezable();
	spin_lock_irq(&job->lock);
	if (job->state == CC_JOB_CREATED)
		WRITE_ONCE(job->state, CC_JOB_RUNNING);
	spin_unlock_irq(&job->lock);
	r = cc_job_run(job);
	cc_job_drain(job, &pos);
	job->ops->end(job, r);
	if (r && r != -ECANCELED)
		cc_job_forget(job);
	cc_job_let_go(job);
	cc_job_conclude(job, r);
	return 0;
}
