// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives space back that zero bits have hidden, when these bits are durable: until then a crash
 * brings back the old bits, and the data under them has to be there. An external data file without
 * layers below has to contain what its bits say; there nothing is hidden, see zero.c.
 *
 * A discard ends as soon as the bits are set. What may be given back is kept in a list of its
 * writer; one sync serves all that is in the list, whoever it is made for, at the latest after
 * commit_ms. Then a work item passes discards to the device. Errors are ignored, as the guest reads
 * zeros in any case.
 *
 * The guest may write to the range meanwhile. Such a write waits for nothing: the work item takes
 * only what is zero when it comes by, and only while it holds the range (hold.c) do writes wait. So
 * it has to know of each subcluster that reads as zeros then that this is durable:
 *
 * - A range has the number of the first sync that begins after its bits were set, in memory under
 *   its cells. When that sync has succeeded, all of them are on disk.
 * - A write may have set bits of the range to data, and another discard or write-zeroes to zeros
 *   again, which no sync has covered yet. So these report the subclusters under their cells, and
 *   each range that has some of them gets a later number. The work item looks at the number when it
 *   holds the range, where no subcluster changes its state: a subcluster that is zero then was last
 *   set to zero before the range got its number, and has been zero since.
 * - Subclusters that a stream or nobody has given zero bits were unallocated on disk before, if
 *   they are not zero there. Then the data under them is not needed after a crash, either.
 *
 * If the power fails between the sync and the discard, the space stays allocated, hidden by zero
 * bits. For this reason a range is given back whatever hid it: only where all of it was unallocated
 * there cannot be any. A range in a block that is on disk already needs no sync: then a discard
 * costs what it costs on the device, so that repeated ones are cheap where they are cheap there.
 *
 * Ranges pin their blocks and are counted (throttle.h). When half of the bound are ranges, a sync
 * is started at once, so that whoever waits for room gets some.
 *
 * A range belongs to its writer and goes with it: another table, or whoever uses the old top after
 * a snapshot, may write there. So a suspend, a removal and a snapshot sync and have space given
 * back while the guest's I/O continues, and a suspend does once more when that has ended. They wait
 * a bounded time, since they must not depend on how fast a device discards, and then for the
 * discard that is under way. What is left is forgotten: it stays allocated, hidden, until it is
 * discarded once more. After a failed sync nothing is given back.
 *
 * The work item is on cc->discard_wq, where nothing waits for a layer below. Discards there may
 * wait for the range that it holds, but only while it runs, and then nothing keeps it from its end.
 */
#include <linux/slab.h>
#include <linux/wait.h>

#include "hold.h"
#include "throttle.h"
#include "top.h"
#include "trim.h"
#include "writer.h"

/**
 * struct cc_trim - a range of a block whose space may be given back.
 * @list: in the list of the writer.
 * @b: the block, pinned.
 * @first: its first subcluster.
 * @end: the subcluster behind its last one.
 * @sync: number of the sync that makes its bits durable.
 * @active: the work item uses it; only @sync may change.
 *
 * Protected by the lock of the list.
 */
struct cc_trim {
	struct list_head list;
	struct cc_block *b;
	u32 first, end;
	u64 sync;
	bool active;
};

/* No sync ever gets this number. */
#define CC_TRIM_NEVER	U64_MAX

/* ---------------------------------------------------------------- the list */

static void cc_trim_del(struct cc_writer *w, struct cc_trim *t)
{
	lockdep_assert_held(&w->trims.lock);
	list_del(&t->list);
	WRITE_ONCE(w->trims.nr, w->trims.nr - 1);
	cc_block_unpin(t->b);
	cc_throttle_put(w->cc);
	kfree(t);
}

struct cc_trim *cc_trim_alloc(struct cc_layer *layer)
{
	if (layer->cc->no_discard_passdown ||
	    !bdev_max_discard_sectors(cc_data_bdev(layer)))
		return NULL;
	return kmalloc(sizeof(struct cc_trim), GFP_NOWAIT | __GFP_NOWARN);
}

/* Ranges that overlap with [first, end) get a new number; @t takes those that can be merged. */
static void cc_trim_merge(struct cc_writer *w, struct cc_trim *t, struct cc_block *b, u32 first,
			  u32 end, u64 sync)
{
	struct cc_trim *old, *next;

	lockdep_assert_held(&w->trims.lock);
	list_for_each_entry_safe(old, next, &w->trims.list, list) {
		if (old->b != b || old->first > end || old->end < first)
			continue;
		if (old->first < end && old->end > first)
			old->sync = max(old->sync, sync);
		if (!t || old->active || old->sync != sync)
			continue;
		t->first = min(t->first, old->first);
		t->end = max(t->end, old->end);
		cc_trim_del(w, old);
	}
}

/* If the middle is taken out, what is behind it goes, too. */
static void cc_trim_cut(struct cc_writer *w, struct cc_trim *t, u32 first, u32 end)
{
	lockdep_assert_held(&w->trims.lock);
	if (t->active)
		t->sync = CC_TRIM_NEVER;
	else if (first > t->first)
		t->end = first;
	else if (end < t->end)
		t->first = end;
	else
		cc_trim_del(w, t);
}

void cc_trim_keep(struct cc_block *b, u32 first, u32 end)
{
	struct cc_writer *w = b->top->layer->writer;
	struct cc_trim *t, *next;

	spin_lock(&w->trims.lock);
	list_for_each_entry_safe(t, next, &w->trims.list, list) {
		if (t->b == b && t->first < end && t->end > first)
			cc_trim_cut(w, t, first, end);
	}
	spin_unlock(&w->trims.lock);
}

void cc_trim_add(struct cc_trim *t, struct cc_block *b, u32 first, u32 end)
{
	struct cc_writer *w = b->top->layer->writer;
	u64 sync = cc_writer_next_sync(w, b);

	spin_lock(&w->trims.lock);
	cc_trim_merge(w, NULL, b, first, end, sync);
	if (t) {
		*t = (struct cc_trim) { .b = b, .first = first, .end = end, .sync = sync };
		atomic_inc(&b->pins);
		cc_throttle_get(w->cc);
		cc_trim_merge(w, t, b, first, end, sync);
		list_add_tail(&t->list, &w->trims.list);
		WRITE_ONCE(w->trims.nr, w->trims.nr + 1);
	}
	spin_unlock(&w->trims.lock);
}

/*
 * The sync that a range waits for may be over before the range was in the list. The one that is
 * started here finds it in any case, and does nothing if there is nothing to write.
 */
void cc_trims_start(struct cc_writer *w)
{
	u64 synced = cc_writer_synced(w);
	u32 ready = 0, waiting = 0;
	struct cc_trim *t;

	spin_lock(&w->trims.lock);
	list_for_each_entry(t, &w->trims.list, list) {
		if (t->sync <= synced)
			ready++;
		else
			waiting++;
	}
	spin_unlock(&w->trims.lock);
	if (ready)
		queue_work(w->cc->discard_wq, &w->trims.work);
	if (waiting)
		cc_writer_start_sync(w, waiting >= CC_MAX_DISCARDS / 2);
}

/* ------------------------------------------------------------ the work item */

static struct cc_trim *cc_trim_ready(struct cc_writer *w, u64 synced)
{
	struct cc_trim *t;

	lockdep_assert_held(&w->trims.lock);
	list_for_each_entry(t, &w->trims.list, list) {
		if (t->sync <= synced)
			return t;
	}
	return NULL;
}

/* @sync: gets the number of the range, which a sync has reached. */
static struct cc_trim *cc_trim_next(struct cc_writer *w, u64 *sync)
{
	u64 synced = cc_writer_synced(w);
	struct cc_trim *t = NULL;

	spin_lock(&w->trims.lock);
	if (!w->trims.stopped)
		t = cc_trim_ready(w, synced);
	if (t) {
		t->active = true;
		*sync = t->sync;
	}
	spin_unlock(&w->trims.lock);
	return t;
}

/*
 * @sync: the number with which all of the range was given back, CC_TRIM_NEVER if it was not. If it
 * has another one by now, it waits for another sync.
 */
static void cc_trim_put(struct cc_writer *w, struct cc_trim *t, u64 sync)
{
	spin_lock(&w->trims.lock);
	t->active = false;
	if (t->sync == sync || t->sync == CC_TRIM_NEVER)
		cc_trim_del(w, t);
	spin_unlock(&w->trims.lock);
	wake_up_all(&w->cc->wait);
}

static void cc_trim_pass(struct cc_block *b, u32 first, u32 end)
{
	struct cc_top *top = b->top;
	u64 limit = top->layer->sectors - ((u64)b->index << top->block_shift);
	u32 rel = first << top->sub_shift;

	end = min_t(u64, end << top->sub_shift, limit);
	while (rel < end) {
		u32 len = end - rel;
		sector_t sector = cc_block_sector(b, rel, &len);

		blkdev_issue_discard(cc_data_bdev(top->layer), sector, len, GFP_NOIO);
		rel += len;
	}
}

static void cc_trim_zeros(struct cc_writer *w, struct cc_block *b, u32 first, u32 end)
{
	u32 run;

	/* What it finds to be zero, a stream without a base relies on. */
	if (READ_ONCE(b->top->raw))
		return;
	for (; first < end && !READ_ONCE(w->trims.stopped); first += run) {
		enum cc_state state = cc_block_state(b, first);

		run = cc_block_run(b, first, end, state);
		if (state == CC_ZERO)
			cc_trim_pass(b, first, first + run);
	}
}

/*
 * The number of the range does not change while a part of it is held: that takes cells.
 *
 * Return: false if it has another one than @sync.
 */
static bool cc_trim_piece(struct cc_writer *w, struct cc_trim *t, u32 first, u32 end, u64 sync)
{
	bool same;

	cc_hold_begin(w->cc, t->b, first, end);
	spin_lock(&w->trims.lock);
	same = t->sync == sync;
	spin_unlock(&w->trims.lock);
	if (same)
		cc_trim_zeros(w, t->b, first, end);
	cc_hold_end(t->b);
	return same;
}

/* In pieces, so that writes to the range wait for one of them. */
static void cc_trim_range(struct cc_writer *w, struct cc_trim *t, u64 sync)
{
	u32 pos = t->first, end;

	for (; pos < t->end; pos = end) {
		end = cc_hold_end_of(t->b, pos, t->end);
		if (!cc_trim_piece(w, t, pos, end, sync))
			break;
	}
	cc_trim_put(w, t, pos < t->end ? CC_TRIM_NEVER : sync);
}

static void cc_trims_free(struct cc_writer *w)
{
	spin_lock(&w->trims.lock);
	while (!list_empty(&w->trims.list))
		cc_trim_del(w, list_first_entry(&w->trims.list, struct cc_trim, list));
	spin_unlock(&w->trims.lock);
}

/* Not more at a time than there are now: a guest may add some all the time. */
static void cc_trim_work(struct work_struct *work)
{
	struct cc_writer *w = container_of(work, struct cc_writer, trims.work);
	u32 left = READ_ONCE(w->trims.nr);
	struct cc_trim *t;
	u64 sync;

	for (; left && !READ_ONCE(w->failed); left--) {
		t = cc_trim_next(w, &sync);
		if (!t)
			break;
		cc_trim_range(w, t, sync);
	}
	if (READ_ONCE(w->failed))
		cc_trims_free(w);
	else if (!READ_ONCE(w->trims.stopped))
		cc_trims_start(w);
	/* For cc_trims_flush(): also what was freed, or got another number, is no longer ready. */
	wake_up_all(&w->cc->wait);
}

/* ------------------------------------------------------------------- life */

void cc_trims_init(struct cc_writer *w)
{
	spin_lock_init(&w->trims.lock);
	INIT_LIST_HEAD(&w->trims.list);
	INIT_WORK(&w->trims.work, cc_trim_work);
}

static bool cc_trims_any_ready(struct cc_writer *w)
{
	u64 synced = cc_writer_synced(w);
	bool any;

	spin_lock(&w->trims.lock);
	any = cc_trim_ready(w, synced);
	spin_unlock(&w->trims.lock);
	return any;
}

void cc_trims_flush(struct cc_writer *w, unsigned long timeout)
{
	if (!cc_trims_any_ready(w))
		return;
	queue_work(w->cc->discard_wq, &w->trims.work);
	wait_event_killable_timeout(w->cc->wait, !cc_trims_any_ready(w), timeout);
}

void cc_trims_finish(struct cc_writer *w, unsigned long timeout)
{
	if (READ_ONCE(w->trims.nr) && !cc_writer_try_sync(w, timeout))
		cc_trims_flush(w, timeout);
}

static void cc_trims_set_stopped(struct cc_writer *w, bool stopped)
{
	spin_lock(&w->trims.lock);
	WRITE_ONCE(w->trims.stopped, stopped);
	spin_unlock(&w->trims.lock);
}

/* A sync may queue the work item again at any time, but then it takes no range. */
void cc_trims_stop(struct cc_writer *w)
{
	cc_trims_set_stopped(w, true);
	cancel_work_sync(&w->trims.work);
	cc_trims_free(w);
	cc_trims_set_stopped(w, false);
}

/* Without ranges neither the sync nor the work item starts the other. */
void cc_trims_drop(struct cc_writer *w)
{
	cc_trims_stop(w);
	cancel_delayed_work_sync(&w->work);
	cancel_work_sync(&w->trims.work);
}
