// SPDX-License-Identifier: GPL-2.0-only
/*
 * Jobs: life, control, status.  What a stream does is in stream.c.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "identity.h"
#include "job.h"

static const char * const cc_job_states[] = {
	[CC_JOB_CREATED] = "created", [CC_JOB_RUNNING] = "running",
	[CC_JOB_PAUSED] = "paused", [CC_JOB_ABORTING] = "aborting",
	[CC_JOB_CONCLUDED] = "concluded",
};

static const char * const cc_io_statuses[] = {
	[CC_IO_OK] = "ok", [CC_IO_FAILED] = "failed", [CC_IO_NOSPACE] = "nospace",
};

/* --------------------------------------------------------------------- life */

static bool cc_job_alloc_pages(struct cc_job *job)
{
	unsigned int i, j;

	job->copy = kvcalloc(CC_NR_COPIES, sizeof(*job->copy), GFP_KERNEL);
	for (i = 0; job->copy && i < CC_NR_COPIES; i++) {
		job->copy[i].job = job;
		for (j = 0; j < CC_COPY_PAGES; j++) {
			job->copy[i].pages[j] = alloc_page(GFP_KERNEL);
			if (!job->copy[i].pages[j])
				return false;
		}
	}
	return job->copy;
}

static void cc_job_free_pages(struct cc_copy *copy)
{
	unsigned int i, j;

	for (i = 0; copy && i < CC_NR_COPIES; i++)
		for (j = 0; j < CC_COPY_PAGES; j++)
			if (copy[i].pages[j])
				__free_page(copy[i].pages[j]);
	kvfree(copy);
}

/* A concluded job is kept for its status only. */
static void cc_job_release_work(struct cc_job *job)
{
	struct cc_copy *copy;

	if (job->wq)
		destroy_workqueue(job->wq);
	job->wq = NULL;
	/* The status line looks at what is in flight. */
	spin_lock_irq(&job->lock);
	copy = job->copy;
	job->copy = NULL;
	spin_unlock_irq(&job->lock);
	cc_job_free_pages(copy);
}

struct cc_job *cc_job_create(struct cowchain *cc)
{
	struct cc_job *job = kzalloc(sizeof(*job), GFP_KERNEL);

	if (!job)
		return NULL;
	job->cc = cc;
	job->state = CC_JOB_CREATED;
	job->next = ktime_get();
	refcount_set(&job->refs, 1);
	spin_lock_init(&job->lock);
	init_waitqueue_head(&job->wait);
	job->backing_name = kzalloc(QCOW2_MAX_BACKING_NAME + 1, GFP_KERNEL);
	job->wq = alloc_workqueue("cowchain_copy", WQ_UNBOUND | WQ_MEM_RECLAIM, CC_NR_COPIES);
	if (!job->backing_name || !job->wq || !cc_job_alloc_pages(job)) {
		cc_job_put(job);
		return NULL;
	}
	return job;
}

void cc_job_put(struct cc_job *job)
{
	if (!job || !refcount_dec_and_test(&job->refs))
		return;
	if (job->view)
		cc_view_put(job->view, false);
	cc_job_release_work(job);
	kfree(job->backing_name);
	kfree(job);
}

/* The job everybody sees, with a reference.  Any lock. */
static struct cc_job *cc_job_get(struct cowchain *cc)
{
	struct cc_job *job;

	spin_lock_irq(&cc->lock);
	job = cc->job;
	if (job)
		refcount_inc(&job->refs);
	spin_unlock_irq(&cc->lock);
	return job;
}

static void cc_job_stop_thread(struct cc_job *job)
{
	if (!job->task)
		return;
	kthread_stop(job->task);
	put_task_struct(job->task);
	/* A thread that was stopped before it ran has not done this. */
	if (job->view)
		cc_view_put(job->view, false);
	job->view = NULL;
}

void cc_job_discard(struct cc_job *job)
{
	cc_job_stop_thread(job);
	cc_job_put(job);
}

/* Make @job the one everybody sees; the last one was concluded. */
static void cc_job_install(struct cowchain *cc, struct cc_job *job)
{
	struct cc_job *old;

	spin_lock_irq(&cc->lock);
	old = cc->job;
	cc->job = job;
	spin_unlock_irq(&cc->lock);
	if (old)
		cc_job_discard(old);
}

int cc_job_make_thread(struct cc_job *job)
{
	struct task_struct *task = kthread_create(cc_stream_thread, job, "cowchain_stream");

	if (IS_ERR(task))
		return PTR_ERR(task);
	get_task_struct(task);
	job->task = task;
	return 0;
}

void cc_job_start(struct cc_job *job)
{
	cc_job_install(job->cc, job);
	wake_up_process(job->task);
}

void cc_job_destroy(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);

	if (!job)
		return;
	WRITE_ONCE(job->cancel, true);
	wake_up_all(&job->wait);
	cc_job_install(cc, NULL);
	cc_job_put(job);
}

/* --------------------------------------------------------- the thread's side */

static bool cc_job_must_park(struct cc_job *job)
{
	return READ_ONCE(job->pause) || READ_ONCE(job->frozen);
}

/* Park with all copies done; whoever waits for that sees quiet. */
static void cc_job_park(struct cc_job *job)
{
	wait_event(job->wait, cc_copy_idle(job));
	spin_lock_irq(&job->lock);
	job->quiet = true;
	if (job->pause && !job->cancel)
		WRITE_ONCE(job->state, CC_JOB_PAUSED);
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
	/* For as long as somebody likes: no hung task, no load. */
	wait_event_idle(job->wait, !cc_job_must_park(job) || READ_ONCE(job->cancel));
	spin_lock_irq(&job->lock);
	job->quiet = job->frozen;
	if (!job->pause && job->state == CC_JOB_PAUSED)
		WRITE_ONCE(job->state, CC_JOB_RUNNING);
	spin_unlock_irq(&job->lock);
}

/*
 * @frozen is looked at under the lock last, so that once cc_job_freeze() has
 * seen quiet, nothing starts before cc_job_unfreeze(), not even a cancel's
 * last steps (they do no I/O).
 */
int cc_job_gate(struct cc_job *job)
{
	while (cc_job_must_park(job) && !READ_ONCE(job->cancel))
		cc_job_park(job);
	return READ_ONCE(job->cancel) ? -ECANCELED : 0;
}

void cc_job_failed(struct cc_job *job, sector_t pos, int error)
{
	spin_lock_irq(&job->lock);
	if (!job->error || pos < job->error_pos) {
		WRITE_ONCE(job->error, error);
		job->error_pos = pos;
	}
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
}

int cc_job_drain(struct cc_job *job, sector_t *pos)
{
	int error;

	wait_event(job->wait, cc_copy_idle(job));
	spin_lock_irq(&job->lock);
	error = job->error;
	*pos = job->error_pos;
	WRITE_ONCE(job->error, 0);
	spin_unlock_irq(&job->lock);
	return error;
}

static enum cc_io_status cc_error_status(int error)
{
	return error == -ENOSPC ? CC_IO_NOSPACE : CC_IO_FAILED;
}

void cc_job_stop_on_error(struct cc_job *job, int error)
{
	spin_lock_irq(&job->lock);
	WRITE_ONCE(job->pause, true);
	WRITE_ONCE(job->stopped, true);
	if (!job->cancel)
		WRITE_ONCE(job->state, CC_JOB_PAUSED);
	job->io_status = cc_error_status(error);
	job->shown_error = -error;
	spin_unlock_irq(&job->lock);
	cc_err(job->cc, "stream paused at offset %llu: error %d",
	       (u64)job->pos << SECTOR_SHIFT, error);
	dm_table_event(job->cc->ti->table);
}

static bool cc_job_must_wake(struct cc_job *job, u64 speed)
{
	return READ_ONCE(job->cancel) || cc_job_must_park(job) || READ_ONCE(job->speed) != speed;
}

void cc_job_throttle(struct cc_job *job, u64 bytes)
{
	u64 speed = READ_ONCE(job->speed);
	ktime_t now = ktime_get();

	while (speed && ktime_before(now, READ_ONCE(job->next)) &&
	       !READ_ONCE(job->cancel) && !cc_job_must_park(job)) {
		u64 ms = ktime_to_ms(ktime_sub(READ_ONCE(job->next), now));

		wait_event_idle_timeout(job->wait, cc_job_must_wake(job, speed),
					msecs_to_jiffies(min_t(u64, ms + 1, 1000)));
		if (READ_ONCE(job->speed) != speed)
			WRITE_ONCE(job->next, ktime_get());
		speed = READ_ONCE(job->speed);
		now = ktime_get();
	}
	if (speed)
		job->next = ktime_add_ns(now, div64_u64(bytes * NSEC_PER_SEC, speed));
}

void cc_job_conclude(struct cc_job *job, int error)
{
	struct cowchain *cc = job->cc;

	cc_job_release_work(job);
	spin_lock_irq(&job->lock);
	job->quiet = true;
	if (error && error != -ECANCELED)
		job->io_status = cc_error_status(error);
	job->shown_error = -error;
	WRITE_ONCE(job->state, CC_JOB_CONCLUDED);
	spin_unlock_irq(&job->lock);
	if (error)
		cc_info(cc, "stream ended at offset %llu: error %d",
			(u64)job->pos << SECTOR_SHIFT, error);
	wake_up_all(&job->wait);
	dm_table_event(cc->ti->table);
}

/* ------------------------------------------------------------------- control */

static bool cc_job_is_active(struct cc_job *job)
{
	return job && READ_ONCE(job->state) != CC_JOB_CONCLUDED;
}

bool cc_job_active(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);
	bool active = cc_job_is_active(job);

	cc_job_put(job);
	return active;
}

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

/* Or somebody has resumed it meanwhile, or it has ended. */
static bool cc_job_pause_done(struct cc_job *job)
{
	return READ_ONCE(job->state) == CC_JOB_PAUSED || !READ_ONCE(job->pause) ||
	       READ_ONCE(job->cancel) || !cc_job_is_active(job);
}

/* What a user has changed holds for a later continuation, too. */
static void cc_job_save(struct cowchain *cc, struct cc_job *job)
{
	struct cc_layer *top;
	unsigned int noio;

	mutex_lock(&cc->ctl);
	noio = memalloc_noio_save();
	if (cc_job_is_active(job) && !READ_ONCE(job->cancel) && READ_ONCE(cc->mode) == CC_RW) {
		top = cc_view_active(cc_view_current(cc));
		/* One that an error has stopped is tried again by the next activation. */
		cc_ident_save_job(top, READ_ONCE(job->speed),
				  READ_ONCE(job->pause) && !READ_ONCE(job->stopped));
	}
	memalloc_noio_restore(noio);
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
	/* Parked already, for a suspend: it will not look again by itself. */
	if (job->quiet && job->state == CC_JOB_RUNNING)
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

int cc_job_resume(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get_active(cc);
	int r = 0;

	if (IS_ERR(job))
		return PTR_ERR(job);
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
	if (r) {
		cc_err(cc, "the job is not paused");
	} else {
		cc_job_save(cc, job);
		dm_table_event(cc->ti->table);
	}
	cc_job_put(job);
	return r;
}

int cc_job_cancel(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get_active(cc);
	int r;

	if (IS_ERR(job))
		return PTR_ERR(job);
	spin_lock_irq(&job->lock);
	WRITE_ONCE(job->cancel, true);
	if (cc_job_is_active(job))
		WRITE_ONCE(job->state, CC_JOB_ABORTING);
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
	r = wait_event_killable(job->wait, !cc_job_is_active(job));
	if (!r && READ_ONCE(job->shown_error) != ECANCELED) {
		cc_err(cc, "the job had ended already");
		r = -ENOENT;
	}
	cc_job_put(job);
	return r;
}

int cc_job_set_speed(struct cowchain *cc, u64 speed)
{
	struct cc_job *job = cc_job_get_active(cc);

	if (IS_ERR(job))
		return PTR_ERR(job);
	WRITE_ONCE(job->speed, speed);
	wake_up_all(&job->wait);
	cc_job_save(cc, job);
	cc_job_put(job);
	return 0;
}

/*
 * The last steps of a stream run under cc->ctl and look at @frozen there; one
 * turn of the lock makes sure that they are over or will not begin.
 */
void cc_job_freeze(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);

	if (!job)
		return;
	spin_lock_irq(&job->lock);
	WRITE_ONCE(job->frozen, true);
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
	mutex_lock(&cc->ctl);
	mutex_unlock(&cc->ctl);
	wait_event(job->wait, READ_ONCE(job->quiet));
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

/* ------------------------------------------------------------------- status */

/* Sectors before the first that is still being copied. */
static sector_t cc_job_offset(struct cc_job *job)
{
	sector_t pos = min(READ_ONCE(job->pos), job->len);
	unsigned int i;

	lockdep_assert_held(&job->lock);
	for (i = 0; job->copy && i < CC_NR_COPIES; i++)
		if (READ_ONCE(job->copy[i].busy))
			pos = min(pos, READ_ONCE(job->copy[i].pos));
	return pos;
}

/* One that is recorded but was not continued. */
static unsigned int cc_recorded_status(struct cowchain *cc, char *result, unsigned int maxlen)
{
	struct q2_ident_job record = { .type = QCOW2_IDENT_JOB_NONE };
	unsigned int sz = 0;
	char base[12] = "-";
	int index = -1;
	u64 len = 0;
	struct cc_view *view;

	rcu_read_lock();
	view = rcu_dereference(cc->view);
	if (view && view->top) {
		spin_lock_irq(&cc->lock);
		record = cc_view_active(view)->ident.job;
		/* The chain may be another than when it was recorded. */
		index = cc_recorded_base(view, &record);
		spin_unlock_irq(&cc->lock);
		len = (u64)view->sectors << SECTOR_SHIFT;
	}
	rcu_read_unlock();
	if (!record.type) {
		DMEMIT(" 0");
		return sz;
	}
	if (index >= 0)
		snprintf(base, sizeof(base), "%d", index);
	else if (record.base >= 0)
		snprintf(base, sizeof(base), "%d", record.base);
	DMEMIT(" 8 stream %s %s 0 %llu %llu ok 0", cc_job_states[CC_JOB_CREATED], base, len,
	       record.speed);
	return sz;
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
	DMEMIT(" 8 stream %s %s %llu %llu %llu %s %d", cc_job_states[job->state], base,
	       (u64)cc_job_offset(job) << SECTOR_SHIFT, (u64)job->len << SECTOR_SHIFT,
	       job->speed, cc_io_statuses[job->io_status], job->shown_error);
	spin_unlock_irq(&job->lock);
	cc_job_put(job);
	return sz;
}
