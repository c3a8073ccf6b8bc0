// SPDX-License-Identifier: GPL-2.0-only
/*
 * Jobs: their life, and what the thread of a job and its copies use of it. What others ask of a job
 * is in job-control.c, what a stream does in stream.c.
 */
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "active.h"
#include "first.h"
#include "job.h"
#include "track.h"
#include "verify.h"
#include "writer.h"

/* -------------------------------------------------------------------- life */

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

	for (i = 0; copy && i < CC_NR_COPIES; i++) {
		cc_verify_free(&copy[i]);
		for (j = 0; j < CC_COPY_PAGES; j++)
			if (copy[i].pages[j])
				__free_page(copy[i].pages[j]);
	}
	kvfree(copy);
}

/* A concluded job is kept for its status only. */
static void cc_job_release_work(struct cc_job *job)
{
	struct cc_copy *copy;

	if (job->wq)
		destroy_workqueue(job->wq);
	job->wq = NULL;
	if (job->sync_wq)
		destroy_workqueue(job->sync_wq);
	job->sync_wq = NULL;
	mempool_exit(&job->words);
	/* The status line reads the copies under the lock. */
	spin_lock_irq(&job->lock);
	copy = job->copy;
	job->copy = NULL;
	spin_unlock_irq(&job->lock);
	cc_job_free_pages(copy);
}

void cc_job_let_go(struct cc_job *job)
{
	if (job->view && job->ops->own_view)
		cc_view_destroy(job->view);
	else if (job->view)
		cc_view_put(job->view, false);
	job->view = NULL;
	if (job->ops->release)
		job->ops->release(job);
}

/* A thread that was stopped before it ran, or that there never was, has not done this. */
static void cc_job_abandon(struct cc_job *job)
{
	if (job->view)
		job->ops->end(job, -ECANCELED);
	cc_job_let_go(job);
}

struct cc_job *cc_job_create(struct cowchain *cc, const struct cc_job_ops *ops)
{
	struct cc_job *job = kzalloc(sizeof(*job), GFP_KERNEL);

	if (!job)
		return NULL;
	job->cc = cc;
	job->ops = ops;
	job->state = CC_JOB_CREATED;
	refcount_set(&job->refs, 1);
	spin_lock_init(&job->lock);
	mutex_init(&job->target_lock);
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
	cc_job_abandon(job);
	cc_job_release_work(job);
	mutex_destroy(&job->target_lock);
	kfree(job->backing_name);
	cc_first_free(job->first);
	if (job->active)
		cc_track_put(job->active->track);
	kfree(job->active);
	kfree(job);
}

struct cc_job *cc_job_get(struct cowchain *cc)
{
	struct cc_job *job;

	spin_lock_irq(&cc->lock);
	job = cc->job;
	if (job)
		refcount_inc(&job->refs);
	spin_unlock_irq(&cc->lock);
	return job;
}

bool cc_job_active(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);
	bool active = cc_job_is_active(job);

	cc_job_put(job);
	return active;
}

void cc_job_suspend_target(struct cc_job *job)
{
	int r = 0;

	mutex_lock(&job->target_lock);
	if (job->target && job->target->writer)
		cc_writer_suspend(job->target->writer);
	else if (job->target)
		r = blkdev_issue_flush(cc_data_bdev(job->target));
	if (r)
		xchg(&job->lost, r);
	mutex_unlock(&job->target_lock);
}

static void cc_job_stop_thread(struct cc_job *job)
{
	if (!job->task)
		return;
	kthread_stop(job->task);
	put_task_struct(job->task);
	cc_job_abandon(job);
}

void cc_job_discard(struct cc_job *job)
{
	cc_job_stop_thread(job);
	cc_job_put(job);
}

void cc_job_install(struct cowchain *cc, struct cc_job *job)
{
	struct cc_job *old;

	spin_lock_irq(&cc->lock);
	old = cc->job;
	cc->job = job;
	spin_unlock_irq(&cc->lock);
	if (old)
		cc_job_discard(old);
}

int cc_job_make_thread(struct cc_job *job, int (*fn)(void *job))
{
	struct task_struct *task = kthread_create(fn, job, "cowchain_%s", job->ops->name);

	if (IS_ERR(task))
		return PTR_ERR(task);
	get_task_struct(task);
	job->task = task;
	return 0;
}

void cc_job_start(struct cc_job *job)
{
	lockdep_assert_held(&job->cc->ctl);
	cc_job_install(job->cc, job);
	wake_up_process(job->task);
}

/* ------------------------------------------------------- the thread's side */

bool cc_job_must_park(struct cc_job *job)
{
	return READ_ONCE(job->pause) || READ_ONCE(job->frozen) || freezing(current);
}

static bool cc_copy_idle(struct cc_job *job)
{
	unsigned int i;

	for (i = 0; i < CC_NR_COPIES; i++)
		/* Pairs with cc_copy_work(). */
		if (smp_load_acquire(&job->copy[i].busy))
			return false;
	return true;
}

/*
 * Copies read layers below as long as they like. So neither a suspend nor a machine that goes to
 * sleep waits for a layer that does not respond: it waits for the copies that write, and the others
 * do not begin to.
 */
static bool cc_copy_must_wait(struct cc_job *job)
{
	lockdep_assert_held(&job->lock);
	return job->frozen || job->asleep || job->state == CC_JOB_PAUSED;
}

bool cc_job_begin_write(struct cc_job *job)
{
	bool may;

	spin_lock_irq(&job->lock);
	while (!job->cancel && cc_copy_must_wait(job)) {
		DEFINE_WAIT(wait);

		/* Before the lock is released, or a wake-up could be missed. */
		prepare_to_wait(&job->wait, &wait, TASK_IDLE);
		spin_unlock_irq(&job->lock);
		schedule();
		finish_wait(&job->wait, &wait);
		spin_lock_irq(&job->lock);
	}
	may = !job->cancel;
	if (may)
		WRITE_ONCE(job->writing, job->writing + 1);
	spin_unlock_irq(&job->lock);
	return may;
}

int cc_job_try_write(struct cc_job *job)
{
	int r = 0;

	spin_lock_irq(&job->lock);
	if (job->cancel)
		r = -ECANCELED;
	else if (cc_copy_must_wait(job))
		r = -EAGAIN;
	else
		WRITE_ONCE(job->writing, job->writing + 1);
	spin_unlock_irq(&job->lock);
	return r;
}

int cc_job_enter_write(struct cc_job *job)
{
	int r;

	do {
		r = cc_job_gate(job);
		if (!r)
			r = cc_job_try_write(job);
	} while (r == -EAGAIN);
	return r;
}

void cc_job_end_write(struct cc_job *job)
{
	spin_lock_irq(&job->lock);
	WRITE_ONCE(job->writing, job->writing - 1);
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
}

/* Is no copy under way, or none that writes, and none will before the job is resumed? */
static bool cc_job_is_calm(struct cc_job *job)
{
	bool calm;

	if (cc_copy_idle(job))
		return true;
	spin_lock_irq(&job->lock);
	calm = cc_copy_must_wait(job) && !job->writing;
	spin_unlock_irq(&job->lock);
	return calm;
}

bool cc_job_wait_copies(struct cc_job *job)
{
	wait_event(job->wait, cc_copy_idle(job) || cc_job_must_park(job));
	return cc_copy_idle(job);
}

/* Or has it woken up? */
static bool cc_job_fell_asleep(struct cc_job *job)
{
	return freezing(current) != READ_ONCE(job->asleep);
}

/*
 * Wait until no copy writes. A machine that begins to go to sleep, or wakes up, meanwhile changes
 * what has to be waited for; the freezer wakes up this thread.
 */
static void cc_job_calm_down(struct cc_job *job)
{
	do {
		spin_lock_irq(&job->lock);
		WRITE_ONCE(job->asleep, freezing(current));
		spin_unlock_irq(&job->lock);
		/* Copies wait for the mark to be cleared. */
		wake_up_all(&job->wait);
		wait_event(job->wait, cc_job_is_calm(job) || READ_ONCE(job->cancel) ||
			   cc_job_fell_asleep(job));
	} while (!READ_ONCE(job->cancel) && cc_job_fell_asleep(job));
}

/*
 * Park when no copy writes, and set quiet for those who wait for it. If the machine goes to sleep,
 * the thread is frozen here, with no lock held: the memory image of a hibernation must not be older
 * than what a job has written. Copies do not write meanwhile, but all workqueues continue, since
 * the image may be written to a swap on this device.
 */
static void cc_job_park(struct cc_job *job)
{
	/* Nobody may wait for what does not go on. */
	if (job->active)
		cc_track_hold(job->active->track, false);
	cc_job_calm_down(job);
	spin_lock_irq(&job->lock);
	job->quiet = true;
	if (job->pause && !job->cancel)
		WRITE_ONCE(job->state, CC_JOB_PAUSED);
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
	try_to_freeze();
	/* Idle, since this may take any time: no hung task warning, no load. */
	wait_event_idle(job->wait, !cc_job_must_park(job) || freezing(current) ||
			READ_ONCE(job->cancel));
	spin_lock_irq(&job->lock);
	job->asleep = false;
	job->quiet = job->frozen;
	if (!job->pause && job->state == CC_JOB_PAUSED)
		WRITE_ONCE(job->state, CC_JOB_RUNNING);
	spin_unlock_irq(&job->lock);
	wake_up_all(&job->wait);
}

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
	cc_err(job->cc, "%s paused at offset %llu: error %d", job->ops->name,
	       (u64)job->pos << SECTOR_SHIFT, error);
	dm_table_event(job->cc->ti->table);
}

static bool cc_job_throttled(struct cc_job *job, s64 next)
{
	return READ_ONCE(job->next) == next && !READ_ONCE(job->cancel) && !cc_job_must_park(job);
}

/*
 * Copies are due by a schedule: each is due when the ones before it have taken their time at the
 * limit, no matter how late they were started. A timer may be late by some milliseconds and a busy
 * machine by more; if the next copy were due from then on, the job would be slower than the limit,
 * by a half at 100 MB/s. So a job that is late copies without a wait until it has caught up, but
 * with no more than this.
 */
#define CC_MAX_LATE_NS	(NSEC_PER_SEC / 4)

u64 cc_job_throttle(struct cc_job *job, u64 bytes)
{
	u64 cost = 0;

	spin_lock_irq(&job->lock);
	while (job->speed) {
		s64 now = ktime_get_ns(), next = job->next;

		if (now >= next || !cc_job_throttled(job, next)) {
			cost = div64_u64(bytes * NSEC_PER_SEC, job->speed);
			WRITE_ONCE(job->next, max_t(s64, next, now - CC_MAX_LATE_NS) + cost);
			break;
		}
		spin_unlock_irq(&job->lock);
		/* Another limit or a refund sets another time. */
		wait_event_idle_timeout(job->wait, !cc_job_throttled(job, next),
					nsecs_to_jiffies(min_t(u64, next - now, NSEC_PER_SEC)) + 1);
		spin_lock_irq(&job->lock);
	}
	spin_unlock_irq(&job->lock);
	return cost;
}

u32 cc_job_copy_max(struct cc_job *job, u32 unit)
{
	u64 speed = READ_ONCE(job->speed);
	u64 max = CC_COPY_SECTORS;

	if (speed)
		max = min_t(u64, max, speed >> (SECTOR_SHIFT + 2));
	return max_t(u32, max & ~(u64)(unit - 1), unit);
}

void cc_job_refund(struct cc_job *job, u64 ns)
{
	if (!ns)
		return;
	spin_lock_irq(&job->lock);
	WRITE_ONCE(job->next, job->next - ns);
	spin_unlock_irq(&job->lock);
}

void cc_job_limit(struct cc_job *job, u64 speed)
{
	unsigned long flags;

	spin_lock_irqsave(&job->lock, flags);
	WRITE_ONCE(job->speed, speed);
	WRITE_ONCE(job->next, ktime_get_ns());
	spin_unlock_irqrestore(&job->lock, flags);
	wake_up_all(&job->wait);
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
		cc_info(cc, "%s ended at offset %llu: error %d", job->ops->name,
			(u64)job->pos << SECTOR_SHIFT, error);
	wake_up_all(&job->wait);
	dm_table_event(cc->ti->table);
}
