/* SPDX-License-Identifier: GPL-2.0-only */
/* A view: the chain as a bio sees it. */
#ifndef COWCHAIN_VIEW_H
#define COWCHAIN_VIEW_H

#include <linux/completion.h>
#include <linux/percpu-refcount.h>
#include <linux/workqueue.h>

#include "layer.h"

/* 64 TiB: the maps are arrays over the disk, 9 bytes per MiB in all. */
#define CC_MAX_SECTORS		BIT_ULL(37)

struct cc_below;
struct cc_track;

/* The users of a view, and a completion for when they are gone. */
struct cc_users {
	struct percpu_ref ref;
	struct completion gone;
};

/**
 * struct cc_view - the chain as a bio sees it.
 * @id: differs from that of each other view, and is not 0.
 * @heir: the view that it keeps, NULL for none; see cc_view_retire_all().
 * @writers_read: as long as there are writers, they have a reference as a reader.
 * @retired: cc_view_retire() was called: @retire_work frees the view when the last reader is gone.
 * @sealed: the layer that was the top until then, NULL for none; @retire_work frees its map.
 * @writers: bios that are not reads, and that need nothing but the top.
 * @readers: reads, writes while they read below, and all others that look at the chain for long.
 * @top: NULL if the chain is read-only; then all layers are below.
 * @track: what the guest writes is marked there, NULL if nobody wants to know; see track.h.
 * @hook_rewrites: rewrites are more than remapped: they are tracked, or take cells.
 * @sectors: virtual size of the active layer.
 * @nr, @layer: the layers, base first.
 * @slot: the same by cc_layer.slot.
 *
 * Every bio holds a reference from map to end_io, except while it is queued for a worker, so that a
 * layer is put only when nobody reads from it any more. A snapshot has to wait for writers: no
 * write may go to the old top once it is a lower layer; reads continue meanwhile. All writes wait
 * for the snapshot, so a writer must never wait for a layer below, which may not respond. The same
 * holds for the end of a commit of the top, when the base takes its place.
 */
struct cc_view {
	u64 id;
	struct cc_users writers;
	struct cc_users readers;
	struct cc_view *heir;
	bool writers_read;
	bool retired;
	struct rcu_work retire_work;
	struct cc_layer *sealed;
	struct cowchain *cc;
	struct cc_top *top;
	struct cc_below *below;
	struct cc_track *track;
	bool hook_rewrites;
	sector_t sectors;
	unsigned int nr;
	struct cc_layer *layer[CC_MAX_LAYERS];
	struct cc_layer *slot[CC_MAX_LAYERS + 1];
};

/* The current view. The caller holds cc->ctl, or excludes by its place what could replace it. */
static inline struct cc_view *cc_view_current(struct cowchain *cc)
{
	return rcu_dereference_protected(cc->view, 1);
}

static inline unsigned int cc_view_nr_below(const struct cc_view *view)
{
	return view->top ? view->nr - 1 : view->nr;
}

static inline struct cc_layer *cc_view_active(const struct cc_view *view)
{
	return view->layer[view->nr - 1];
}

/* Index in the chain of the layer with that slot, or -1. Context: any. */
int cc_view_index(const struct cc_view *view, unsigned int slot);

/*
 * A slot for another layer. It may have been that of a layer that was dropped, so the view with the
 * new one has to have a new below map. Context: any.
 */
unsigned int cc_view_free_slot(const struct cc_view *view);

/**
 * cc_view_create() - make a view of these layers.
 * @layers: the size of the last one was checked by cc_check_max_size().
 * @below: shared with another view, or NULL for a new one.
 *
 * Context: process. Return: the view, or NULL without memory.
 */
struct cc_view *cc_view_create(struct cowchain *cc, struct cc_layer **layers,
			       unsigned int nr, struct cc_below *below);

/**
 * cc_view_create_source() - the chain up to a layer, for reading.
 * @nr: how many of the layers of @view. The topmost of them need not have been drained as a top.
 *	Its size was checked by cc_check_max_size().
 *
 * No bio of the guest uses it, and cc_view_destroy() frees it before these layers are closed.
 *
 * Context: process. Return: the view, or NULL without memory.
 */
struct cc_view *cc_view_create_source(struct cc_view *view, unsigned int nr);

/* Let the writes of a view that is not published be tracked. Context: process. */
void cc_view_set_track(struct cc_view *view, struct cc_track *track);

/* Free a view, not its layers; tolerates NULL. Context: process. */
void cc_view_destroy(struct cc_view *view);

/**
 * cc_view_without() - make a view without the layers between a base and the top.
 * @base: index of the base, -1 for none.
 *
 * It shares the below map. Context: process. Return: the view, or NULL without memory.
 */
struct cc_view *cc_view_without(struct cc_view *view, int base);

/*
 * Which layers does @old have that @now has not? @dropped: CC_MAX_LAYERS bits, by their numbers in
 * @old. Context: any.
 */
void cc_view_find_dropped(const struct cc_view *old, const struct cc_view *now,
			  unsigned long *dropped);

/* Close these; nobody uses them. Context: process. */
void cc_view_close_dropped(struct cc_view *old, const unsigned long *dropped);

/**
 * cc_view_get() - get a reference to the current view.
 * @write: as a writer, otherwise as a reader.
 *
 * Context: any. Return: the view, or NULL if there is none, or for a writer while a snapshot is
 * being taken.
 */
struct cc_view *cc_view_get(struct cowchain *cc, bool write);

static inline void cc_view_put(struct cc_view *view, bool write)
{
	percpu_ref_put(write ? &view->writers.ref : &view->readers.ref);
}

/**
 * cc_users_try_drain() - kill the reference and wait until they are gone, @timeout jiffies at most.
 *
 * Context: process. Return: 0, -EBUSY after the timeout, or -EINTR if the task is killed. In each
 * case cc_users_revive() makes it as it was before; the reference must have been in atomic mode.
 */
int cc_users_try_drain(struct cc_users *users, unsigned long timeout);
void cc_users_revive(struct cc_users *users);

/**
 * cc_view_retire() - free a view that was replaced and has no writers, once its readers are gone.
 * @sealed: the layer that is no longer the top, or NULL. Its top map and its writer are freed, too.
 *
 * cc->nr_retired counts such views, and cc->wait is woken up. No layer of the view is closed before
 * that. Context: process.
 */
void cc_view_retire(struct cc_view *view, struct cc_layer *sealed);

/*
 * The same with a view that may still have writers: writers.gone completes when the last has
 * ended. @heir, which has been published in its place, has the same top.
 */
void cc_view_retire_all(struct cc_view *view, struct cc_view *heir);

/*
 * Kill @view's references and wait until no bio uses it; the writers may have been drained before.
 * Status may still look at it under RCU: call synchronize_rcu() before anything is freed. Context:
 * process.
 */
void cc_view_drain(struct cc_view *view);

/* The same of those alone that write. */
void cc_view_drain_writers(struct cc_view *view);

/* Index of the selected base in @view, -1 for none. Context: cc->ctl held. */
int cc_base_index(struct cowchain *cc, struct cc_view *view);

/*
 * Is @seen, the id of the view in which somebody has found the numbers of layers, or 0, still the
 * current one? Otherwise they may be those of other layers. cc->ctl is held, and there is a view.
 * Return: 0 or -EBUSY; logged.
 */
int cc_check_seen(struct cowchain *cc, u64 seen);

/* Check that the layer is fit to be the active one. Return: 0 or -EFBIG; logged. */
int cc_check_size(struct cowchain *cc, struct cc_layer *layer);

/*
 * Check that the layer is small enough to be the uppermost one of a view, or to be written. (Below
 * that it may have any size.) Return: 0 or -EFBIG; logged.
 */
int cc_check_max_size(struct cc_layer *layer);

/*
 * Check that the layer is fit for logical blocks of @bytes below it. Return: 0 or -EINVAL; the
 * reason is logged.
 */
int cc_check_blocks(struct cowchain *cc, struct cc_layer *layer, unsigned int bytes);

/*
 * Check that the layer, which is to be written, suits the limits of the table. @guest: its pages
 * are the guest's, not a job's. Return: 0 or -EINVAL; the reason is logged.
 */
int cc_check_limits(struct cowchain *cc, struct cc_layer *layer, bool guest);

#endif /* COWCHAIN_VIEW_H */
