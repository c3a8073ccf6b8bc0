// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commit of the top: copies it down into the base while the guest writes to it, and then lets the
 * base take its place: [A] -> [B] -> [C] becomes [A], which the guest writes from then on.
 *
 * Passes: writes are tracked (track.c). A pass copies all that is dirty when it comes by; the
 * first is over everything. If the next has not half as much to do, the guest may be faster than
 * this, so its writes are held from then on until the job has got further: each pass then has at
 * most half of the one before, and what is in flight. With so little left, the writes wait, the
 * rest is copied, and the base becomes the top.
 *
 * Crash: whatever is in the base was written by the guest, there or above it. As long as the base
 * is marked as a job's target, the chain with the old top is right, and no other: the old top
 * shadows what it has made durable; what it has not was not flushed, and may be new in the base.
 * The mark goes with one write, when the base has everything durably and nothing is written:
 * before it the old chain is right, after it the new one, and both read the same.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "active.h"
#include "defer.h"
#include "identity.h"
#include "merge.h"
#include "scan.h"
#include "top.h"
#include "track.h"
#include "writer.h"

/* Pieces that are copied while writes wait: 1 MiB. */
#define CC_ACTIVE_FEW	16

/* Sectors that are copied so if they are what is in flight: 64 MiB. */
#define CC_ACTIVE_MOST	131072

/* How far one step looks, so that it sees a pause: 32 MiB. */
#define CC_ACTIVE_LOOK	65536

/* ------------------------------------------------------------------ passes */

/* From job->pos on nothing has been copied, up to where the pieces end that were cleared. */
static void cc_active_give_back(struct cc_job *job)
{
	sector_t end = min(job->active->end, job->len);

	if (job->pos < end)
		cc_track_mark(job->active->track, job->pos, end - job->pos);
}

int cc_active_step(struct cc_job *job)
{
	struct cc_active *a = job->active;
	sector_t pos = job->pos;
	u32 max = CC_ACTIVE_LOOK;
	int r;

	/* Whoever is held waits for pieces to be cleared, so not long before they are copied. */
	if (cc_active_urgent(job))
		max = CC_COPY_SECTORS;
	if (pos >= a->end) {
		if (!cc_track_take(a->track, &pos, &a->end, max)) {
			WRITE_ONCE(job->pos, job->len);
			return 0;
		}
		WRITE_ONCE(job->pos, pos);
		WRITE_ONCE(a->left, (sector_t)cc_track_dirty(a->track) << a->track->shift);
	}
	r = cc_merge_step(job);
	if (r)
		cc_active_give_back(job);
	return r;
}

/* Writes are held only while this copies. Whoever parks the job lets them go. */
static void cc_active_pass(struct cc_job *job, u64 dirty, bool urgent)
{
	struct cc_active *a = job->active;

	a->before = dirty;
	a->end = 0;
	WRITE_ONCE(a->left, (sector_t)dirty << a->track->shift);
	WRITE_ONCE(a->passes, a->passes + 1);
	WRITE_ONCE(job->pos, 0);
	cc_track_hold(a->track, urgent);
}

static bool cc_active_kept(struct cc_active *a)
{
	return a->keep && !READ_ONCE(a->complete);
}

static void cc_active_set_ready(struct cc_job *job)
{
	if (READ_ONCE(job->active->ready))
		return;
	WRITE_ONCE(job->active->ready, true);
	dm_table_event(job->cc->ti->table);
}

/* Until something may be dirty, or a user has decided. */
#define CC_ACTIVE_IDLE	(HZ / 5)

static void cc_active_idle(struct cc_job *job)
{
	wait_event_idle_timeout(job->wait, !cc_active_kept(job->active) ||
				READ_ONCE(job->cancel) || cc_job_must_park(job), CC_ACTIVE_IDLE);
}

/*
 * Make most of it durable before the writes are held for the last passes, and before they wait: the
 * base may have much in its caches.
 */
static int cc_active_sync(struct cc_job *job)
{
	int r = cc_job_try_write(job);

	if (r)
		return r;
	r = cc_writer_sync(job->target->writer);
	cc_job_end_write(job);
	job->active->synced = !r;
	return r;
}

/*
 * If a pass with held writes leaves about as much as the one before, that is what is in flight. It
 * is copied while writes wait, so there is a limit; with more in flight there are more passes.
 */
static bool cc_active_converged(struct cc_active *a, u64 dirty)
{
	return READ_ONCE(a->track->hold) && dirty > a->before - a->before / 4 &&
	       dirty << a->track->shift <= CC_ACTIVE_MOST;
}

/*
 * Another pass? Held writes add no more than half of what a pass has copied, and what was in flight
 * when it began. If a pass has not had less than about that, only what is in flight is left.
 *
 * Return: 1 for another one, 0 if the rest can be copied while writes wait, or -errno.
 */
int cc_active_again(struct cc_job *job)
{
	struct cc_active *a = job->active;
	u64 dirty = cc_track_dirty(a->track);
	bool few = dirty <= CC_ACTIVE_FEW;
	bool stuck = a->passes && dirty > a->before / 2;
	int r;

	if (few)
		cc_active_set_ready(job);
	if (cc_active_kept(a)) {
		if (few)
			cc_active_idle(job);
		a->synced = false;
		cc_active_pass(job, dirty, false);
		return 1;
	}
	if ((few || stuck) && !a->synced) {
		r = cc_active_sync(job);
		/* It was asked to park first. */
		if (r && r != -EAGAIN)
			return r;
		cc_active_pass(job, cc_track_dirty(a->track), !r);
		return 1;
	}
	if (a->synced && (few || cc_active_converged(a, dirty)))
		return 0;
	cc_active_pass(job, dirty, a->synced);
	return 1;
}

/* ------------------------------------------------------------------- pivot */

/* The base and what is below it. */
static struct cc_view *cc_active_view(struct cc_job *job, struct cc_view *old)
{
	struct cc_layer **layers = kcalloc(job->base + 1, sizeof(*layers), GFP_KERNEL);
	struct cc_view *now;

	if (!layers)
		return NULL;
	memcpy(layers, old->layer, job->base * sizeof(*layers));
	layers[job->base] = job->target;
	now = cc_view_create(job->cc, layers, job->base + 1, NULL);
	kfree(layers);
	return now;
}

static bool cc_active_gives_up(struct cc_job *job)
{
	return READ_ONCE(job->active->give_up) || READ_ONCE(job->cancel) ||
	       cc_job_must_park(job);
}

/* No write is under way, so this pass leaves nothing. */
static int cc_active_rest(struct cc_job *job)
{
	int r;

	job->active->end = 0;
	WRITE_ONCE(job->pos, 0);
	while (job->pos < job->len) {
		/* The walk sees the error of a copy, and acts on it. */
		if (cc_active_gives_up(job) || READ_ONCE(job->error))
			return -EAGAIN;
		r = cc_active_step(job);
		if (r)
			return r;
	}
	/* Copies may wait for the end of a suspend, which waits for this. */
	return cc_job_wait_copies(job) && !READ_ONCE(job->error) ? 0 : -EAGAIN;
}

/*
 * In a work item, which nobody has to wait for: a layer below, or the base, may not answer. Copies
 * that are under way end all the same.
 */
static void cc_active_rest_work(struct work_struct *work)
{
	struct cc_active *a = container_of(work, struct cc_active, rest);

	a->rest_error = cc_active_rest(a->job);
	complete(&a->rest_done);
}

static int cc_active_copy_rest(struct cc_job *job, unsigned long until)
{
	struct cc_active *a = job->active;

	reinit_completion(&a->rest_done);
	queue_work(a->rest_wq, &a->rest);
	if (!wait_for_completion_timeout(&a->rest_done, max_t(long, until - jiffies, 1)))
		return -EBUSY;
	return a->rest_error;
}

static int cc_active_drain(struct cc_job *job, struct cc_view *old)
{
	unsigned int ms = cc_pause_limit();
	unsigned long until = jiffies + msecs_to_jiffies(ms);
	int r;

	/* What is held has been written; its end is all that the view waits for. */
	cc_track_hold(job->active->track, false);
	r = cc_users_try_drain(&old->writers, msecs_to_jiffies(ms));
	if (!r)
		r = cc_active_copy_rest(job, until);
	if (!r)
		r = cc_writer_try_sync(job->target->writer, max_t(long, until - jiffies, 1));
	/* So that nothing of the old top is left for later. */
	if (!r)
		r = cc_writer_try_sync(cc_view_active(old)->writer,
				       max_t(long, until - jiffies, 1));
	if (r == -EBUSY)
		cc_err(job->cc, "the base did not become the top: writes to the old top, or copies of them, have not ended after %u ms",
		       ms);
	return r;
}

/*
 * 1. New writes of the guest wait; those under way end.
 * 2. What they have made dirty is copied, and the base becomes durable: it has all of it.
 * 3. The header of the base says that it is the top: see above.
 * 4. The base takes over what the next flush has to report, and what a writer of the top works
 * with.
 * 5. The new view is published, and the writes go on in it.
 *
 * If one of 1 to 3 fails, or if 1 or 2 takes too long, the writes go on in the old view, and are
 * tracked. 3 has no limit: the write may have been done, so its outcome must be known before the
 * writes go on in either view.
 *
 * Reads that have begun in the old view end there. Its layers have what was there when they were
 * submitted: nobody writes to them any more but to the base, and what a new write changes there
 * was not read from the base in the old view, or is read while it is written.
 */
static int cc_active_switch(struct cc_job *job, struct cc_view *old, struct cc_view *now)
{
	struct cc_layer *target = job->target, *top = cc_view_active(old);
	struct cowchain *cc = job->cc;
	int r;

	cc_pause_bios(cc);
	r = cc_active_drain(job, old);
	if (!r)
		r = cc_ident_pivot(target, job->base ? old->layer[job->base - 1] : NULL);
	if (!r) {
		cc_top_promote(target);
		cc_top_demote(top);
		cc_writer_set_owed(target->writer, cc_writer_owes(top->writer));
		rcu_assign_pointer(cc->view, now);
	} else {
		cc_users_revive(&old->writers);
	}
	cc_unpause_bios(cc, "commit", r);
	return r;
}

struct cc_view *cc_active_complete(struct cc_job *job, struct cc_view *old)
{
	/* Memory must not depend on writes that wait. */
	unsigned int noio = memalloc_noio_save();
	struct cowchain *cc = job->cc;
	struct cc_layer *top = cc_view_active(old);
	struct cc_view *now = cc_active_view(job, old);
	int r = now ? 0 : -ENOMEM;

	lockdep_assert_held(&cc->ctl);
	WRITE_ONCE(job->active->give_up, false);
	WRITE_ONCE(job->active->pivoting, true);
	/* No table may be loaded that would write to it. */
	if (!r)
		r = cc_layer_seal(top);
	if (!r) {
		percpu_ref_switch_to_atomic_sync(&old->writers.ref);
		cc_stop_scan(cc);
		r = cc_active_switch(job, old, now);
		cc_start_scan(cc);
		if (r)
			cc_layer_unseal(top);
	}
	WRITE_ONCE(job->active->pivoting, false);
	WRITE_ONCE(job->active->give_up, true);
	if (r) {
		percpu_ref_switch_to_percpu(&old->writers.ref);
		cc_view_destroy(now);
		/* The next pass syncs again what a long pause was for. */
		job->active->synced = false;
	} else {
		job->active->running = false;
		job->active->tracked = NULL;
		cc_ident_pivoted(top);
	}
	memalloc_noio_restore(noio);
	return r ? ERR_PTR(r) : now;
}

void cc_active_undo(struct cc_job *job)
{
	struct cc_active *a = job->active;

	flush_work(&a->rest);
	/* The next pass begins anew. What was cleared and not copied is dirty. */
	cc_active_give_back(job);
	a->end = 0;
	WRITE_ONCE(job->pos, job->len);
}

/* -------------------------------------------------------------------- life */

int cc_active_create(struct cc_job *job, bool keep)
{
	struct cc_view *view = job->view;
	struct cc_active *a = kzalloc(sizeof(*a), GFP_KERNEL);

	job->active = a;
	if (!a)
		return -ENOMEM;
	a->job = job;
	a->keep = keep;
	INIT_WORK(&a->rest, cc_active_rest_work);
	init_completion(&a->rest_done);
	a->track = cc_track_create(view->sectors);
	a->rest_wq = alloc_workqueue("cowchain_rest", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	a->tracked = cc_view_create(job->cc, view->layer, view->nr, view->below);
	a->plain = cc_view_create(job->cc, view->layer, view->nr, view->below);
	if (!a->track || !a->rest_wq || !a->tracked || !a->plain)
		return -ENOMEM;
	cc_view_set_track(a->tracked, a->track);
	return 0;
}

/* Return: 0 with cc->ctl, or -ECANCELED. */
static int cc_active_lock(struct cc_job *job)
{
	int r;

	for (;;) {
		r = cc_job_gate(job);
		if (r)
			return r;
		mutex_lock(&job->cc->ctl);
		if (!READ_ONCE(job->frozen) && !READ_ONCE(job->cancel))
			return 0;
		mutex_unlock(&job->cc->ctl);
	}
}

/*
 * Nothing is copied before all writes are tracked: those that are not have a reference to the view
 * before, and wait for nothing but the top. Reads may still have one, and end there.
 */
int cc_active_begin(struct cc_job *job)
{
	struct cc_active *a = job->active;
	struct cc_view *old = job->view;
	int r = cc_active_lock(job);

	if (r)
		return r;
	percpu_ref_get(&a->tracked->readers.ref);
	cc_view_publish(job->cc, a->tracked);
	a->running = true;
	job->view = a->tracked;
	mutex_unlock(&job->cc->ctl);
	cc_view_retire_all(old, a->tracked);
	wait_for_completion(&old->writers.gone);
	cc_view_put(old, false);
	return 0;
}

/*
 * The chain goes on as it was. What is dirty, or was copied, is of no use to anybody.
 *
 * A bio that was held has been written, and ends. Writes that are under way mark this track: the
 * next job would not hear of them, nor would the drain of a snapshot. So they are waited for; they
 * wait for nothing but the top. (job->view is this view, so it is still there.)
 */
static void cc_active_abandon(struct cc_job *job)
{
	struct cc_active *a = job->active;
	struct cowchain *cc = job->cc;

	mutex_lock(&cc->ctl);
	cc_view_publish(cc, a->plain);
	mutex_unlock(&cc->ctl);
	cc_track_hold(a->track, false);
	cc_view_retire_all(a->tracked, a->plain);
	wait_for_completion(&a->tracked->writers.gone);
	a->plain = NULL;
	a->tracked = NULL;
	a->running = false;
}

void cc_active_end(struct cc_job *job)
{
	struct cc_active *a = job->active;

	if (!a)
		return;
	if (a->running)
		cc_active_abandon(job);
	cc_view_destroy(a->tracked);
	cc_view_destroy(a->plain);
	a->tracked = NULL;
	a->plain = NULL;
	if (a->rest_wq)
		destroy_workqueue(a->rest_wq);
	a->rest_wq = NULL;
}
