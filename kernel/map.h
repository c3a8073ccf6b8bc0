/* SPDX-License-Identifier: GPL-2.0-only */
/* The way of a bio through the target. */
#ifndef COWCHAIN_MAP_H
#define COWCHAIN_MAP_H

#include "view.h"

struct cc_block;

/* Bits of cc_io.flags */
#define CC_IO_BITS	BIT(0)	/* set bits of @block when the write succeeded */
#define CC_IO_CELLS	BIT(1)	/* shared cells are held for that range */
#define CC_IO_SYNC	BIT(2)	/* FUA: wait for a sync before it ends */
#define CC_IO_THROTTLED	BIT(3)	/* counted, see throttle.h; cc_io_work() ends that */
#define CC_IO_EDGES	BIT(4)	/* a write-zeroes that may have to wait for a slow layer */
#define CC_IO_TRACKED	BIT(5)	/* mark the range at the end, see track.h */

/**
 * struct cc_io - per bio.
 * @view: reference held, or NULL, as long as the bio is queued.
 * @block: pinned if CC_IO_BITS.
 * @first, @end: subclusters of @block that the write makes allocated.
 * @from, @sectors: what the bio covers if CC_IO_TRACKED; @ticket: then, while it is held.
 * @bio, @work: for a worker.
 */
struct cc_io {
	struct cowchain *cc;
	struct cc_view *view;
	struct cc_block *block;
	u32 first;
	u32 end;
	u8 flags;
	u32 sectors;
	union {
		sector_t from;
		u64 ticket;
	};
	struct bio *bio;
	struct work_struct work;
};

/* dm's map and end_io. Context: any. */
int cc_map(struct dm_target *ti, struct bio *bio);
int cc_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error);

/* Runs a deferred bio: the value of cc->io_work. */
void cc_io_work(struct work_struct *work);

#endif /* COWCHAIN_MAP_H */
