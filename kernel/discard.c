// SPDX-License-Identifier: GPL-2.0-only
/*
 * Discards and write zeroes. Whole subclusters become zero bits; parts of them are zeroed by a
 * write zeroes and left alone by a discard.
 */
#include "cell.h"
#include "discard.h"
#include "fill.h"
#include "io.h"
#include "top.h"
#include "writer.h"

typedef int (*cc_extent_fn)(struct cc_write *w, sector_t sector, u32 len);

/* Issue @fn for each contiguous piece of [rel, end) on the data device. */
static int cc_do_extents(struct cc_write *w, u32 rel, u32 end, cc_extent_fn fn)
{
	int r = 0;

	while (rel < end && !r) {
		u32 len = end - rel;
		sector_t sector = cc_block_sector(w->b, rel, &len);

		r = fn(w, sector, len);
		rel += len;
	}
	return r;
}

static int cc_pass_discard(struct cc_write *w, sector_t sector, u32 len)
{
	/* Only a hint, so errors are ignored: the guest reads zeros in any case. */
	blkdev_issue_discard(cc_data_bdev(w->b->top->layer), sector, len, GFP_NOIO);
	return 0;
}

static int cc_pass_zeroes(struct cc_write *w, sector_t sector, u32 len)
{
	return cc_zero_device(w->cc, cc_data_bdev(w->b->top->layer), sector, len, w->unmap);
}

/* Zero [from, to), a part of an allocated subcluster. */
static int cc_write_zeros(struct cc_write *w, u32 from, u32 to)
{
	return cc_do_extents(w, from, to, cc_pass_zeroes);
}

/* ---------------------------------------------------- parts of subclusters */

/*
 * Make [from, to), a part of one subcluster, read as zeros. If the subcluster is unallocated, its
 * rest has been filled.
 */
static int cc_zero_part(struct cc_write *w, u32 from, u32 to)
{
	u32 sub = from >> w->sub_shift;
	enum cc_state state = cc_block_state(w->b, sub);
	int r = 0;

	if (state == CC_ZERO)
		return 0;
	if (state == CC_NONE)
		r = cc_zero_slack(w->cc, w->b, sub, sub + 1);
	if (!r)
		r = cc_write_zeros(w, from, to);
	if (!r && state == CC_NONE)
		cc_block_set(w->b, sub, sub + 1, CC_DATA);
	return r;
}

/* Zero the edges of a write-zeroes that cover their subcluster only in part. */
static int cc_zero_edges(struct cc_write *w)
{
	u32 head = w->rel & ((1U << w->sub_shift) - 1);
	u32 sub_end = cc_sub_end(w, w->rel);
	int r = 0;

	if (head || w->end < sub_end) {
		r = cc_zero_part(w, w->rel, min(w->end, sub_end));
		w->rel = min(w->end, sub_end);
	}
	if (!r && w->rel < w->end && w->end < cc_sub_end(w, w->end - 1)) {
		u32 from = ((w->end - 1) >> w->sub_shift) << w->sub_shift;

		r = cc_zero_part(w, from, w->end);
		w->end = from;
	}
	return r;
}

/* A discard does not touch subclusters that it covers only in part. */
static void cc_trim_edges(struct cc_write *w)
{
	u32 sub = 1U << w->sub_shift;

	w->rel = (w->rel + sub - 1) & ~(sub - 1);
	if (w->end != w->limit)
		w->end &= ~(sub - 1);
}

/* ------------------------------------------------------- whole subclusters */

static bool cc_any_data(struct cc_write *w, u32 first, u32 last)
{
	while (first < last) {
		enum cc_state state = cc_block_state(w->b, first);

		if (state == CC_DATA)
			return true;
		first += cc_block_run(w->b, first, last, state);
	}
	return false;
}

/*
 * Set zero bits for whole subclusters. The space is given back only when these are durable: until
 * then a crash brings back the old bits, and the data under them must still be there. Zeroing the
 * data of an external data file need not wait, since old data and zeros are both correct for a
 * write-zeroes in flight. It is always done, so that the data file is the guest's disk when
 * everything has been streamed into it.
 */
static int cc_zero_whole(struct cc_write *w, bool discard)
{
	u32 first = w->rel >> w->sub_shift;
	u32 last = (w->end + (1U << w->sub_shift) - 1) >> w->sub_shift;
	struct cc_layer *layer = w->b->top->layer;
	bool data = cc_any_data(w, first, last);
	int r = 0;

	if (cc_block_run(w->b, first, last, CC_ZERO) < last - first)
		cc_block_set(w->b, first, last, CC_ZERO);
	if (layer->data)
		return cc_do_extents(w, w->rel, w->end, cc_pass_zeroes);
	if (discard && data && !w->cc->no_discard_passdown &&
	    bdev_max_discard_sectors(cc_data_bdev(layer))) {
		r = cc_writer_sync(layer->writer);
		if (!r)
			cc_do_extents(w, w->rel, w->end, cc_pass_discard);
	}
	return r;
}

/*
 * The cells are held exclusively to the end: a later write to these subclusters must not reach the
 * device before the discard does.
 */
int cc_discard_deferred(struct cc_io *io)
{
	bool discard = bio_op(io->bio) == REQ_OP_DISCARD;
	bool fua = io->bio->bi_opf & REQ_FUA;
	struct cc_write w;
	int r = cc_write_begin(io, &w);

	if (r) {
		cc_write_end(io->bio, r);
		return 0;
	}
	if (discard)
		cc_cells_lock_excl(w.cc, w.first, w.last);
	else
		r = cc_fill_and_lock(&w);
	if (r == -ESTALE)
		return cc_write_again(&w);
	if (!r) {
		if (discard)
			cc_trim_edges(&w);
		else
			r = cc_zero_edges(&w);
		if (!r && w.rel < w.end)
			r = cc_zero_whole(&w, discard);
		cc_write_unlock(&w, r);
	}
	cc_block_unpin(w.b);
	/* The block may be evicted now; the view keeps the top and its writer. */
	if (!r && fua)
		r = cc_writer_sync(w.view->top->layer->writer);
	cc_write_end(io->bio, r);
	return 0;
}
