// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshot: a new, empty top on the live chain, atomically under I/O.
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
#include "scan.h"
#include "snapshot.h"
#include "trim.h"
#include "writer.h"

/*
 * A guest waits for 30 seconds or more before it takes a disk for broken; the caches of slow disks
 * need some seconds for a flush.
 */
static unsigned int cc_snapshot_pause_ms = 10000;
module_param_named(snapshot_pause_ms, cc_snapshot_pause_ms, uint, 0644);
MODULE_PARM_DESC(snapshot_pause_ms, "Longest time in milliseconds for which a snapshot lets writes wait");

static unsigned int cc_pause_limit(void)
{
	return clamp(READ_ONCE(cc_snapshot_pause_ms), 1U, 600000U);
}

static int cc_snapshot_check(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);
	int r = cc_check_live(cc);

	lockdep_assert_held(&cc->ctl);
	if (r)
		return r;
	if (cc_job_active(cc)) {
		cc_err(cc, "a job is running: wait for it or cancel it first");
		return -EBUSY;
	}
	if (cc_job_recorded(cc)) {
		cc_err(cc, "a job is recorded in the top: continue or cancel it first");
		return -EBUSY;
	}
	if (!view->top || READ_ONCE(cc->mode) != CC_RW) {
		cc_err(cc, "the chain is read-only");
		return -EROFS;
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
	return cc_top_scan(layer->top, 0, layer->top->nr_blocks, true);
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

/*
 * Do what can be done before bios have to wait: most of the sync, and leaving the percpu mode of
 * the reference, which takes an RCU grace period.
 */
static int cc_snapshot_prepare(struct cc_view *old)
{
	percpu_ref_switch_to_atomic_sync(&old->writers.ref);
	return cc_writer_try_sync(cc_view_active(old)->writer, MAX_SCHEDULE_TIMEOUT);
}

/*
 * Wait until the writers are gone and the old top is complete. All writes of the guest wait
 * meanwhile, so this takes @ms at most, and can be interrupted. Writers wait for nothing but the
 * top, which may not respond.
 *
 * Return: 0 without writers, or -errno with those that were there before.
 */
static int cc_snapshot_drain(struct cc_view *old, unsigned int ms)
{
	unsigned long end = jiffies + msecs_to_jiffies(ms);
	int r = cc_users_try_drain(&old->writers, msecs_to_jiffies(ms));

	if (!r)
		r = cc_writer_try_sync(cc_view_active(old)->writer,
				       max_t(long, end - jiffies, 1));
	if (r)
		cc_users_revive(&old->writers);
	return r;
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

/*
 * 1. New bios wait, except for reads.
 * 2. Those under way end.
 * 3. Their bits become durable: the old top is complete, and nobody writes to it any more.
 * 4. The new top's writer takes over what a flush has to report. Before that no flush of the guest
 *    can reach it, after that none can reach the old one.
 * 5. The new view is published.
 * 6. Bios that waited continue in the new view.
 *
 * If 2 or 3 takes too long, everything is as before: the writers of the old view are alive again,
 * and bios that waited continue there.
 *
 * Reads that have begun in the old view end there, and only the message waits for them. They return
 * what was there when they were submitted; writes that they do not see ended later.
 *
 * After a crash at any point the old top is as after any other crash, and the new one is empty.
 */
static int cc_snapshot_switch(struct cowchain *cc, struct cc_view *old, struct cc_view *new)
{
	struct cc_writer *writer = cc_view_active(old)->writer;
	unsigned int ms = cc_pause_limit();
	int r;

	cc_pause_bios(cc);
	r = cc_snapshot_drain(old, ms);
	if (!r) {
		cc_writer_set_owed(cc_view_active(new)->writer, cc_writer_owes(writer));
		rcu_assign_pointer(cc->view, new);
	}
	cc_unpause_bios(cc);
	if (r)
		cc_snapshot_log(cc, r, ms);
	return r;
}

static int cc_snapshot_publish(struct cowchain *cc, struct cc_view *old, struct cc_view *new)
{
	struct cc_layer *sealed = cc_view_active(old);
	/* Not while bios wait: it takes a lock that all chains share. */
	int r = cc_layer_seal(sealed);

	if (r)
		return r;
	r = cc_ident_snapshot(sealed, cc_view_active(new));
	if (!r) {
		/* The scan would delay the drain; the new top has been counted already. */
		cc_stop_scan(cc);
		r = cc_snapshot_switch(cc, old, new);
		if (r) {
			cc_start_scan(cc);
			cc_ident_unseal(sealed);
		}
	}
	if (r)
		cc_layer_unseal(sealed);
	return r;
}

/* Put a layer that was loaded on top. */
static int cc_snapshot_layer(struct cowchain *cc, struct cc_layer *layer)
{
	struct cc_view *old = cc_view_current(cc);
	struct cc_layer *sealed = cc_view_active(old);
	struct cc_view *new;
	int r;

	lockdep_assert_held(&cc->ctl);
	layer->slot = cc_view_free_slot(old);
	new = cc_snapshot_view(cc, old, layer);
	if (!new)
		return -ENOMEM;
	r = cc_snapshot_prepare(old);
	if (r)
		cc_snapshot_log(cc, r, 0);
	else
		r = cc_snapshot_publish(cc, old, new);
	if (r) {
		percpu_ref_switch_to_percpu(&old->writers.ref);
		cc_view_destroy(new);
		return r;
	}
	/* What was discarded since cc_snapshot_trim(). */
	cc_trims_stop(sealed->writer);
	/* The old top is complete from here on, and others may read it. */
	cc_layer_sealed(sealed);
	cc_view_retire(old, sealed);
	return 0;
}

/* ------------------------------------------------------------- the message */

/* From here on the chain stays as it is until cc->snapshot is cleared. */
static int cc_snapshot_begin(struct cowchain *cc)
{
	int r;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	/* A table that was never resumed has no chain yet. */
	r = cc_view_current(cc) ? cc_snapshot_check(cc) : -ENXIO;
	/* Pairs with cc_snapshot(). */
	if (!r && smp_load_acquire(&cc->snapshot)) {
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

static int cc_snapshot_commit(struct cowchain *cc, struct cc_layer *layer)
{
	int r;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	/* The mode may have changed. */
	r = cc_snapshot_check(cc);
	if (!r)
		r = cc_snapshot_layer(cc, layer);
	mutex_unlock(&cc->ctl);
	return r;
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

/*
 * The new top is loaded without cc->ctl: that takes long if it is large, and its device may not
 * respond. Neither does this hold the lock while reads that have begun before end.
 */
static int cc_snapshot_take(struct cowchain *cc, enum cc_kind kind, const char *path,
			    const char *data_path)
{
	struct cc_layer *layer = cc_layer_open(cc, kind, path, data_path, true);
	int r;

	if (IS_ERR(layer))
		return PTR_ERR(layer);
	r = cc_snapshot_load(cc, layer);
	if (r == -EINTR)
		cc_snapshot_log(cc, r, 0);
	if (!r) {
		cc_snapshot_trim(cc);
		r = cc_snapshot_commit(cc, layer);
	}
	if (r) {
		cc_top_detach(layer);
		cc_layer_close(layer);
	}
	return r;
}

int cc_snapshot(struct cowchain *cc, enum cc_kind kind, const char *path,
		const char *data_path)
{
	unsigned int noio;
	int r = cc_snapshot_begin(cc);

	if (r)
		return r;
	/* The device may be suspended, so memory must not depend on I/O to it. */
	noio = memalloc_noio_save();
	r = cc_snapshot_take(cc, kind, path, data_path);
	memalloc_noio_restore(noio);
	/* Pairs with cc_stream_start() and cc_snapshot_begin(), which read it under cc->ctl. */
	smp_store_release(&cc->snapshot, false);
	wake_up_all(&cc->wait);
	if (r)
		return r;
	/* It has been taken, whatever comes now. Nobody has to wait for the rest. */
	wait_event_killable(cc->wait, !READ_ONCE(cc->nr_retired) || cc_must_yield(cc));
	dm_table_event(cc->ti->table);
	return 0;
}
