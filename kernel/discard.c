// SPDX-License-Identifier: GPL-2.0-only
/*
 * Discards and write zeroes. Whole subclusters become zero bits; parts of them are zeroed by a
 * write zeroes and left alone by a discard.
 */
#include <linux/slab.h>

#include "cell.h"
#include "defer.h"
#include "discard.h"
#include "fill.h"
#include "hold.h"
#include "io.h"
#include "trim.h"
#include "writer.h"
#include "zero.h"

/* Zero [rel, end) on the data device. */
static int cc_write_zeros(struct cc_write *w, u32 rel, u32 end)
{
	int r = 0;

	while (rel < end && !r) {
		u32 len = end - rel;
		sector_t sector = cc_block_sector(w->b, rel, &len);

		r = cc_zero_device(w->cc, cc_data_bdev(w->b->top->layer), sector, len, w->unmap);
		rel += len;
	}
	return r;
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

/* The same with [from, to) of @w, after its rest has been filled. */
static int cc_zero_edge(const struct cc_write *w, u32 from, u32 to)
{
	struct cc_write edge = *w;
	int r;

	edge.rel = from;
	edge.end = to;
	edge.first = cc_sub_cluster(w->b, from >> w->sub_shift);
	edge.last = edge.first;
	r = cc_fill_and_lock(&edge);
	if (r)
		return r;
	r = cc_zero_part(&edge, from, to);
	cc_write_unlock(&edge, r);
	return r;
}

/* Zero the edges of a write-zeroes that cover their subcluster only in part. */
static int cc_zero_edges(struct cc_write *w)
{
	u32 head = w->rel & ((1U << w->sub_shift) - 1);
	u32 sub_end = cc_sub_end(w, w->rel);
	int r = 0;

	if (head || w->end < sub_end) {
		r = cc_zero_edge(w, w->rel, min(w->end, sub_end));
		w->rel = min(w->end, sub_end);
	}
	if (!r && w->rel < w->end && w->end < cc_sub_end(w, w->end - 1)) {
		u32 from = ((w->end - 1) >> w->sub_shift) << w->sub_shift;

		r = cc_zero_edge(w, from, w->end);
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

/*
 * An external data file that has to be a raw disk is zeroed: see zero.c. The data first, then the
 * bits, and there are none if zeroing fails. Until the bits are set, a read may return old data or
 * zeros, both of which are correct for an operation in flight.
 *
 * The range is held meanwhile: a later write to these subclusters must not reach the device before
 * the zeros do. Writes to others go on.
 */
static int cc_zero_held(struct cc_write *w, struct cc_zeroing *z, u32 first, u32 last)
{
	u32 rel = first << w->sub_shift;
	int r;

	cc_hold_begin(w->cc, w->b, first, last);
	r = cc_zero_data(z, rel, min(last << w->sub_shift, w->limit));
	if (r)
		cc_cells_fail(w->cc, cc_sub_cluster(w->b, first), cc_sub_cluster(w->b, last - 1));
	else if (cc_block_run(w->b, first, last, CC_ZERO) < last - first)
		cc_block_set(w->b, first, last, CC_ZERO);
	cc_hold_end(w->b);
	return r;
}

static int cc_zero_raw(struct cc_write *w, u32 first, u32 last)
{
	struct page *pages[CC_ZERO_PAGES];
	struct cc_zeroing z = {
		.cc = w->cc,
		.b = w->b,
		.unmap = w->unmap,
		.hint = bio_op(w->io->bio) == REQ_OP_DISCARD,
	};
	int r;

	cc_zero_get_pages(&z, pages);
	r = cc_zero_held(w, &z, first, last);
	cc_zero_put_pages(&z);
	return r;
}

/*
 * Otherwise zero bits are enough, and the operation ends when they are set. The space under them is
 * given back later; only where all was unallocated there is none.
 *
 * Return: false if the data file has to be a raw disk by now.
 */
static bool cc_hide_data(struct cc_write *w, u32 first, u32 last)
{
	struct cc_trim *trim = NULL;
	bool hidden;

	if (w->unmap && cc_block_run(w->b, first, last, CC_NONE) < last - first)
		trim = cc_trim_alloc(w->b->top->layer);
	cc_subs_lock_excl(w->cc, w->b, first, last);
	if (cc_zero_is_raw(w->view)) {
		cc_subs_unlock_excl(w->cc, w->b, first, last);
		kfree(trim);
		return false;
	}
	hidden = cc_block_run(w->b, first, last, CC_NONE) < last - first;
	if (cc_block_run(w->b, first, last, CC_ZERO) < last - first)
		cc_block_set(w->b, first, last, CC_ZERO);
	if (!w->unmap)
		cc_trim_keep(w->b, first, last);
	else if (hidden)
		cc_trim_add(trim, w->b, first, last);
	cc_subs_unlock_excl(w->cc, w->b, first, last);
	if (!hidden)
		kfree(trim);
	return true;
}

/* In pieces: the cells of no more are taken at a time, or no more is held. */
static int cc_zero_whole(struct cc_write *w)
{
	u32 first = cc_first_sub(w), last = cc_end_sub(w), next;
	int r = 0;

	for (; first < last && !r; first = next) {
		next = cc_hold_end_of(w->b, first, last);
		if (cc_zero_is_raw(w->view) || !cc_hide_data(w, first, next))
			r = cc_zero_raw(w, first, next);
	}
	cc_trims_start(w->b->top->layer->writer);
	return r;
}

/* Also true at an end of the image that lies in a subcluster. */
static bool cc_has_edges(struct cc_io *io)
{
	sector_t mask = (1U << io->view->top->sub_shift) - 1;

	return (io->bio->bi_iter.bi_sector | bio_end_sector(io->bio)) & mask;
}

int cc_discard_deferred(struct cc_io *io)
{
	bool discard = bio_op(io->bio) == REQ_OP_DISCARD;
	bool fua = io->bio->bi_opf & REQ_FUA;
	struct cc_write w;
	int r;

	if (!discard && cc_has_edges(io) && cc_defer_edges(io))
		return -EAGAIN;
	r = cc_write_begin(io, &w);
	if (r) {
		cc_write_end(io->bio, r);
		return 0;
	}
	if (discard)
		cc_trim_edges(&w);
	else
		r = cc_zero_edges(&w);
	if (r == -ESTALE)
		return cc_write_again(&w);
	if (!r && w.rel < w.end)
		r = cc_zero_whole(&w);
	cc_block_unpin(w.b);
	/* The block may be evicted now; the view keeps the top and its writer. */
	if (!r && fua)
		r = cc_writer_sync(w.view->top->layer->writer);
	cc_write_end(io->bio, r);
	return 0;
}
