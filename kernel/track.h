/* SPDX-License-Identifier: GPL-2.0-only */
/* Which parts of the disk were written since they were copied; see track.c. */
#ifndef COWCHAIN_TRACK_H
#define COWCHAIN_TRACK_H

#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

#include "map.h"

/**
 * struct cc_track - pieces of the disk that are to be copied.
 * @shift: log2 of the sectors of a piece.
 * @nr: pieces.
 * @dirty: to be copied; set by whoever writes, cleared by the job before it reads the piece.
 * @nr_dirty: of them.
 * @cleared: how many the job has cleared in all.
 * @hold: writes that make a piece dirty end when the job has got further; see cc_track_hold().
 * @ticket: of the last one in @held.
 * @held: in the order of their tickets.
 * @seen: @cleared when @timer was started.
 */
struct cc_track {
	refcount_t refs;			/* one for each view, and one for the job */
	unsigned int shift;
	u64 nr;

	spinlock_t lock;			/* all that follows; innermost, irq-safe */
	unsigned long *dirty;			/* the job also reads it without */
	u64 nr_dirty;
	u64 cleared;
	bool hold;
	u64 ticket;
	struct bio_list held;
	u64 seen;
	struct timer_list timer;
};

/* For a disk of @sectors, all of it dirty; or NULL without memory. Context: process. */
struct cc_track *cc_track_create(sector_t sectors);
void cc_track_get(struct cc_track *track);
/* Tolerates NULL. Context: process. */
void cc_track_put(struct cc_track *track);

/* The range is to be copied. Context: any. */
void cc_track_mark(struct cc_track *track, sector_t sector, u32 sectors);

/**
 * cc_track_take() - find dirty pieces that follow each other, and clear them.
 * @pos: sectors: where to begin; then where they begin.
 * @end: where they end, also if the disk ends inside the last one.
 * @max: sectors, at most.
 *
 * What is read of them afterwards is at least what was written before this.
 *
 * Context: process, one caller at a time. Return: false if there is none.
 */
bool cc_track_take(struct cc_track *track, sector_t *pos, sector_t *end, u32 max);

/* Pieces that are dirty. Context: any. */
u64 cc_track_dirty(struct cc_track *track);

/**
 * cc_track_hold() - let writes wait for the job, or no longer.
 *
 * A write that makes clean pieces dirty then ends when the job has cleared twice as many of others,
 * or all that there were. So the job gets ahead of any writer. If it clears none for a second, all
 * that wait may end. Context: process.
 */
void cc_track_hold(struct cc_track *track, bool on);

/**
 * cc_track_end() - end a write that cc_track_bio() has seen.
 *
 * Its data has been written, and its bits are set, unless @error. Context: any. Return: true if
 * the bio is held and ends later.
 */
bool cc_track_end(struct cc_io *io, struct bio *bio, blk_status_t error);

/* A bio that changes what the disk reads like enters a view, which it holds. Context: any. */
static inline void cc_track_bio(struct cc_io *io, struct bio *bio)
{
	io->flags &= ~CC_IO_TRACKED;
	if (!io->view->track)
		return;
	io->from = bio->bi_iter.bi_sector;
	io->sectors = bio_sectors(bio);
	io->flags |= CC_IO_TRACKED;
}

#endif /* COWCHAIN_TRACK_H */
