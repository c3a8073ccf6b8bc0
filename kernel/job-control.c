// SPDX-License-Identifier: GPL-2.0-only
/*
 * The door to jobs: what messages, status, suspend and snapshots ask of them.
 */
#include <linux/sched/mm.h>

#include "active.h"
#include "identity.h"
#include "job-control.h"
#include "record.h"

/* How long job-cancel waits on a suspended device. */
#define CC_CANCEL_JIFFIES	HZ

static const char * const cc_job_states[] = {
	[CC_JOB_CREATED] = "created", [CC_JOB_RUNNING] = "running",
	[CC_JOB_PAUSED] = "paused", [CC_JOB_ABORTING] = "aborting",
	[CC_JOB_CONCLUDED] = "concluded",
};

static const char * const cc_io_statuses[] = {
	[CC_IO_OK] = "ok", [CC_IO_FAILED] = "failed", [CC_IO_NOSPACE] = "nospace",
};

bool cc_job_recorded(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);

	lockdep_assert_held(&cc->ctl);
	return view && view->top && !cc_job_active(cc) &&
	       q2_ident_has_job(&cc_view_active(view)->ident);
}

static bool cc_recorded_commit(struct cowchain *cc)
{
	return cc_view_active(cc_view_current(cc))->ident.job.type == QCOW2_IDENT_JOB_COMMIT;
}

static int cc_stream_into_top(struct cowchain *cc, const struct cc_stream_args *args)
{
	lockdep_assert_held(&cc->ctl);
	if (cc_job_active(cc)) {
		cc_err(cc, "a job is running already");
		return -EBUSY;
	}
	if (cc_job_recorded(cc) && cc_recorded_commit(cc)) {
		cc_err(cc, "a commit is recorded in the top: continue or cancel it first");
		return -EBUSY;
	}
	if (args->path) {
		cc_err(cc, "device is for a layer below the top");
		return -EINVAL;
	}
	return cc_stream_start(cc, args);
}

/* Under cc->ctl. Return: 0 or -errno; 1: the layer is below the top, and opened without cc->ctl. */
static int cc_stream_sort(struct cowchain *cc, struct cc_stream_args *args)
{
	struct cc_view *view = cc_view_current(cc);
	int r;

	/* A table that was never resumed has no chain yet. */
	if (!view)
		return -ENXIO;
	r = cc_check_seen(cc, args->job.seen);
	if (r)
		return r;
	if (args->base == CC_BASE_SELECTED)
		args->base = cc_base_index(cc, view);
	if (args->job.backing_name && args->base < 0) {
		cc_err(cc, "backing-file needs a base: without one there is no backing file");
		return -EINVAL;
	}
	if (args->top >= 0 && args->top < (int)view->nr - 1)
		return 1;
	if (args->base >= (int)view->nr - 1) {
		cc_err(cc, "the top cannot be the base");
		return -EINVAL;
	}
	return cc_stream_into_top(cc, args);
}

int cc_job_stream(struct cowchain *cc, struct cc_stream_args *args)
{
	unsigned int noio;
	int r;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	noio = memalloc_noio_save();
	r = cc_stream_sort(cc, args);
	memalloc_noio_restore(noio);
	mutex_unlock(&cc->ctl);
	return r == 1 ? cc_stream_start_lower(cc, args) : r;
}

void cc_job_destroy(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);

	if (!job)
		return;
	/* Under the lock, or a copy that is about to sleep misses it: see cc_job_begin_write(). */
	spin_lock_irq(&job->lock);
	WRITE_ONCE(job->cancel, true);
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
	cc_job_install(cc, NULL);
	cc_job_put(job);
}

/* --------------------------------------------------------- a job that runs */

/* The active job with a reference, or ERR_PTR(-ENOENT). */
static struct cc_job *cc_job_get_active(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);

	if (cc_job_is_active(job))
		return job;
	cc_job_put(job);
	cc_err(cc, "no job is running");
	return ERR_PTR(-ENOENT);
}

/* Paused, resumed again meanwhile, or ended; or it parks for a suspend, and then stays paused. */
static bool cc_job_pause_done(struct cc_job *job)
{
	return READ_ONCE(job->state) == CC_JOB_PAUSED || !READ_ONCE(job->pause) ||
	       READ_ONCE(job->cancel) || !cc_job_is_active(job) || READ_ONCE(job->frozen);
}

/* One that is to be kept up to date. cc->ctl is held. */
static bool cc_job_has_record(struct cc_job *job)
{
	return cc_job_is_active(job) && !READ_ONCE(job->cancel) && job->header &&
	       q2_ident_has_job(&job->header->ident);
}

/* cc->ctl is held. */
static void cc_job_save_locked(struct cowchain *cc, struct cc_job *job)
{
	unsigned int noio = memalloc_noio_save();

	lockdep_assert_held(&cc->ctl);
	if (cc_job_has_record(job) && READ_ONCE(cc->mode) == CC_RW)
		/* If an error has stopped the job, the next activation tries again. */
		cc_ident_save_job(job->header, READ_ONCE(job->speed),
				  READ_ONCE(job->pause) && !READ_ONCE(job->stopped),
				  job->active && job->active->keep &&
				  !READ_ONCE(job->active->complete));
	else if (cc_job_has_record(job))
		cc_err(cc, "the chain is read-only: the job stays recorded as it was");
	memalloc_noio_restore(noio);
}

/* Record what a user has changed, for a later continuation. */
static void cc_job_save(struct cowchain *cc, struct cc_job *job)
{
	/* The message has done its work; if it is killed, the record stays as it was. */
	if (mutex_lock_killable(&cc->ctl))
		return;
	cc_job_save_locked(cc, job);
	mutex_unlock(&cc->ctl);
}

int cc_job_pause(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get_active(cc);
	int r = 0;

	if (IS_ERR(job))
		return PTR_ERR(job);
	spin_lock_irq(&job->lock);
	if (job->pause)
		r = -EINVAL;
	WRITE_ONCE(job->pause, true);
	/* If the job is parked already for a suspend, it does not set this by itself. */
	if (job->quiet && !job->writing && job->state == CC_JOB_RUNNING)
		WRITE_ONCE(job->state, CC_JOB_PAUSED);
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
	if (r)
		cc_err(cc, "the job is paused already");
	else
		r = wait_event_killable(job->wait, cc_job_pause_done(job));
	if (!r) {
		cc_job_save(cc, job);
		dm_table_event(cc->ti->table);
	}
	cc_job_put(job);
	return r;
}

/* Return: 0, or -EINVAL if the job is not paused. */
static int cc_job_unpause(struct cc_job *job)
{
	int r = 0;

	spin_lock_irq(&job->lock);
	if (job->pause) {
		WRITE_ONCE(job->pause, false);
		WRITE_ONCE(job->stopped, false);
		if (job->state == CC_JOB_PAUSED)
			WRITE_ONCE(job->state, CC_JOB_RUNNING);
		job->io_status = CC_IO_OK;
		job->shown_error = 0;
	} else {
		r = -EINVAL;
	}
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
	return r;
}

/*
 * Under cc->ctl as a whole: a job that goes on may end at once, and lets go of its header then, but
 * not before it gets the lock. So what is recorded of it, or why nothing can be, is known here.
 */
static int cc_resume_active(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get_active(cc);
	int r;

	if (IS_ERR(job))
		return PTR_ERR(job);
	r = mutex_lock_killable(&cc->ctl);
	if (!r) {
		r = cc_job_unpause(job);
		if (r)
			cc_err(cc, "the job is not paused");
		else
			cc_job_save_locked(cc, job);
		mutex_unlock(&cc->ctl);
	}
	if (!r)
		dm_table_event(cc->ti->table);
	cc_job_put(job);
	return r;
}

/*
 * Wait for the end of a job that was cancelled. dm exchanges the table of a suspended device
 * without a word beforehand, and waits for the messages of the old one while the guest's I/O is
 * held up. So on such a device this waits for a moment only, not for copies that read a slow
 * layer.
 *
 * Return: 0, or -EINTR.
 */
static int cc_wait_cancelled(struct cowchain *cc, struct cc_job *job)
{
	long left = READ_ONCE(cc->suspending) ? CC_CANCEL_JIFFIES : MAX_SCHEDULE_TIMEOUT;

	left = wait_event_killable_timeout(job->wait,
					   !cc_job_is_active(job) || cc_must_yield(cc), left);
	return left < 0 ? -EINTR : 0;
}

/*
 * The record of a job that writes to a layer below the top goes before the job does, which closes
 * the layer. (That of the top is dropped when the job has ended.) From here on the job ends, and
 * nobody writes the record. cc->ctl is held.
 */
static int cc_cancel_locked(struct cowchain *cc, struct cc_job *job)
{
	unsigned int noio = memalloc_noio_save();
	int r = 0;

	lockdep_assert_held(&cc->ctl);
	if (!READ_ONCE(job->cancel) && job->header && job->lower)
		r = cc_record_drop(cc, job->header);
	memalloc_noio_restore(noio);
	spin_lock_irq(&job->lock);
	WRITE_ONCE(job->cancel, true);
	if (cc_job_is_active(job))
		WRITE_ONCE(job->state, CC_JOB_ABORTING);
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
	return r;
}

static int cc_cancel_active(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get_active(cc);
	int r, dropped;

	if (IS_ERR(job))
		return PTR_ERR(job);
	if (mutex_lock_killable(&cc->ctl)) {
		cc_job_put(job);
		return -EINTR;
	}
	dropped = cc_cancel_locked(cc, job);
	mutex_unlock(&cc->ctl);
	r = cc_wait_cancelled(cc, job);
	if (!r && cc_job_is_active(job)) {
		cc_err(cc, "the job will end, but the device is being suspended: cancel it once more afterwards");
		r = -EINTR;
	} else if (!r && READ_ONCE(job->shown_error) != ECANCELED) {
		cc_err(cc, "the job has already ended");
		r = -ENOENT;
	}
	cc_job_put(job);
	return r ? r : dropped;
}

/* The job waits for this, so it does not hold cc->ctl. */
static int cc_complete_active(struct cowchain *cc, struct cc_job *job)
{
	if (!job->active || !job->active->keep || READ_ONCE(job->active->complete)) {
		cc_err(cc, "the job completes by itself");
		return -EINVAL;
	}
	if (!READ_ONCE(job->active->ready)) {
		cc_err(cc, "the job is not ready yet");
		return -EBUSY;
	}
	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	WRITE_ONCE(job->active->complete, true);
	cc_job_save_locked(cc, job);
	mutex_unlock(&cc->ctl);
	wake_up_all(&job->wait);
	return 0;
}

int cc_job_complete(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get_active(cc);
	int r;

	if (IS_ERR(job))
		return PTR_ERR(job);
	r = cc_complete_active(cc, job);
	cc_job_put(job);
	return r;
}

int cc_job_set_speed(struct cowchain *cc, u64 speed)
{
	struct cc_job *job = cc_job_get_active(cc);
	int r;

	if (IS_ERR(job))
		return PTR_ERR(job);
	/* See cc_resume_active(): a job that waited for its speed may end now. */
	r = mutex_lock_killable(&cc->ctl);
	if (!r) {
		cc_job_limit(job, speed);
		cc_job_save_locked(cc, job);
		mutex_unlock(&cc->ctl);
	}
	cc_job_put(job);
	return r;
}

int cc_job_first(struct cowchain *cc, const struct cc_part *parts, unsigned int nr)
{
	struct cc_job *job = cc_job_get_active(cc);
	unsigned int noio;
	int r;

	if (IS_ERR(job))
		return PTR_ERR(job);
	/* The device may be suspended, so memory must not depend on I/O to it. */
	noio = memalloc_noio_save();
	r = cc_first_add(job, parts, nr);
	memalloc_noio_restore(noio);
	if (r == -EINVAL)
		cc_err(cc, "job-first is for a stream, and for parts of the disk that it goes over");
	if (r == -ENOSPC)
		cc_err(cc, "%u parts wait already: send these later", cc_first_count(job));
	cc_job_put(job);
	return r;
}

/* ---------------------------------------------------- one that is recorded */

/* Apply @fn to a job that is recorded in the top's header but is not active. */
static int cc_with_recorded(struct cowchain *cc, int (*fn)(struct cowchain *cc))
{
	unsigned int noio;
	int r;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	noio = memalloc_noio_save();
	r = cc_job_recorded(cc) ? fn(cc) : -ENOENT;
	memalloc_noio_restore(noio);
	mutex_unlock(&cc->ctl);
	return r;
}

/*
 * Even if it was recorded as paused: this message resumes it. Return: as above; 1: it is a commit,
 * which is continued without cc->ctl.
 */
static int cc_resume_recorded(struct cowchain *cc)
{
	return cc_recorded_commit(cc) ? 1 : cc_stream_continue(cc, false);
}

/* The layer below the top with a record, or -1. It may be another one a moment later. */
static int cc_lower_find(struct cowchain *cc)
{
	int lower = -1;

	if (!mutex_lock_killable(&cc->ctl)) {
		lower = cc_lower_recorded(cc);
		mutex_unlock(&cc->ctl);
	}
	return lower;
}

int cc_job_resume(struct cowchain *cc)
{
	int r;

	if (cc_job_active(cc))
		return cc_resume_active(cc);
	r = cc_with_recorded(cc, cc_resume_recorded);
	if (r == 1)
		return cc_commit_continue(cc, false);
	if (r != -ENOENT)
		return r;
	return cc_lower_find(cc) < 0 ? cc_resume_active(cc) : cc_lower_continue(cc, false);
}

static int cc_drop_top_record(struct cowchain *cc)
{
	return cc_record_drop(cc, cc_view_active(cc_view_current(cc)));
}

/* The record is dropped here and not by the job, for which the device may be suspended. */
int cc_job_cancel(struct cowchain *cc)
{
	int r = -ENOENT, dropped, lower;

	if (cc_job_active(cc))
		r = cc_cancel_active(cc);
	dropped = cc_with_recorded(cc, cc_drop_top_record);
	if (r == -ENOENT && dropped == -ENOENT) {
		lower = cc_lower_find(cc);
		if (lower >= 0)
			return cc_stream_forget_lower(cc, lower);
		/* Log that there is none, unless one has been started meanwhile. */
		r = cc_cancel_active(cc);
		dropped = cc_with_recorded(cc, cc_drop_top_record);
	}
	/* The job has ended, but the next activation would start it again. */
	if ((!r || r == -ENOENT) && dropped != -ENOENT)
		r = dropped;
	return r;
}

/*
 * Not in cc_resume(): a job needs a thread, and kthreadd may be waiting for memory and so for I/O
 * of this very device, which continues only after the resume.
 */
void cc_continue_work(struct work_struct *work)
{
	struct cowchain *cc = container_of(work, struct cowchain, continue_work);
	bool commit = false, lower = false;
	unsigned int noio;

	mutex_lock(&cc->ctl);
	noio = memalloc_noio_save();
	if (cc->continue_job && !cc->suspended) {
		cc->continue_job = false;
		/*
		 * A message may have dropped the record while the device was suspended, or started
		 * another job. An error has been logged; the chain can be used without the job.
		 */
		commit = cc_job_recorded(cc) && cc_recorded_commit(cc);
		if (cc_job_recorded(cc) && !commit)
			cc_stream_continue(cc, true);
		else if (!commit)
			lower = cc_lower_recorded(cc) >= 0;
	}
	memalloc_noio_restore(noio);
	mutex_unlock(&cc->ctl);
	if (commit || lower) {
		int r = commit ? cc_commit_continue(cc, true) : cc_lower_continue(cc, true);

		if (r == -EINTR || r == -EAGAIN) {
			/* A suspend came first: the next resume queues this again. */
			mutex_lock(&cc->ctl);
			cc->continue_job = true;
			mutex_unlock(&cc->ctl);
		}
	}
	/* A suspend waits for this work before it looks at the mark. */
	WRITE_ONCE(cc->continuing, false);
	wake_up_all(&cc->wait);
}

int cc_job_await(struct cowchain *cc)
{
	return wait_event_killable(cc->wait, !READ_ONCE(cc->continuing)) ? -EINTR : 0;
}

/* ----------------------------------------------------------------- suspend */

void cc_job_wake(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);

	if (job)
		wake_up_all(&job->wait);
	cc_job_put(job);
}

static void cc_job_set_frozen(struct cc_job *job)
{
	spin_lock_irq(&job->lock);
	WRITE_ONCE(job->frozen, true);
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
}

void cc_job_mark_frozen(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);

	lockdep_assert_held(&cc->ctl);
	if (job)
		cc_job_set_frozen(job);
	cc_job_put(job);
}

/*
 * All that writes for a job checks @frozen: copies under job->lock, the last steps of a stream
 * under cc->ctl. Taking that lock once makes sure that these have ended or will not begin.
 */
void cc_job_freeze(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);

	if (!job)
		return;
	cc_job_set_frozen(job);
	mutex_lock(&cc->ctl);
	mutex_unlock(&cc->ctl);
	wait_event(job->wait, !READ_ONCE(job->writing));
	/* While the guest's I/O continues. Nothing is written after it. */
	cc_job_suspend_target(job);
	cc_job_put(job);
}

void cc_job_unfreeze(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);

	if (!job)
		return;
	spin_lock_irq(&job->lock);
	WRITE_ONCE(job->frozen, false);
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
	cc_job_put(job);
}

/* --------------------------------------------------------------- snapshots */

bool cc_job_bars_snapshot(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);
	bool bars = cc_job_is_active(job) && job->ops->type != QCOW2_IDENT_JOB_STREAM;

	cc_job_put(job);
	return bars;
}

/* A stream into the top, which is to become a layer below it; one that has not done all of it. */
static bool cc_job_is_into_top(struct cowchain *cc, struct cc_job *job)
{
	lockdep_assert_held(&cc->ctl);
	return cc_job_is_active(job) && job->ops->type == QCOW2_IDENT_JOB_STREAM &&
	       job->header && !job->lower;
}

/* Does nothing of it run any more? One that is cancelled does not park. */
static bool cc_job_holds_still(struct cc_job *job)
{
	return !cc_job_is_active(job) ||
	       (READ_ONCE(job->quiet) && !READ_ONCE(job->writing) && !READ_ONCE(job->cancel));
}

/* Return: the job that begins to stop, with a reference, NULL if there is none, or ERR_PTR. */
static struct cc_job *cc_job_begin_hold(struct cowchain *cc)
{
	struct cc_job *job;
	bool into_top;

	if (mutex_lock_killable(&cc->ctl))
		return ERR_PTR(-EINTR);
	job = cc_job_get(cc);
	into_top = cc_job_is_into_top(cc, job);
	if (into_top)
		cc_job_set_frozen(job);
	mutex_unlock(&cc->ctl);
	if (into_top)
		return job;
	cc_job_put(job);
	return NULL;
}

int cc_job_hold(struct cowchain *cc, unsigned long timeout)
{
	struct cc_job *job = cc_job_begin_hold(cc);
	long left;

	if (IS_ERR_OR_NULL(job))
		return PTR_ERR_OR_ZERO(job);
	left = wait_event_killable_timeout(job->wait, cc_job_holds_still(job) ||
					   cc_must_yield(cc), timeout);
	if (left > 0 && !cc_job_holds_still(job))
		left = -EINTR;
	cc_job_put(job);
	if (!left)
		cc_err(cc, "no snapshot was taken: the job has not stopped after %u ms",
		       jiffies_to_msecs(timeout));
	return left > 0 ? 0 : left ? -EINTR : -EBUSY;
}

int cc_job_check_held(struct cowchain *cc, bool *goes_on)
{
	struct cc_job *job = cc_job_get(cc);
	int r = 0;

	lockdep_assert_held(&cc->ctl);
	*goes_on = cc_job_is_into_top(cc, job);
	if (*goes_on && (!READ_ONCE(job->frozen) || !cc_job_holds_still(job))) {
		cc_err(cc, "no snapshot was taken: a job is just ending");
		r = -EBUSY;
	}
	cc_job_put(job);
	return r;
}

void cc_job_adopt(struct cowchain *cc, struct cc_layer *layer)
{
	struct cc_job *job = cc_job_get(cc);

	cc_lower_adopt(job, layer);
	cc_job_put(job);
}

/* ------------------------------------------------------------------ status */

/* Sectors before the first that is still being copied. */
static sector_t cc_job_offset(struct cc_job *job)
{
	sector_t pos = min(READ_ONCE(job->pos), job->len);
	unsigned int i;

	lockdep_assert_held(&job->lock);
	/* After the first pass over the disk, it is what is left that counts. */
	if (job->active && READ_ONCE(job->active->passes))
		return job->state == CC_JOB_CONCLUDED && !job->shown_error ? job->len :
			job->len - min(READ_ONCE(job->active->left), job->len);
	for (i = 0; job->copy && i < CC_NR_COPIES; i++)
		if (READ_ONCE(job->copy[i].busy))
			pos = min(pos, READ_ONCE(job->copy[i].pos));
	return pos;
}

/* How much was read back, "-" if nothing is. */
static unsigned int cc_verified_status(bool verify, s64 verified, char *result, unsigned int maxlen)
{
	unsigned int sz = 0;

	if (verify)
		DMEMIT(" %lld", verified);
	else
		DMEMIT(" -");
	return sz;
}

/* The layer whose record counts: the top, unless only another one has any. cc->lock is held. */
static int cc_recorded_layer(struct cc_view *view)
{
	int top = view->nr - 1, lower = cc_ident_lower(view->layer, view->nr);

	return lower < 0 || q2_ident_has_job(&view->layer[top]->ident) ? top : lower;
}

/* The words of a job that is recorded but not active. */
static unsigned int cc_recorded_status(struct cowchain *cc, char *result, unsigned int maxlen)
{
	struct q2_ident_job record = { .type = QCOW2_IDENT_JOB_NONE };
	unsigned int sz = 0;
	char base[12] = "-";
	int index = -1, top = -1;
	u64 len = 0;
	struct cc_view *view;

	rcu_read_lock();
	view = rcu_dereference(cc->view);
	if (view && view->top) {
		spin_lock_irq(&cc->lock);
		top = cc_recorded_layer(view);
		record = view->layer[top]->ident.job;
		/* The chain may have changed since it was recorded. */
		index = cc_recorded_base(view, &record);
		spin_unlock_irq(&cc->lock);
		len = (u64)view->layer[top]->sectors << SECTOR_SHIFT;
		if (record.type == QCOW2_IDENT_JOB_COMMIT && !record.active)
			top--;
	}
	rcu_read_unlock();
	if (record.type != QCOW2_IDENT_JOB_COMMIT && record.type != QCOW2_IDENT_JOB_STREAM) {
		DMEMIT(" 0");
		return sz;
	}
	if (index >= 0)
		snprintf(base, sizeof(base), "%d", index);
	else if (record.base >= 0)
		snprintf(base, sizeof(base), "%d", record.base);
	DMEMIT(" 10 %s %s %s 0 %llu %llu ok 0",
	       record.type == QCOW2_IDENT_JOB_COMMIT ? "commit" : "stream",
	       cc_job_states[CC_JOB_CREATED], base, len, record.speed);
	sz += cc_verified_status(record.verify, 0, result + sz, maxlen - sz);
	DMEMIT(" %d", top);
	return sz;
}

static const char *cc_job_state_word(struct cc_job *job)
{
	lockdep_assert_held(&job->lock);
	if (job->state == CC_JOB_RUNNING && job->active && job->active->keep &&
	    READ_ONCE(job->active->ready) && !READ_ONCE(job->active->complete))
		return "ready";
	return cc_job_states[job->state];
}

unsigned int cc_job_status(struct cowchain *cc, char *result, unsigned int maxlen)
{
	struct cc_job *job = cc_job_get(cc);
	unsigned int sz = 0;
	char base[12] = "-";

	if (!job)
		return cc_recorded_status(cc, result, maxlen);
	if (job->base >= 0)
		snprintf(base, sizeof(base), "%d", job->base);
	spin_lock_irq(&job->lock);
	DMEMIT(" 10 %s %s %s %llu %llu %llu %s %d", job->ops->name, cc_job_state_word(job), base,
	       (u64)cc_job_offset(job) << SECTOR_SHIFT, (u64)job->len << SECTOR_SHIFT,
	       job->speed, cc_io_statuses[job->io_status], job->shown_error);
	spin_unlock_irq(&job->lock);
	sz += cc_verified_status(job->verify, atomic64_read(&job->verified), result + sz,
				 maxlen - sz);
	DMEMIT(" %d", job->top);
	cc_job_put(job);
	return sz;
}
