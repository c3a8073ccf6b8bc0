// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracking: which parts of the disk the guest has written since a job has copied them.
 *
 * Bios of a view with a track are marked in end_io: after their data has been written and their
 * bits are set, and before the guest hears of it. The job clears a piece before it reads it. So
 * either it reads what was written, or the piece is dirty again and is read once more. What fails
 * is marked as well: some of it may have been written.
 *
 * Whoever writes faster than the job copies would keep it from ever getting to an end. So it may
 * ask for writes to be held: they end, as the guest sees it, when the job has cleared twice as many
 * pieces as they have made dirty. No write waits for a place in a queue or for a lock, and what is
 * held has been written: a snapshot, a suspend or the end of the job let it end at once.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>

#include "track.h"

/* 64 KiB: no subcluster is larger. With larger disks more, so that the map stays below 8 MiB. */
#define CC_TRACK_SHIFT	7
#define CC_TRACK_BITS	26

/* If the job has cleared nothing for so long, it waits for a device that does not answer. */
#define CC_TRACK_STALL	HZ

static void cc_track_end_list(struct bio_list *list)
{
	struct bio *bio;

	while ((bio = bio_list_pop(list)))
		bio_endio(bio);
}

/* Take what may end from the list; all of it, or what the job is ahead of. */
static void cc_track_pop(struct cc_track *track, bool all, struct bio_list *list)
{
	struct bio *bio;

	lockdep_assert_held(&track->lock);
	bio_list_init(list);
	while ((bio = bio_list_peek(&track->held))) {
		struct cc_io *io = dm_per_bio_data(bio, sizeof(*io));

		if (!all && io->ticket > track->cleared)
			break;
		bio_list_add(list, bio_list_pop(&track->held));
	}
	/* What comes next must not wait for what those have waited for. */
	if (all)
		track->ticket = track->cleared;
}

static void cc_track_start_timer(struct cc_track *track)
{
	lockdep_assert_held(&track->lock);
	track->seen = track->cleared;
	mod_timer(&track->timer, jiffies + CC_TRACK_STALL);
}

static void cc_track_stalled(struct timer_list *timer)
{
	struct cc_track *track = container_of(timer, struct cc_track, timer);
	struct bio_list list;
	unsigned long flags;

	spin_lock_irqsave(&track->lock, flags);
	cc_track_pop(track, track->seen == track->cleared, &list);
	if (!bio_list_empty(&track->held))
		cc_track_start_timer(track);
	spin_unlock_irqrestore(&track->lock, flags);
	cc_track_end_list(&list);
}

struct cc_track *cc_track_create(sector_t sectors)
{
	struct cc_track *track = kzalloc(sizeof(*track), GFP_KERNEL);

	if (!track)
		return NULL;
	track->shift = CC_TRACK_SHIFT;
	while (sectors >> track->shift > BIT_ULL(CC_TRACK_BITS))
		track->shift++;
	track->nr = (sectors + (1ULL << track->shift) - 1) >> track->shift;
	track->dirty = kvcalloc(BITS_TO_LONGS(track->nr), sizeof(long), GFP_KERNEL);
	if (!track->dirty) {
		kfree(track);
		return NULL;
	}
	bitmap_set(track->dirty, 0, track->nr);
	track->nr_dirty = track->nr;
	refcount_set(&track->refs, 1);
	spin_lock_init(&track->lock);
	bio_list_init(&track->held);
	timer_setup(&track->timer, cc_track_stalled, 0);
	return track;
}

void cc_track_get(struct cc_track *track)
{
	refcount_inc(&track->refs);
}

void cc_track_put(struct cc_track *track)
{
	if (!track || !refcount_dec_and_test(&track->refs))
		return;
	cc_timer_stop(&track->timer);
	kvfree(track->dirty);
	kfree(track);
}

/* Return: how many of the pieces were clean. */
static u64 cc_track_set(struct cc_track *track, sector_t sector, u32 sectors)
{
	u64 i = sector >> track->shift, last = (sector + sectors - 1) >> track->shift;
	u64 fresh = 0;

	lockdep_assert_held(&track->lock);
	for (; i <= min(last, track->nr - 1); i++)
		fresh += !__test_and_set_bit(i, track->dirty);
	track->nr_dirty += fresh;
	return fresh;
}

void cc_track_mark(struct cc_track *track, sector_t sector, u32 sectors)
{
	unsigned long flags;

	if (!sectors)
		return;
	spin_lock_irqsave(&track->lock, flags);
	cc_track_set(track, sector, sectors);
	spin_unlock_irqrestore(&track->lock, flags);
}

/*
 * The job alone clears bits, so one that was found without the lock is still set. The lock orders
 * clearing them before the reads of the job, and after what those have written who set them.
 */
bool cc_track_take(struct cc_track *track, sector_t *pos, sector_t *end, u32 max)
{
	unsigned long from, to, first = *pos >> track->shift;
	struct bio_list list;
	u64 n;

	from = find_next_bit(track->dirty, track->nr, first);
	if (from >= track->nr)
		return false;
	n = max_t(u64, max >> track->shift, 1);
	to = find_next_zero_bit(track->dirty, min(from + n, track->nr), from);
	spin_lock_irq(&track->lock);
	bitmap_clear(track->dirty, from, to - from);
	track->nr_dirty -= to - from;
	track->cleared += to - from;
	cc_track_pop(track, false, &list);
	spin_unlock_irq(&track->lock);
	cc_track_end_list(&list);
	*pos = (sector_t)from << track->shift;
	*end = (sector_t)to << track->shift;
	return true;
}

u64 cc_track_dirty(struct cc_track *track)
{
	unsigned long flags;
	u64 n;

	spin_lock_irqsave(&track->lock, flags);
	n = track->nr_dirty;
	spin_unlock_irqrestore(&track->lock, flags);
	return n;
}

void cc_track_hold(struct cc_track *track, bool on)
{
	struct bio_list list;

	spin_lock_irq(&track->lock);
	track->hold = on;
	cc_track_pop(track, !on, &list);
	spin_unlock_irq(&track->lock);
	cc_track_end_list(&list);
}

/* The job clears what is dirty, so a ticket that is no higher than that comes up. */
static u64 cc_track_ticket(struct cc_track *track, u64 fresh)
{
	u64 after = max(track->ticket, track->cleared);

	lockdep_assert_held(&track->lock);
	return min(after + 2 * fresh, track->cleared + track->nr_dirty);
}

/*
 * What has failed is marked, too, since it may have been written in part: also a bio that did not
 * want to wait and gets EAGAIN, if the device below has split it. None of that is held, so an
 * EAGAIN does not come from another context.
 */
bool cc_track_end(struct cc_io *io, struct bio *bio, blk_status_t error)
{
	struct cc_track *track = io->view ? io->view->track : NULL;
	unsigned long flags;
	bool held = false;
	u64 fresh;

	io->flags &= ~CC_IO_TRACKED;
	if (!track || !io->sectors)
		return false;
	spin_lock_irqsave(&track->lock, flags);
	fresh = cc_track_set(track, io->from, io->sectors);
	if (track->hold && fresh && !error) {
		held = true;
		io->ticket = cc_track_ticket(track, fresh);
		track->ticket = io->ticket;
		if (bio_list_empty(&track->held))
			cc_track_start_timer(track);
		bio_list_add(&track->held, bio);
	}
	spin_unlock_irqrestore(&track->lock, flags);
	return held;
}
