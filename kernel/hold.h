/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Held ranges: subclusters of a block that writes wait for while a discard is at work on the
 * device; see hold.c.
 */
#ifndef COWCHAIN_HOLD_H
#define COWCHAIN_HOLD_H

#include "block.h"

/* Clusters whose cells are taken at a time. */
#define CC_HOLD_CLUSTERS	32

/*
 * What is held of [first, end) at a time: where the piece that begins at @first ends. Context: any.
 */
u32 cc_hold_end_of(const struct cc_block *b, u32 first, u32 end);

/*
 * Is a part of the subclusters [first, end) held? If not, states that are read after this are those
 * that the last holder has left. Context: any.
 */
static inline bool cc_block_held(const struct cc_block *b, u32 first, u32 end)
{
	/* Pairs with cc_hold_end(). */
	u32 held = smp_load_acquire(&b->held);

	return unlikely(held) && first < (held & 0xffff) && held >> 16 < end;
}

/*
 * Take the cells of the subclusters [first, end), as cc_cells_*() do, when nothing of them is held.
 * The cells are given back with cc_cells_unlock_*(). Context: process; the first one: any.
 */
bool cc_subs_try_shared(struct cowchain *cc, struct cc_block *b, u32 first, u32 end);
void cc_subs_lock_shared(struct cowchain *cc, struct cc_block *b, u32 first, u32 end);
void cc_subs_lock_excl(struct cowchain *cc, struct cc_block *b, u32 first, u32 end);
void cc_subs_unlock_excl(struct cowchain *cc, struct cc_block *b, u32 first, u32 end);

/**
 * cc_hold_begin() - hold the subclusters [first, end).
 *
 * Waits until nothing else of the block is held, and until no write, fill or copy that takes cells
 * is in flight in the range. Context: process; no cells are held, @b is pinned.
 */
void cc_hold_begin(struct cowchain *cc, struct cc_block *b, u32 first, u32 end);

/* Context: process; @b is pinned. */
void cc_hold_end(struct cc_block *b);

#endif /* COWCHAIN_HOLD_H */
