// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes that are remapped at once: rewrites, and whole subclusters, whose bits are set at the end.
 */
#include "cell.h"
#include "defer.h"
#include "hold.h"
#include "top.h"
#include "track.h"
#include "watch.h"
#include "write.h"
#include "writer.h"

/*
 * struct cc_span - what a write covers in its block.
 * @rel, @end: sectors; @first, @last: subclusters, [first, last).
 * @head, @tail: covers its first or last subcluster only in part.
 */
struct cc_span {
	u32 rel, end;
	u32 first, last;
	bool head, tail;
};

static void cc_write_span(struct cc_top *top, struct bio *bio, struct cc_span *s)
{
	u32 block = 1U << top->block_shift, sub = 1U << top->sub_shift;

	s->rel = bio->bi_iter.bi_sector & (block - 1);
	s->end = min_t(u64, (u64)s->rel + bio_sectors(bio), block);
	s->first = s->rel >> top->sub_shift;
	s->last = (s->end + sub - 1) >> top->sub_shift;
	s->head = s->rel & (sub - 1);
	/* Also set at the end of the image: see cc_zero_slack(). */
	s->tail = s->end & (sub - 1);
}

/*
 * Cut the span before a subcluster that has to be filled first.
 *
 * Return: false if that is its first one.
 */
static bool cc_span_trim(struct cc_top *top, const struct cc_block *b, struct cc_span *s)
{
	if (s->head && cc_block_state(b, s->first) != CC_DATA)
		return false;
	if (s->tail && cc_block_state(b, s->last - 1) != CC_DATA) {
		s->last--;
		s->end = s->last << top->sub_shift;
		s->tail = false;
	}
	return s->last > s->first;
}

/* Would cc_write_remap() split a bio that must not wait? See cc_defer_refuses(). */
static bool cc_write_splits(struct cc_block *b, struct bio *bio, const struct cc_span *s)
{
	u32 len = s->end - s->rel;

	if (!(bio->bi_opf & REQ_NOWAIT))
		return false;
	cc_block_sector(b, s->rel, &len);
	return len < bio_sectors(bio);
}

/* Remap as far as the data is contiguous. Return: false if the bio has ended instead. */
static bool cc_write_remap(struct cc_io *io, struct cc_block *b, struct bio *bio,
			   struct cc_span *s)
{
	u32 len = s->end - s->rel;
	sector_t sector = cc_block_sector(b, s->rel, &len);

	if (len < bio_sectors(bio)) {
		if (cc_defer_refuses(bio))
			return false;
		dm_accept_partial_bio(bio, len);
	}
	if (cc_watching())
		cc_watch_write(bio);
	bio_set_dev(bio, cc_data_bdev(b->top->layer));
	bio->bi_iter.bi_sector = sector;
	s->end = s->rel + len;
	return true;
}

/*
 * FUA: leave it to a disk that does it, unless bits wait for a sync. Otherwise the data is written
 * first and the bio ends after a sync, which flushes it. See cc_layer_fua_bdev().
 */
static void cc_prepare_fua(struct cc_io *io, struct bio *bio, bool sets_bits)
{
	struct cc_layer *layer = io->view->top->layer;

	if (!(bio->bi_opf & REQ_FUA))
		return;
	if (!sets_bits && layer->fua_bdev && bdev_fua(layer->fua_bdev) &&
	    !cc_writer_needs_sync(layer->writer))
		return;
	bio->bi_opf &= ~REQ_FUA;
	io->flags |= CC_IO_SYNC;
}

/*
 * Write whole subclusters, not all of which are allocated: in place under shared cells, with their
 * bits set when the data has been written. The states are checked again under the cells, since only
 * these exclude a discard.
 *
 * Rewrites of an external data file take the cells, too: there a discard zeroes the data, and a
 * write that it overtakes would undo that.
 *
 * Return: false if the bio has to be deferred.
 */
static bool cc_write_whole(struct cc_io *io, struct cc_block *b, struct bio *bio,
			   struct cc_span *s)
{
	struct cowchain *cc = io->cc;
	u64 first = cc_sub_cluster(b, s->first), last = cc_sub_cluster(b, s->last - 1);
	u32 subs = s->last;

	if (!cc_subs_try_shared(cc, b, s->first, s->last))
		return false;
	if (!cc_span_trim(b->top, b, s) || cc_write_splits(b, bio, s) || !cc_block_pin(b)) {
		cc_cells_unlock_shared(cc, first, last);
		return false;
	}
	cc_write_remap(io, b, bio, s);
	s->last = min(s->last, (s->end + (1U << b->top->sub_shift) - 1) >> b->top->sub_shift);
	if (s->last < subs && cc_sub_cluster(b, s->last - 1) < last)
		cc_cells_unlock_shared(cc, cc_sub_cluster(b, s->last - 1) + 1, last);
	io->block = b;
	io->first = s->first;
	io->end = s->last;
	io->flags |= CC_IO_BITS | CC_IO_CELLS;
	return true;
}

static __always_inline int cc_map_rewrite(struct cc_io *io, struct cc_block *b, struct bio *bio,
					  struct cc_span *s)
{
	if (!cc_write_remap(io, b, bio, s))
		return DM_MAPIO_SUBMITTED;
	cc_prepare_fua(io, bio, false);
	return DM_MAPIO_REMAPPED;
}

static int cc_map_write_block(struct cc_io *io, struct cc_block *b, struct bio *bio)
{
	struct cc_span s;
	bool bits;

	cc_write_span(b->top, bio, &s);
	if (unlikely(cc_block_bad(b, s.first, s.last)))
		return DM_MAPIO_KILL;
	bits = cc_block_run(b, s.first, s.last, CC_DATA) < s.last - s.first;
	if (likely(!bits && !io->view->hook_rewrites))
		return cc_map_rewrite(io, b, bio, &s);
	if (unlikely(io->view->track))
		cc_track_bio(io, bio);
	if (!bits && !b->top->layer->data)
		return cc_map_rewrite(io, b, bio, &s);
	if (!cc_span_trim(b->top, b, &s) || !cc_write_whole(io, b, bio, &s)) {
		/* Defer only the subcluster that has to be filled. */
		u32 left = (((s.rel >> b->top->sub_shift) + 1) << b->top->sub_shift) - s.rel;

		if (cc_defer_refuses(bio))
			return DM_MAPIO_SUBMITTED;
		if (left < bio_sectors(bio) && s.head)
			dm_accept_partial_bio(bio, left);
		return cc_defer(io, bio, CC_DEFER_SECTORS);
	}
	/* Check again under the cells: a discard may have cleared bits. */
	bits = cc_block_run(b, s.first, s.last, CC_DATA) < s.last - s.first;
	cc_prepare_fua(io, bio, bits);
	return DM_MAPIO_REMAPPED;
}

int cc_map_write(struct cc_io *io, struct bio *bio)
{
	struct cc_top *top = io->view->top;
	struct cc_block *b;
	int r;

	if (unlikely(!top || READ_ONCE(io->cc->mode) != CC_RW))
		return DM_MAPIO_KILL;
	rcu_read_lock();
	b = cc_top_block(top, bio->bi_iter.bi_sector >> top->block_shift);
	if (b && !READ_ONCE(b->referenced))
		WRITE_ONCE(b->referenced, true);
	r = b ? cc_map_write_block(io, b, bio) : cc_defer(io, bio, CC_DEFER_SECTORS);
	rcu_read_unlock();
	return r;
}

/* --------------------------------------------------------------------- end */

/*
 * The data has been written and may be seen now. After a crash before the bit is durable, the old
 * content is still what the layers below provide.
 */
void cc_end_write(struct cc_io *io, blk_status_t error)
{
	struct cc_block *b = io->block;

	if (!error)
		cc_block_set(b, io->first, io->end, CC_DATA);
	if (io->flags & CC_IO_CELLS) {
		u64 first = cc_sub_cluster(b, io->first), last = cc_sub_cluster(b, io->end - 1);

		if (error)
			cc_cells_fail(io->cc, first, last);
		cc_cells_unlock_shared(io->cc, first, last);
	}
	cc_block_unpin(b);
	io->flags &= ~(CC_IO_BITS | CC_IO_CELLS);
}
