// SPDX-License-Identifier: GPL-2.0-only
/*
 * Views of the chain: published, drained, released; and which layers are fit to be in one.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "below.h"
#include "top.h"
#include "track.h"
#include "trim.h"
#include "view.h"
#include "writer.h"

#define CC_USERS_TRIES	100	/* with a millisecond between */

static void cc_writers_gone(struct percpu_ref *ref)
{
	struct cc_view *view = container_of(ref, struct cc_view, writers.ref);

	complete_all(&view->writers.gone);
	if (view->writers_read)
		percpu_ref_put(&view->readers.ref);
}

/* Whoever gets here may be any bio, so the rest is left to the work item, a grace period later. */
static void cc_readers_gone(struct percpu_ref *ref)
{
	struct cc_view *view = container_of(ref, struct cc_view, readers.ref);

	if (view->retired)
		queue_rcu_work(view->cc->sync_wq, &view->retire_work);
	else
		complete_all(&view->readers.gone);
}

/*
 * In a noio context such as a message, per-CPU memory is only taken from what is populated already,
 * at least up to 6.12. A failed attempt lets a worker populate more, so try again.
 */
static int cc_users_init(struct cc_users *users, percpu_ref_func_t *gone)
{
	unsigned int tries = 0;
	int r;

	init_completion(&users->gone);
	for (;;) {
		r = percpu_ref_init(&users->ref, gone, PERCPU_REF_ALLOW_REINIT, GFP_KERNEL);
		if (r != -ENOMEM || tries++ == CC_USERS_TRIES)
			return r;
		usleep_range(1000, 2000);
	}
}

/* Kill the reference and wait until they are gone. */
static void cc_users_drain(struct cc_users *users)
{
	percpu_ref_kill(&users->ref);
	wait_for_completion(&users->gone);
}

int cc_users_try_drain(struct cc_users *users, unsigned long timeout)
{
	long left;

	percpu_ref_kill(&users->ref);
	left = wait_for_completion_killable_timeout(&users->gone, timeout);
	if (left > 0)
		return 0;
	return left ? -EINTR : -EBUSY;
}

/*
 * The last user may be ending just now, and completes @gone inside of an RCU section. The
 * completion is reset after that, or the next drain would not wait for anybody.
 */
void cc_users_revive(struct cc_users *users)
{
	percpu_ref_resurrect(&users->ref);
	synchronize_rcu();
	reinit_completion(&users->gone);
}

static void cc_view_set_layers(struct cc_view *view, struct cc_layer **layers, unsigned int nr)
{
	unsigned int i;

	view->nr = nr;
	for (i = 0; i < nr; i++) {
		view->layer[i] = layers[i];
		view->slot[layers[i]->slot] = layers[i];
	}
	view->sectors = cc_view_active(view)->sectors;
	view->top = cc_view_active(view)->top;
	view->hook_rewrites = view->top && view->top->layer->data;
}

int cc_view_index(const struct cc_view *view, unsigned int slot)
{
	unsigned int i;

	for (i = 0; i < view->nr; i++)
		if (view->layer[i]->slot == slot)
			return i;
	return -1;
}

unsigned int cc_view_free_slot(const struct cc_view *view)
{
	unsigned int slot = 0;

	while (view->slot[slot])
		slot++;
	return slot;
}

static atomic64_t cc_view_ids = ATOMIC64_INIT(0);

struct cc_view *cc_view_create(struct cowchain *cc, struct cc_layer **layers,
			       unsigned int nr, struct cc_below *below)
{
	struct cc_view *view = kvzalloc(sizeof(*view), GFP_KERNEL);

	if (!view)
		return NULL;
	view->id = atomic64_inc_return(&cc_view_ids);
	view->cc = cc;
	cc_view_set_layers(view, layers, nr);
	if (below) {
		refcount_inc(&below->refs);
		view->below = below;
	} else {
		view->below = cc_below_create(view->sectors);
	}
	if (!view->below || cc_users_init(&view->readers, cc_readers_gone))
		goto no_readers;
	if (cc_users_init(&view->writers, cc_writers_gone))
		goto no_writers;
	return view;

no_writers:
	percpu_ref_exit(&view->readers.ref);
no_readers:
	cc_below_put(view->below);
	kvfree(view);
	return NULL;
}

struct cc_view *cc_view_create_source(struct cc_view *view, unsigned int nr)
{
	struct cc_view *source = cc_view_create(view->cc, view->layer, nr, NULL);

	/* A layer that a snapshot has just made one of the lower ones may still have its map. */
	if (source)
		source->top = NULL;
	return source;
}

void cc_view_destroy(struct cc_view *view)
{
	if (!view)
		return;
	percpu_ref_exit(&view->writers.ref);
	percpu_ref_exit(&view->readers.ref);
	cc_below_put(view->below);
	cc_track_put(view->track);
	kvfree(view);
}

void cc_view_set_track(struct cc_view *view, struct cc_track *track)
{
	cc_track_get(track);
	view->track = track;
	view->hook_rewrites = true;
}

/*
 * The status may have looked at the view under RCU, and whoever queued a flush at its writer: that
 * was a grace period ago.
 */
static void cc_retire_work(struct work_struct *work)
{
	struct cc_view *view = container_of(to_rcu_work(work), struct cc_view, retire_work);
	struct cc_view *heir = view->heir;
	struct cowchain *cc = view->cc;

	if (view->sealed)
		cc_top_detach(view->sealed);
	cc_view_destroy(view);
	if (heir)
		cc_view_put(heir, false);
	spin_lock_irq(&cc->lock);
	WRITE_ONCE(cc->nr_retired, cc->nr_retired - 1);
	wake_up_all(&cc->wait);
	spin_unlock_irq(&cc->lock);
}

void cc_view_retire(struct cc_view *view, struct cc_layer *sealed)
{
	struct cowchain *cc = view->cc;

	spin_lock_irq(&cc->lock);
	WRITE_ONCE(cc->nr_retired, cc->nr_retired + 1);
	spin_unlock_irq(&cc->lock);
	view->sealed = sealed;
	INIT_RCU_WORK(&view->retire_work, cc_retire_work);
	view->retired = true;
	percpu_ref_kill(&view->readers.ref);
}

/*
 * Views of one chain that follow each other share the top with its writer, which goes with the last
 * of them: so each keeps the next one.
 */
void cc_view_retire_all(struct cc_view *view, struct cc_view *heir)
{
	percpu_ref_get(&heir->readers.ref);
	view->heir = heir;
	percpu_ref_get(&view->readers.ref);
	view->writers_read = true;
	percpu_ref_kill(&view->writers.ref);
	cc_view_retire(view, NULL);
}

void cc_view_drain_writers(struct cc_view *view)
{
	if (!percpu_ref_is_dying(&view->writers.ref))
		cc_users_drain(&view->writers);
}

void cc_view_drain(struct cc_view *view)
{
	cc_view_drain_writers(view);
	cc_users_drain(&view->readers);
}

/*
 * A new view is published before the old one's references are killed, so try again if tryget fails.
 * Only a snapshot and the end of a commit of the top kill the writers' reference first, and set
 * paused before that; then the caller has to wait.
 */
struct cc_view *cc_view_get(struct cowchain *cc, bool write)
{
	struct cc_view *view;

	do {
		rcu_read_lock();
		view = rcu_dereference(cc->view);
		if (view && percpu_ref_tryget_live_rcu(write ? &view->writers.ref :
						       &view->readers.ref)) {
			rcu_read_unlock();
			return view;
		}
		rcu_read_unlock();
	} while (view && !(write && READ_ONCE(cc->paused)));
	return NULL;
}

struct cc_view *cc_view_without(struct cc_view *view, int base)
{
	struct cc_layer **keep;
	struct cc_view *new;
	unsigned int i, nr = 0;

	keep = kcalloc(view->nr, sizeof(*keep), GFP_KERNEL);
	if (!keep)
		return NULL;
	for (i = 0; i < view->nr; i++)
		if ((int)i <= base || i == view->nr - 1)
			keep[nr++] = view->layer[i];
	new = cc_view_create(view->cc, keep, nr, view->below);
	kfree(keep);
	return new;
}

static void cc_view_close_layer(struct cc_layer *layer)
{
	/* What was the top when its layers were committed. */
	if (layer->writer)
		cc_trims_stop(layer->writer);
	cc_top_detach(layer);
	cc_layer_close(layer);
}

void cc_view_find_dropped(const struct cc_view *old, const struct cc_view *now,
			  unsigned long *dropped)
{
	unsigned int i;

	bitmap_zero(dropped, CC_MAX_LAYERS);
	for (i = 0; i < old->nr; i++)
		if (now->slot[old->layer[i]->slot] != old->layer[i])
			__set_bit(i, dropped);
}

void cc_view_close_dropped(struct cc_view *old, const unsigned long *dropped)
{
	unsigned int i;

	for (i = 0; i < old->nr; i++)
		if (test_bit(i, dropped))
			cc_view_close_layer(old->layer[i]);
}

int cc_check_seen(struct cowchain *cc, u64 seen)
{
	lockdep_assert_held(&cc->ctl);
	if (!seen || seen == cc_view_current(cc)->id)
		return 0;
	cc_err(cc, "the chain has just changed: send the message again");
	return -EBUSY;
}

int cc_base_index(struct cowchain *cc, struct cc_view *view)
{
	unsigned int i;

	lockdep_assert_held(&cc->ctl);
	for (i = 0; cc->base >= 0 && i < view->nr; i++)
		if ((int)view->layer[i]->slot == cc->base)
			return i;
	return -1;
}

/* ------------------------------------------------------------------ checks */

int cc_check_size(struct cowchain *cc, struct cc_layer *layer)
{
	if (layer->sectors < cc->ti->len) {
		cc_err(cc, "layer %s: size is %llu sectors, the table needs %llu",
		       layer->name, (u64)layer->sectors, (u64)cc->ti->len);
		return -EFBIG;
	}
	return cc_check_max_size(layer);
}

int cc_check_max_size(struct cc_layer *layer)
{
	if (layer->sectors <= CC_MAX_SECTORS)
		return 0;
	cc_layer_err(layer, "size is larger than 64 TiB");
	return -EFBIG;
}

int cc_check_blocks(struct cowchain *cc, struct cc_layer *layer, unsigned int bytes)
{
	if (layer->sectors & ((bytes >> SECTOR_SHIFT) - 1)) {
		cc_err(cc, "layer %s: size is %llu sectors, which is not a multiple of logical blocks of %u bytes",
		       layer->name, (u64)layer->sectors, bytes);
		return -EINVAL;
	}
	/* I/O to the layers below is cut at the subclusters of this one. */
	if (layer->kind == CC_QCOW2 && 1U << layer->q2.sub_bits < bytes) {
		cc_err(cc, "layer %s: its subclusters of %u bytes are smaller than logical blocks of %u bytes in the chain",
		       layer->name, 1U << layer->q2.sub_bits, bytes);
		return -EINVAL;
	}
	return 0;
}

/*
 * The queue limits were stacked when the table was loaded. (That the chain can do nowait I/O is the
 * exception: if the new top cannot, cc_map() ends such bios.)
 */
int cc_check_limits(struct cowchain *cc, struct cc_layer *layer, bool guest)
{
	struct block_device *whole = dm_disk(cc->md)->part0;
	struct block_device *bdev = cc_data_bdev(layer);
	const char *what = NULL;

	if (bdev_logical_block_size(bdev) > bdev_logical_block_size(whole))
		what = "has larger logical blocks than the chain";
	else if (bdev_dma_alignment(bdev) & ~bdev_dma_alignment(whole))
		what = "needs more memory alignment than the chain";
	else if (bdev_is_zoned(bdev))
		what = "is a zoned device";
	else if (guest && bdev_stable_writes(bdev) && !bdev_stable_writes(whole))
		what = "needs stable pages, which the chain has not asked for";
	if (!what)
		return 0;
	cc_err(cc, "layer %s %s: load a table with it instead", layer->data_name, what);
	return -EINVAL;
}
