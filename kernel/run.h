/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tables of one layer say about a range of the guest's disk. */
#ifndef COWCHAIN_RUN_H
#define COWCHAIN_RUN_H

#include "layer.h"

enum cc_state {
	CC_NONE,	/* the layer below provides it */
	CC_DATA,	/* data at a sector of the layer's data device */
	CC_ZERO,	/* reads as zeros */
	CC_BAD,		/* the metadata is wrong or unreadable: EIO */
	CC_UNKNOWN,	/* not looked up yet */
	CC_TAIL,	/* the sector in which the file of the layer's data ends; see tail.h */
	CC_PACKED,	/* compressed: see unpack.h */
};

/* Is there something to be read in the layer that provides it? Context: any. */
static inline bool cc_state_provided(enum cc_state state)
{
	return state == CC_DATA || state == CC_TAIL || state == CC_PACKED;
}

/**
 * struct cc_run - a range of one state.
 * @start, @end: sectors of the guest's disk, [start, end).
 * @sector: where @start lies on the data device, for CC_DATA; the L2 entry, for CC_PACKED.
 */
struct cc_run {
	sector_t start;
	sector_t end;
	sector_t sector;
	enum cc_state state;
};

/* Subclusters that have @state in a bitmap word: bits 0-31 allocated, 32-63 zero. Context: any. */
static inline u32 cc_word_state(u64 word, enum cc_state state)
{
	switch (state) {
	case CC_DATA:
		return word;
	case CC_ZERO:
		return word >> 32;
	default:
		return ~((u32)word | (u32)(word >> 32));
	}
}

/*
 * What @sector of a run or an extent is @distance sectors behind its start. Two of the same state
 * are one if this is equal where they meet. Context: any.
 */
static inline u64 cc_run_at(enum cc_state state, u64 sector, sector_t distance)
{
	switch (state) {
	case CC_DATA:
	case CC_TAIL:
		return sector + distance;
	case CC_PACKED:
		return sector;
	default:
		return 0;
	}
}

/**
 * cc_layer_run() - the longest run of one state from @pos on.
 * @limit: the run ends there at the latest; > @pos.
 * @cached: use only L2 blocks that are in memory.
 *
 * If the L2 block of @pos cannot be had, the run is as long as what that block describes.
 *
 * Context: process, since it reads L2 blocks. Return: 0; -EAGAIN with a run of CC_UNKNOWN if the
 * block is not in memory; another -errno with a run of CC_BAD if it is unreadable.
 */
int cc_layer_run(struct cc_layer *layer, sector_t pos, sector_t limit, bool cached,
		 struct cc_run *run);

/* Begin to read the L2 block of @pos. Context: process. */
void cc_layer_ahead(struct cc_layer *layer, sector_t pos);

#endif /* COWCHAIN_RUN_H */
