// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshot: a new, empty top on the live chain, atomically under I/O.
 *
 * All at once by one message, or in two steps, so that several chains can be switched at the same
 * time (round.c): what takes long is done by "snapshot-prepare", and the rest when "snapshot-
 * commit" comes, by a work item of each chain. In between, cc->snapshot keeps the chain as it is,
 * bios go on, and cc->prepared has the next view. It is given up by an abort, when its time is
 * over, or by a suspend, so that a chain whose table may be exchanged or destroyed has none.
 */
#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "defer.h"
#include "identity.h"
#include "job-control.h"
#include "load.h"
#include "mode.h"
#include "round.h"
#include "scan.h"
#include "snapshot.h"
#include "trim.h"
#include "writer.h"

/* Between its two steps the whole chain is as before, but jobs are refused. */
static unsigned int cc_snapshot_prepared_ms = 60000;
module_param_named(snapshot_prepared_ms, cc_snapshot_prepared_ms, uint, 0644);
MODULE_PARM_DESC(snapshot_prepared_ms, "Longest time in milliseconds for which a prepared snapshot waits to be committed");

static unsigned int cc_prepared_limit(void)
{
	return clamp(READ_ONCE(cc_snapshot_prepared_ms), 1U, 3600000U);
}

static int cc_snapshot_check(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);
	int r = cc_check_live(cc);

	lockdep_assert_held(&cc->ctl);
	if (r)
		return r;
	/* Before the jobs: one that is recorded could be neither continued nor cancelled. */
	if (!view->top || READ_ONCE(cc->mode) != CC_RW) {
		cc_err(cc, "the chain is read-only");
		return -EROFS;
	}
	if (cc_job_bars_snapshot(cc)) {
		cc_err(cc, "a commit is running: wait for it or cancel it first");
		return -EBUSY;
	}
	if (cc_job_recorded(cc)) {
		cc_err(cc, "a job is recorded in the top: continue or cancel it first");
		return -EBUSY;
	}
	if (view->nr == CC_MAX_LAYERS) {
		cc_err(cc, "the chain has %u layers already", CC_MAX_LAYERS);
		return -E2BIG;
	}
	return 0;
}

static int cc_snapshot_load(struct cowchain *cc, struct cc_layer *layer)
{
	int r;

	r = cc_check_limits(cc, layer, true);
	if (!r)
		r = cc_layer_load(layer);
	if (r)
		return r;
	r = cc_check_size(cc, layer);
	if (!r)
		r = cc_check_blocks(cc, layer, bdev_logical_block_size(dm_disk(cc->md)->part0));
	/* Its parent need not be checked, since an empty image gets a new one. */
	if (!r)
		r = cc_ident_check_top(layer);
	if (r)
		return r;
	r = cc_top_attach(layer);
	if (r)
		return r;
	/* Validate all of it now, while the guest's I/O continues. */
	return cc_top_scan(layer->top, 0, layer->top->nr_blocks, CC_SCAN_EMPTY);
}

static struct cc_view *cc_snapshot_view(struct cowchain *cc, struct cc_view *view,
					struct cc_layer *layer)
{
	struct cc_layer **layers = kcalloc(view->nr + 1, sizeof(*layers), GFP_KERNEL);
	struct cc_view *new;

	if (!layers)
		return NULL;
	memcpy(layers, view->layer, view->nr * sizeof(*layers));
	layers[view->nr] = layer;
	new = cc_view_create(cc, layers, view->nr + 1, NULL);
	kfree(layers);
	return new;
}

static void cc_snapshot_log(struct cowchain *cc, int r, unsigned int ms)
{
	if (r == -EINTR)
		cc_err(cc, "no snapshot was taken: it was interrupted, or the device is being suspended");
	else if (r == -EBUSY)
		cc_err(cc, "no snapshot was taken: writes to the old top, or its commit, have not ended after %u ms",
		       ms);
	else
		cc_err(cc, "cannot commit the old top: error %d", r);
}

/* Most of the sync, before bios have to wait for the rest. */
static int cc_snapshot_sync(struct cc_view *old, unsigned long timeout)
{
	int r = cc_writer_try_sync(cc_view_active(old)->writer, timeout);

	if (r)
		cc_snapshot_log(cc_view_active(old)->cc, r, jiffies_to_msecs(timeout));
	return r;
}

/*
 * Do what can be done before bios have to wait: most of the sync, and leaving the percpu mode of
 * the reference, which takes an RCU grace period. cc_snapshot_undo() takes it back.
 */
static int cc_snapshot_prepare_old(struct cc_view *old)
{
	percpu_ref_switch_to_atomic_sync(&old->writers.ref);
	return cc_snapshot_sync(old, MAX_SCHEDULE_TIMEOUT);
}

static void cc_snapshot_undo(struct cowchain *cc, struct cc_view *new)
{
	lockdep_assert_held(&cc->ctl);
	percpu_ref_switch_to_percpu(&cc_view_current(cc)->writers.ref);
	cc_view_destroy(new);
}

/*
 * Wait until the writers are gone and the old top is complete. All writes of the guest wait
 * meanwhile, so this ends at @end, in jiffies, and can be interrupted. Writers wait for nothing but
 * the top, which may not respond.
 */
static int cc_snapshot_drain(struct cc_view *old, unsigned long end)
{
	int r = cc_users_try_drain(&old->writers, max_t(long, end - jiffies, 1));

	if (!r)
		r = cc_writer_try_sync(cc_view_active(old)->writer,
				       max_t(long, end - jiffies, 1));
	return r;
}

/*
 * 1. New bios wait, except for reads.
 * 2. Those under way end.
 * 3. Their bits become durable: the old top is complete, and nobody writes to it any more.
 * 4. All chains of the round have come that far.
 * 5. The new top's writer takes over what a flush has to report. Before that no flush of the guest
 *    can reach it, after that none can reach the old one.
 * 6. The new view is published.
 * 7. Bios that waited continue in the new view.
 *
 * If 2, 3 or 4 fails or takes too long, everything is as before: the writers of the old view are
 * alive again, and bios that waited continue there.
 *
 * Reads that have begun in the old view end there, and only the message waits for them. They return
 * what was there when they were submitted; writes that they do not see ended later.
 *
 * After a crash at any point the old top is as after any other crash, and the new one is empty.
 */
static int cc_snapshot_switch(struct cowchain *cc, struct cc_view *new, struct cc_round *round,
			      unsigned long end)
{
	struct cc_view *old = cc_view_current(cc);
	unsigned long begin = jiffies;
	int own, r;

	cc_pause_bios(cc);
	own = cc_snapshot_drain(old, end);
	r = cc_round_agree(round, cc, end, own);
	if (r) {
		cc_users_revive(&old->writers);
	} else {
		cc_writer_set_owed(cc_view_active(new)->writer,
				   cc_writer_owes(cc_view_active(old)->writer));
		rcu_assign_pointer(cc->view, new);
	}
	cc_unpause_bios(cc, "snapshot", r);
	if (own)
		cc_snapshot_log(cc, own, jiffies_to_msecs(end - begin));
	return r;
}

/* The old top is sealed. */
static int cc_snapshot_together(struct cowchain *cc, struct cc_view *new, struct cc_round *round)
{
	unsigned long end;
	int r;

	/* The scan would delay the drain; the new top has been counted already. */
	cc_stop_scan(cc);
	r = cc_round_ready(round, cc, cc_pause_limit(), &end);
	if (!r)
		r = cc_snapshot_switch(cc, new, round, end);
	if (r)
		cc_start_scan(cc);
	return r;
}

static int cc_snapshot_publish(struct cowchain *cc, struct cc_view *new, struct cc_round *round,
			       bool job)
{
	struct cc_layer *sealed = cc_view_active(cc_view_current(cc));
	/* Not while bios wait: it takes a lock that all chains share. */
	int r = cc_layer_seal(sealed);

	if (r)
		return r;
	r = cc_ident_seal(sealed, job);
	if (!r) {
		r = cc_snapshot_together(cc, new, round);
		if (r)
			cc_ident_unseal(sealed);
	}
	if (r)
		cc_layer_unseal(sealed);
	return r;
}

/* Make the next view, with a layer that was loaded on top. Return: the view or ERR_PTR. */
static struct cc_view *cc_snapshot_make(struct cowchain *cc, struct cc_layer *layer)
{
	struct cc_view *old = cc_view_current(cc);
	struct cc_view *new;
	int r;

	lockdep_assert_held(&cc->ctl);
	layer->slot = cc_view_free_slot(old);
	new = cc_snapshot_view(cc, old, layer);
	if (!new)
		return ERR_PTR(-ENOMEM);
	r = cc_snapshot_prepare_old(old);
	if (!r)
		r = cc_ident_set_below(layer, cc_view_active(old));
	if (r) {
		cc_snapshot_undo(cc, new);
		return ERR_PTR(r);
	}
	return new;
}

/* The old top is complete from here on, and others may read it. */
static void cc_snapshot_seal(struct cc_view *old)
{
	struct cc_layer *sealed = cc_view_active(old);

	cc_layer_sealed(sealed);
	cc_view_retire(old, sealed);
}

/*
 * The old top shows all that it ever will, but a job still copies into it what it shows. So it
 * keeps its map and its writer, and no other chain may read it yet.
 */
static void cc_snapshot_hand_over(struct cowchain *cc, struct cc_view *old)
{
	struct cc_layer *sealed = cc_view_active(old);

	cc_layer_unseal(sealed);
	cc_job_adopt(cc, sealed);
	cc_view_retire(old, NULL);
}

/* Make that the current view, at the same time as others do so in @round, which may be NULL. */
static int cc_snapshot_take(struct cowchain *cc, struct cc_view *new, struct cc_round *round)
{
	struct cc_view *old = cc_view_current(cc);
	struct cc_layer *sealed = cc_view_active(old);
	bool job;
	int r;

	lockdep_assert_held(&cc->ctl);
	r = cc_job_check_held(cc, &job);
	if (!r)
		r = cc_snapshot_publish(cc, new, round, job);
	if (r) {
		cc_snapshot_undo(cc, new);
		return r;
	}
	/* What was discarded since cc_snapshot_trim(). */
	cc_trims_stop(sealed->writer);
	if (job)
		cc_snapshot_hand_over(cc, old);
	else
		cc_snapshot_seal(old);
	return 0;
}

/* --------------------------------------------------------- begin, load, end */

/* From here on the chain stays as it is until cc_snapshot_end(). */
static int cc_snapshot_begin(struct cowchain *cc)
{
	int r;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	/* A table that was never resumed has no chain yet. */
	r = cc_view_current(cc) ? cc_snapshot_check(cc) : -ENXIO;
	/* Pairs with cc_snapshot_end(). */
	if (!r && smp_load_acquire(&cc->snapshot)) {
		if (cc->prepared)
			cc_err(cc, "a snapshot is prepared: send snapshot-commit or snapshot-abort first");
		else
			cc_err(cc, "a snapshot is being taken, or a commit is starting");
		r = -EBUSY;
	}
	/* The suspend waits until no snapshot is being taken. */
	if (!r && cc_must_yield(cc)) {
		r = -EINTR;
		cc_snapshot_log(cc, r, 0);
	}
	if (!r)
		WRITE_ONCE(cc->snapshot, true);
	mutex_unlock(&cc->ctl);
	return r;
}

static void cc_snapshot_end(struct cowchain *cc)
{
	/* It may have been held. */
	cc_job_unfreeze(cc);
	/* Pairs with cc_stream_start() and cc_snapshot_begin(), which read it under cc->ctl. */
	smp_store_release(&cc->snapshot, false);
	wake_up_all(&cc->wait);
	/* Its end waits for this. */
	cc_job_wake(cc);
}

/*
 * Give back what has been discarded in the old top, as far as that does not take long. It stays the
 * top as long as cc->snapshot is set and the new one is not published.
 */
static void cc_snapshot_trim(struct cowchain *cc)
{
	struct cc_view *view = cc_view_get(cc, false);

	/* A suspend that waits does the same. */
	if (!cc_must_yield(cc))
		cc_trims_finish(cc_view_active(view)->writer, CC_TRIM_LIMIT);
	cc_view_put(view, false);
}

static void cc_snapshot_close(struct cc_layer *layer)
{
	cc_top_detach(layer);
	cc_layer_close(layer);
}

/*
 * The new top is loaded without cc->ctl: that takes long if it is large, and its device may not
 * respond.
 */
static int cc_snapshot_open(struct cowchain *cc, const struct cc_snapshot_args *args,
			    struct cc_layer **out)
{
	struct cc_layer *layer = cc_layer_open(cc, args->kind, args->path, args->data_path, true);
	int r;

	if (IS_ERR(layer))
		return PTR_ERR(layer);
	r = cc_snapshot_load(cc, layer);
	if (r == -EINTR)
		cc_snapshot_log(cc, r, 0);
	if (r) {
		cc_snapshot_close(layer);
		return r;
	}
	cc_snapshot_trim(cc);
	*out = layer;
	return 0;
}

static int cc_snapshot_hold(struct cowchain *cc)
{
	return cc_job_hold(cc, msecs_to_jiffies(cc_pause_limit()));
}

/* Open the new top, and do @fn with it under cc->ctl. @hold: a job holds still meanwhile. */
static int cc_snapshot_with(struct cowchain *cc, const struct cc_snapshot_args *args, bool hold,
			    int (*fn)(struct cowchain *cc, struct cc_layer *layer))
{
	struct cc_layer *layer;
	int r = cc_snapshot_open(cc, args, &layer);

	if (r)
		return r;
	r = hold ? cc_snapshot_hold(cc) : 0;
	if (!r)
		r = mutex_lock_killable(&cc->ctl);
	if (!r) {
		/* The mode may have changed. */
		r = cc_snapshot_check(cc);
		if (!r)
			r = fn(cc, layer);
		mutex_unlock(&cc->ctl);
	}
	if (r)
		cc_snapshot_close(layer);
	return r;
}

/* ------------------------------------------------------------------ at once */

static int cc_snapshot_now(struct cowchain *cc, struct cc_layer *layer)
{
	struct cc_view *new = cc_snapshot_make(cc, layer);

	return IS_ERR(new) ? PTR_ERR(new) : cc_snapshot_take(cc, new, NULL);
}

int cc_snapshot(struct cowchain *cc, const struct cc_snapshot_args *args)
{
	unsigned int noio;
	int r = cc_snapshot_begin(cc);

	if (r)
		return r;
	/* The device may be suspended, so memory must not depend on I/O to it. */
	noio = memalloc_noio_save();
	r = cc_snapshot_with(cc, args, true, cc_snapshot_now);
	memalloc_noio_restore(noio);
	cc_snapshot_end(cc);
	if (r)
		return r;
	/* It has been taken, whatever comes now. Nobody has to wait for the rest. */
	wait_event_killable(cc->wait, !READ_ONCE(cc->nr_retired) || cc_must_yield(cc));
	dm_table_event(cc->ti->table);
	return 0;
}

/* ------------------------------------------------------------- in two steps */

/*
 * A suspend that came first waits for this message, and then does not look for a snapshot that is
 * prepared. One that comes later gets cc->ctl after this, and finds it.
 */
static int cc_snapshot_keep(struct cowchain *cc, struct cc_layer *layer)
{
	unsigned long delay = msecs_to_jiffies(cc_prepared_limit());
	struct cc_view *new = cc_snapshot_make(cc, layer);

	if (IS_ERR(new))
		return PTR_ERR(new);
	if (cc_must_yield(cc)) {
		cc_snapshot_log(cc, -EINTR, 0);
		cc_snapshot_undo(cc, new);
		return -EINTR;
	}
	cc->prepared = new;
	cc->prepared_until = jiffies + delay;
	cc_round_offer(cc, delay);
	return 0;
}

int cc_snapshot_prepare(struct cowchain *cc, const struct cc_snapshot_args *args)
{
	unsigned int noio;
	int r = cc_snapshot_begin(cc);

	if (r)
		return r;
	noio = memalloc_noio_save();
	r = cc_snapshot_with(cc, args, false, cc_snapshot_keep);
	memalloc_noio_restore(noio);
	if (r)
		cc_snapshot_end(cc);
	return r;
}

/* The prepared view, for whoever has it now: nobody else finds it any more. */
static struct cc_view *cc_prepared_claim(struct cowchain *cc)
{
	struct cc_view *new = cc->prepared;

	lockdep_assert_held(&cc->ctl);
	cc->prepared = NULL;
	return new;
}

/* Give it up, if there is one that no round has. */
static struct cc_layer *cc_prepared_retract(struct cowchain *cc)
{
	struct cc_layer *layer;
	struct cc_view *new;

	lockdep_assert_held(&cc->ctl);
	if (!cc_round_withdraw(cc))
		return NULL;
	new = cc_prepared_claim(cc);
	layer = cc_view_active(new);
	cc_snapshot_undo(cc, new);
	return layer;
}

/* Then this, without cc->ctl: a suspend may go on after that. */
static void cc_prepared_discard(struct cowchain *cc, struct cc_layer *layer)
{
	cc_snapshot_close(layer);
	cc_snapshot_end(cc);
}

/* @late: only if its time is over. It may be another one than when that was found out. */
static bool cc_prepared_end(struct cowchain *cc, bool late)
{
	unsigned int noio = memalloc_noio_save();
	struct cc_layer *layer = NULL;

	mutex_lock(&cc->ctl);
	if (!late || time_after_eq(jiffies, cc->prepared_until))
		layer = cc_prepared_retract(cc);
	mutex_unlock(&cc->ctl);
	if (layer && late)
		cc_err(cc, "the snapshot that was prepared was not committed in time, and is given up");
	if (layer)
		cc_prepared_discard(cc, layer);
	memalloc_noio_restore(noio);
	return layer;
}

bool cc_snapshot_give_up(struct cowchain *cc)
{
	return cc_prepared_end(cc, false);
}

static int cc_snapshot_nothing(struct cowchain *cc)
{
	if (READ_ONCE(cc->snapshot)) {
		cc_err(cc, "nothing can be aborted: a snapshot is being taken, or a commit is starting");
		return -EBUSY;
	}
	cc_err(cc, "no snapshot is prepared");
	return -ENOENT;
}

int cc_snapshot_abort(struct cowchain *cc)
{
	struct cc_layer *layer;
	unsigned int noio;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	noio = memalloc_noio_save();
	layer = cc_prepared_retract(cc);
	mutex_unlock(&cc->ctl);
	if (layer)
		cc_prepared_discard(cc, layer);
	memalloc_noio_restore(noio);
	return layer ? 0 : cc_snapshot_nothing(cc);
}

int cc_snapshot_commit(struct cowchain *cc, unsigned int argc, char **argv)
{
	return cc_round_run(cc, argc, argv, cc_pause_limit());
}

/* Under cc->ctl. Return: 0 or the error of the round; the prepared view is used up. */
static int cc_snapshot_join(struct cowchain *cc, struct cc_view *new, struct cc_round *round)
{
	int r = cc_snapshot_check(cc);

	/* The one of the first step may be old. */
	if (!r)
		r = cc_snapshot_sync(cc_view_current(cc), msecs_to_jiffies(cc_pause_limit()));
	if (!r)
		return cc_snapshot_take(cc, new, round);
	cc_snapshot_undo(cc, new);
	return r;
}

/*
 * As in a message, everything is undone after an error, before others can see that. The event comes
 * before the end, since the table may be gone after it.
 */
static void cc_snapshot_member(struct cowchain *cc, struct cc_round *round)
{
	struct cc_layer *layer;
	struct cc_view *new;
	/* If it does not hold still, cc_snapshot_take() sees that. */
	int r = cc_snapshot_hold(cc);

	mutex_lock(&cc->ctl);
	new = cc_prepared_claim(cc);
	layer = cc_view_active(new);
	r = cc_snapshot_join(cc, new, round);
	mutex_unlock(&cc->ctl);
	if (r) {
		cc_round_fail(round, r);
		cc_snapshot_close(layer);
	} else {
		dm_table_event(cc->ti->table);
	}
	cc_round_leave(cc);
	cc_snapshot_end(cc);
	cc_round_done(round);
}

/* A round has taken the snapshot, or its time may be over, or it was given up while this came. */
static void cc_snapshot_work(struct work_struct *work)
{
	struct cowchain *cc = container_of(to_delayed_work(work), struct cowchain, snapshot_work);
	struct cc_round *round = cc_round_of(cc);
	unsigned int noio = memalloc_noio_save();

	if (round)
		cc_snapshot_member(cc, round);
	else
		cc_prepared_end(cc, true);
	memalloc_noio_restore(noio);
}

void cc_snapshot_init(struct cowchain *cc)
{
	INIT_LIST_HEAD(&cc->offer);
	INIT_DELAYED_WORK(&cc->snapshot_work, cc_snapshot_work);
}

void cc_snapshot_exit(struct cowchain *cc)
{
	cancel_delayed_work_sync(&cc->snapshot_work);
}
