// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads: from the top if it has the subclusters, otherwise what the below map says. A worker loads
 * what is cold.
 */
#include "below.h"
#include "defer.h"
#include "read.h"
#include "tail.h"
#include "top.h"
#include "unpacked.h"
#include "watch.h"

static void cc_top_piece(struct cc_view *view, struct cc_block *b, sector_t pos, u32 max,
			 struct cc_piece *p)
{
	struct cc_top *top = view->top;
	u32 rel = pos & ((1U << top->block_shift) - 1);
	u32 end = min_t(u64, (u64)rel + max, 1U << top->block_shift);
	u32 first = rel >> top->sub_shift;
	u32 last = (end + (1U << top->sub_shift) - 1) >> top->sub_shift;
	u32 run;

	p->cold = false;
	p->state = cc_block_state(b, first);
	/* The state may change between the two calls; one subcluster is certain. */
	run = max(cc_block_run(b, first, last, p->state), 1U);
	p->len = min(end, (first + run) << top->sub_shift) - rel;
	if (unlikely(cc_block_bad(b, first, first + run))) {
		p->state = CC_BAD;
	} else if (p->state == CC_DATA) {
		p->bdev = cc_data_bdev(top->layer);
		p->sector = cc_block_sector(b, rel, &p->len);
	}
}

/* Return: false if the block of the top is not loaded. */
static bool cc_read_top(struct cc_view *view, sector_t pos, u32 max, struct cc_piece *p)
{
	struct cc_block *b;

	rcu_read_lock();
	b = cc_top_block(view->top, pos >> view->top->block_shift);
	if (b) {
		if (!READ_ONCE(b->referenced))
			WRITE_ONCE(b->referenced, true);
		cc_top_piece(view, b, pos, max, p);
	} else {
		p->cold = true;
	}
	rcu_read_unlock();
	if (b && p->state == CC_NONE) {
		cc_below_piece(view, pos, p->len, p);
		p->below = true;
	}
	return b;
}

/* Is all that @p covers still unallocated in the top? */
static bool cc_piece_stands(struct cc_view *view, sector_t pos, const struct cc_piece *p)
{
	struct cc_top *top = view->top;
	u32 rel = pos & ((1U << top->block_shift) - 1);
	u32 first = rel >> top->sub_shift;
	u32 last = (rel + p->len + (1U << top->sub_shift) - 1) >> top->sub_shift;
	struct cc_block *b;
	bool stands;

	rcu_read_lock();
	b = cc_top_block(top, pos >> top->block_shift);
	stands = b && cc_block_run(b, first, last, CC_NONE) == last - first;
	rcu_read_unlock();
	return stands;
}

/*
 * The chain promises nowait I/O if the devices of its top can do it; others may not. So a bio with
 * that flag ends as if it had to wait for a worker.
 */
static void cc_check_nowait(struct bio *bio, struct cc_piece *p)
{
	if (unlikely(bio->bi_opf & REQ_NOWAIT) && !p->cold && p->state == CC_DATA &&
	    !bdev_nowait(p->bdev))
		p->cold = true;
}

/*
 * The below map is shared with the view that a finished stream publishes. A chunk that is resolved
 * after that no longer includes the dropped layers. So what the below map says is valid only if the
 * range is unallocated in the top afterwards.
 *
 * Context: any.
 */
static void cc_read_piece(struct cc_view *view, struct bio *bio, struct cc_piece *p)
{
	sector_t pos = bio->bi_iter.bi_sector;
	u32 max = bio_sectors(bio);

	if (!view->top) {
		cc_below_piece(view, pos, max, p);
		cc_check_nowait(bio, p);
		return;
	}
	for (;;) {
		p->below = false;
		if (!cc_read_top(view, pos, max, p) || !p->below || p->cold)
			return;
		/* Read the below map before the top is checked again. */
		smp_rmb();
		if (cc_piece_stands(view, pos, p))
			break;
	}
	cc_check_nowait(bio, p);
}

/*
 * Load what cc_read_piece() has found cold at @pos: the block of the top, and then @p is still
 * cold, since the top may have it all; or @p itself, from below.
 *
 * What is looked up below needs no second look at the top: the layers are those of this view, and
 * the top did not have the range after the view was taken.
 */
static int cc_view_warm(struct cc_view *view, sector_t pos, struct cc_piece *p)
{
	struct cc_block *b;

	if (!view->top || p->below)
		return cc_below_load(view, pos, p->len, p);
	b = cc_top_load(view->top, pos >> view->top->block_shift);
	if (IS_ERR(b))
		return PTR_ERR(b);
	cc_block_unpin(b);
	return 0;
}

static void cc_bio_copy(struct bio *bio, const struct cc_plain *plain, u32 offset)
{
	struct bvec_iter iter;
	struct bio_vec bv;
	void *to;

	bio_for_each_segment(bv, bio, iter) {
		to = bvec_kmap_local(&bv);
		cc_unpacked_copy(plain, offset, to, bv.bv_len);
		kunmap_local(to);
		flush_dcache_page(bv.bv_page);
		offset += bv.bv_len;
	}
}

static void cc_bio_copy_tail(struct bio *bio, const struct cc_tail *tail)
{
	struct bvec_iter iter;
	struct bio_vec bv;
	u32 offset = 0;

	bio_for_each_segment(bv, bio, iter) {
		memcpy_to_bvec(&bv, tail->bytes + offset);
		offset += bv.bv_len;
	}
}

/* What is in memory: zeros, the tail of a file, or a cluster that was decompressed. */
static int cc_map_memory(struct cc_io *io, struct bio *bio, const struct cc_piece *p)
{
	struct cc_plain plain;

	switch (p->state) {
	case CC_PACKED:
		if (!cc_unpacked_find(p->layer, p->sector, &plain))
			return cc_defer(io, bio, CC_DEFER_SECTORS);
		cc_bio_copy(bio, &plain, cc_packed_offset(p->layer, bio->bi_iter.bi_sector));
		cc_unpacked_put(&plain);
		break;
	case CC_TAIL:
		cc_bio_copy_tail(bio, cc_data_tail(p->layer));
		break;
	default:
		zero_fill_bio(bio);
	}
	if (cc_watching())
		cc_watch_read(io, bio, p);
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

int cc_map_read(struct cc_io *io, struct bio *bio)
{
	struct cc_piece p = { };

	cc_read_piece(io->view, bio, &p);
	if (unlikely(p.cold))
		return cc_defer(io, bio, CC_DEFER_SECTORS);
	if (p.len < bio_sectors(bio)) {
		if (cc_defer_refuses(bio))
			return DM_MAPIO_SUBMITTED;
		dm_accept_partial_bio(bio, p.len);
	}
	if (likely(p.state == CC_DATA)) {
		if (cc_watching())
			cc_watch_read(io, bio, &p);
		bio_set_dev(bio, p.bdev);
		bio->bi_iter.bi_sector = p.sector;
		return DM_MAPIO_REMAPPED;
	}
	if (p.state == CC_BAD) {
		if (cc_watching())
			cc_watch_read(io, bio, &p);
		return DM_MAPIO_KILL;
	}
	return cc_map_memory(io, bio, &p);
}

/* ---------------------------------------------------------- a worker reads */

static void cc_read_packed(struct bio *bio, const struct cc_piece *p)
{
	struct cc_plain plain;
	int r = cc_unpacked_get(p->layer, p->sector, &plain);

	if (!r) {
		cc_bio_copy(bio, &plain, cc_packed_offset(p->layer, bio->bi_iter.bi_sector));
		cc_unpacked_put(&plain);
	} else {
		/* Otherwise it may have the error of a piece that was split off. */
		bio->bi_status = errno_to_blk_status(r);
	}
	bio_endio(bio);
}

/* @bio is a piece of @io's, or all that is left of it. */
static void cc_submit_piece(struct cc_io *io, struct bio *bio, const struct cc_piece *p)
{
	if (cc_watching())
		cc_watch_read(io, bio, p);
	switch (p->state) {
	case CC_DATA:
		bio_set_dev(bio, p->bdev);
		bio->bi_iter.bi_sector = p->sector;
		dm_submit_bio_remap(io->bio, bio);
		break;
	case CC_BAD:
		bio_io_error(bio);
		break;
	case CC_PACKED:
		cc_read_packed(bio, p);
		break;
	case CC_TAIL:
		cc_bio_copy_tail(bio, cc_data_tail(p->layer));
		bio_endio(bio);
		break;
	default:
		zero_fill_bio(bio);
		bio_endio(bio);
	}
}

/*
 * Read piece by piece, the last one with the bio itself. A piece that is bad fails the bio, so what
 * follows need not be tried: much of it may depend on the same unreadable table.
 */
void cc_read_deferred(struct cc_io *io)
{
	struct bio *bio = io->bio;
	struct bio *split;
	struct cc_piece p = { };
	int r;

	for (;;) {
		cc_read_piece(io->view, bio, &p);
		if (p.cold) {
			r = cc_view_warm(io->view, bio->bi_iter.bi_sector, &p);
			if (r) {
				bio->bi_status = errno_to_blk_status(r);
				bio_endio(bio);
				return;
			}
			if (p.cold)
				continue;
		}
		if (p.state == CC_BAD || p.len >= bio_sectors(bio)) {
			cc_submit_piece(io, bio, &p);
			return;
		}
		split = cc_bio_split(bio, p.len, &io->cc->split_bs);
		if (!split) {
			bio_io_error(bio);
			return;
		}
		bio_chain(split, bio);
		cc_submit_piece(io, split, &p);
	}
}
