// SPDX-License-Identifier: GPL-2.0-only
/*
 * Held ranges: what a discard works on for long.
 *
 * A cell stands for every 1024th cluster of the disk. A discard that kept its cells while the
 * device zeroes or frees space would stop writes all over the disk. So it holds exactly the
 * subclusters that it works on, one range of a block at a time, and whoever takes a cell looks
 * whether what it wants to write is held:
 *
 * - The range is held first. Then each of its cells is taken exclusively and given back: writes
 *   that took theirs before have ended after that.
 * - A write looks after it has taken its cells. If it finds the range held, it gives them back
 *   before it waits, so the holder, which takes cells, never waits for somebody who waits for it.
 *
 * So a write that has found its subclusters free may go on: whoever holds them later waits for its
 * cells first. While a range is held, no subcluster of it changes its state, except by its holder.
 * In a single file that says nothing about the contents of subclusters that were allocated already:
 * rewrites take no cells there.
 */
#include <linux/wait_bit.h>

#include "cell.h"
#include "hold.h"
#include "top.h"

/* Subclusters that are held at a time. */
#define CC_HOLD_SUBS	(CC_HOLD_CLUSTERS * QCOW2_SUBCLUSTERS)

/*
 * A device frees whole units only. In a single file data is aligned to clusters, so larger ones are
 * of no use; but in an external data file the ends of the pieces should be ends of units.
 */
u32 cc_hold_end_of(const struct cc_block *b, u32 first, u32 end)
{
	struct cc_layer *layer = b->top->layer;
	u32 piece = CC_HOLD_SUBS << (b->top->sub_shift + SECTOR_SHIFT);

	if (layer->data && piece % max(bdev_discard_granularity(cc_data_bdev(layer)), 1U))
		return end;
	return min_t(u32, end, round_down(first, CC_HOLD_SUBS) + CC_HOLD_SUBS);
}

bool cc_subs_try_shared(struct cowchain *cc, struct cc_block *b, u32 first, u32 end)
{
	u64 from = cc_sub_cluster(b, first), to = cc_sub_cluster(b, end - 1);

	if (!cc_cells_try_shared(cc, from, to))
		return false;
	if (likely(!cc_block_held(b, first, end)))
		return true;
	cc_cells_unlock_shared(cc, from, to);
	return false;
}

static void cc_hold_wait(struct cc_block *b, u32 first, u32 end)
{
	wait_var_event(&b->held, !cc_block_held(b, first, end));
}

void cc_subs_lock_shared(struct cowchain *cc, struct cc_block *b, u32 first, u32 end)
{
	u64 from = cc_sub_cluster(b, first), to = cc_sub_cluster(b, end - 1);

	for (;;) {
		cc_cells_lock_shared(cc, from, to);
		if (likely(!cc_block_held(b, first, end)))
			return;
		cc_cells_unlock_shared(cc, from, to);
		cc_hold_wait(b, first, end);
	}
}

void cc_subs_lock_excl(struct cowchain *cc, struct cc_block *b, u32 first, u32 end)
{
	for (;;) {
		cc_cells_lock_excl(cc, cc_sub_cluster(b, first), cc_sub_cluster(b, end - 1));
		if (likely(!cc_block_held(b, first, end)))
			return;
		cc_subs_unlock_excl(cc, b, first, end);
		cc_hold_wait(b, first, end);
	}
}

void cc_subs_unlock_excl(struct cowchain *cc, struct cc_block *b, u32 first, u32 end)
{
	cc_cells_unlock_excl(cc, cc_sub_cluster(b, first), cc_sub_cluster(b, end - 1));
}

void cc_hold_begin(struct cowchain *cc, struct cc_block *b, u32 first, u32 end)
{
	u64 from = cc_sub_cluster(b, first), last = cc_sub_cluster(b, end - 1);

	while (cmpxchg(&b->held, 0, first << 16 | end))
		wait_var_event(&b->held, !READ_ONCE(b->held));
	for (; from <= last; from += CC_HOLD_CLUSTERS) {
		u64 to = min(last, from + CC_HOLD_CLUSTERS - 1);

		cc_cells_lock_excl(cc, from, to);
		cc_cells_unlock_excl(cc, from, to);
	}
}

void cc_hold_end(struct cc_block *b)
{
	/* Whoever finds the range free sees what its holder has done. */
	smp_store_release(&b->held, 0);
	/* Pairs with the barrier of the waiter between its place in the queue and its look. */
	smp_mb();
	wake_up_var(&b->held);
}
