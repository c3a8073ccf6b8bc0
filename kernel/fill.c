// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes that a worker does: it fills what the guest leaves open of a subcluster, then writes the
 * guest's data.
 *
 * A worker's write lies in one cluster, other bios of a worker in one block of the top. While
 * holding cells, wait only for I/O to the top and for a bio of @cc->bs. Neither needs a cell: the
 * bios are those of writes to the top, which end on their own.
 * Nobody waits for a page of @cc->page_pool with a cell held, because its holders wait for cells.
 * Layers below, which may be slow, are read before: see cc_fill().
 */
#include <linux/mm.h>

#include "below.h"
#include "cell.h"
#include "counts.h"
#include "fill.h"
#include "hold.h"
#include "top.h"
#include "trace.h"
#include "watch.h"

void cc_write_end(struct bio *bio, int error)
{
	bio->bi_status = errno_to_blk_status(error);
	bio_endio(bio);
}

int cc_write_begin(struct cc_io *io, struct cc_write *w)
{
	struct cc_top *top = io->view->top;
	sector_t pos = io->bio->bi_iter.bi_sector;
	u32 index = pos >> top->block_shift;
	sector_t start = (sector_t)index << top->block_shift;

	w->cc = io->cc;
	w->io = io;
	w->view = io->view;
	w->b = cc_top_load(top, index);
	if (IS_ERR(w->b))
		return PTR_ERR(w->b);
	w->sub_shift = top->sub_shift;
	w->rel = pos - start;
	w->end = w->rel + bio_sectors(io->bio);
	w->limit = min_t(sector_t, top->layer->sectors - start, 1U << top->block_shift);
	w->first = pos >> top->cluster_shift;
	w->last = (pos + bio_sectors(io->bio) - 1) >> top->cluster_shift;
	w->unmap = !w->cc->no_discard_passdown && !(io->bio->bi_opf & REQ_NOUNMAP);
	if (cc_block_bad(w->b, w->rel >> w->sub_shift, ((w->end - 1) >> w->sub_shift) + 1)) {
		cc_block_unpin(w->b);
		return -EIO;
	}
	return 0;
}

static sector_t cc_write_pos(const struct cc_write *w, u32 rel)
{
	return ((sector_t)w->b->index << w->view->top->block_shift) + rel;
}

/* -------------------------------------------------------------------- fill */

/*
 * Read what the layers below have, as a reader of the view. A snapshot waits for its writers, and
 * all writes of the guest wait for the snapshot: so no writer may wait for a layer below, which may
 * not respond for a long time.
 *
 * A view that has been replaced never gets writers again. So if this can become a writer once more,
 * the top is still the top, as if it had been one all the time.
 *
 * Return: 0, -ESTALE (still a reader: see cc_write_again()), or -errno.
 */
static int cc_fill_read(struct cc_write *w, u32 rel, u32 sectors, struct page *page)
{
	int r;

	/* The writers of a view are drained before its readers. */
	percpu_ref_get(&w->view->readers.ref);
	cc_view_put(w->view, true);
	r = cc_read_below(w->view, cc_write_pos(w, rel), sectors, &page, 0);
	if (!percpu_ref_tryget_live(&w->view->writers.ref))
		return -ESTALE;
	cc_view_put(w->view, false);
	return r;
}

int cc_write_again(struct cc_write *w)
{
	/* The block belongs to the view's top. */
	cc_block_unpin(w->b);
	cc_view_put(w->view, false);
	w->io->view = NULL;
	return -ESTALE;
}

/* Write what was read below, unless the subcluster has been written meanwhile. */
static int cc_fill_page(struct cc_write *w, u32 rel, u32 sectors, struct page *page)
{
	u32 sub = rel >> w->sub_shift;
	u64 cluster = cc_sub_cluster(w->b, sub);
	int r = 0;

	cc_subs_lock_excl(w->cc, w->b, sub, sub + 1);
	if (cc_block_state(w->b, sub) == CC_NONE)
		r = cc_write_top(w->cc, w->b, rel, sectors, &page, 0);
	if (r)
		cc_cells_fail(w->cc, cluster, cluster);
	cc_subs_unlock_excl(w->cc, w->b, sub, sub + 1);
	return r;
}

/* Also one that has to begin again. */
static void cc_fill_done(struct cc_write *w, u32 from, u32 sectors, int error)
{
	if (!error) {
		cc_counts_add(w->b->top->layer->counts, CC_COUNT_FILLS, 1);
		cc_counts_add(w->b->top->layer->counts, CC_COUNT_FILL_BYTES,
			      (u64)sectors << SECTOR_SHIFT);
	}
	trace_cowchain_fill(w->cc, cc_write_pos(w, from), sectors, error);
}

/*
 * Copy what the layers below have at [from, to), a part of one subcluster, to its place in the top,
 * if the subcluster is unallocated. It cannot be seen before the bit is set, so a crash or an error
 * here loses nothing.
 *
 * The cell is held only while the top is written, so that a slow layer delays nobody who does not
 * need it. What the layers below read like never changes, and a subcluster never becomes
 * unallocated again. So if it is still unallocated when the cell is taken in the end, it was so
 * all the time and what was filled is there, unless a write has failed meanwhile: see
 * cc_fill_and_lock().
 *
 * The page is held while a layer below is read, and while the cell is waited for. So if the kernel
 * has no page to give, only as many fills as the reserve has pages are under way, and if all of
 * these read a layer that does not answer, other fills wait for it, too. Rewrites, writes of whole
 * subclusters, flushes and headers need none of these pages.
 */
static int cc_fill(struct cc_write *w, u32 from, u32 to)
{
	struct page *page;
	u32 begin = from;
	int r = 0;

	if (from == to || cc_block_state(w->b, from >> w->sub_shift) != CC_NONE)
		return 0;
	page = mempool_alloc(&w->cc->page_pool, GFP_NOIO);
	while (from < to && !r) {
		u32 n = min_t(u32, to - from, PAGE_SECTORS);

		r = cc_fill_read(w, from, n, page);
		if (!r)
			r = cc_fill_page(w, from, n, page);
		from += n;
	}
	mempool_free(page, &w->cc->page_pool);
	cc_fill_done(w, begin, to - begin, r);
	return r;
}

/*
 * Fill the parts of the first and the last subcluster that the range does not cover. No cells are
 * held.
 */
static int cc_fill_edges(struct cc_write *w)
{
	u32 head = (w->rel >> w->sub_shift) << w->sub_shift;
	u32 tail = cc_sub_end(w, w->end - 1);
	int r;

	r = cc_fill(w, head, w->rel);
	return r ? r : cc_fill(w, w->end, tail);
}

/*
 * What was filled may have been overwritten by a write of the guest that failed but reached the
 * device all the same. Its data must not appear after the guest has read the old content, so fill
 * again if a write has failed meanwhile.
 */
int cc_fill_and_lock(struct cc_write *w)
{
	unsigned int failures;
	int r;

	for (;;) {
		failures = cc_cells_failures(w->cc, w->first, w->last);
		r = cc_fill_edges(w);
		if (r)
			return r;
		cc_subs_lock_excl(w->cc, w->b, cc_first_sub(w), cc_end_sub(w));
		if (likely(failures == cc_cells_failures(w->cc, w->first, w->last)))
			return 0;
		cc_cells_unlock_excl(w->cc, w->first, w->last);
	}
}

void cc_write_unlock(struct cc_write *w, int error)
{
	if (error)
		cc_cells_fail(w->cc, w->first, w->last);
	cc_cells_unlock_excl(w->cc, w->first, w->last);
}

/* ------------------------------------------------------------------- write */

/*
 * Write zeros to [from, to), a part of one subcluster, in the top, if the subcluster reads as
 * zeros. Its cell is held.
 */
static int cc_fill_zeros(struct cc_write *w, u32 from, u32 to)
{
	struct page *page = ZERO_PAGE(0);
	int r = 0;

	if (from == to || cc_block_state(w->b, from >> w->sub_shift) != CC_ZERO)
		return 0;
	while (from < to && !r) {
		u32 n = min_t(u32, to - from, PAGE_SECTORS);

		r = cc_write_top(w->cc, w->b, from, n, &page, 0);
		from += n;
	}
	return r;
}

/* Do what cc_fill_edges() has left, under the cells. */
static int cc_finish_edges(struct cc_write *w)
{
	u32 head = (w->rel >> w->sub_shift) << w->sub_shift;
	u32 tail = cc_sub_end(w, w->end - 1);
	int r;

	r = cc_fill_zeros(w, head, w->rel);
	if (!r)
		r = cc_fill_zeros(w, w->end, tail);
	if (!r && cc_block_state(w->b, (w->end - 1) >> w->sub_shift) != CC_DATA)
		r = cc_zero_slack(w->cc, w->b, w->rel >> w->sub_shift,
				  ((w->end - 1) >> w->sub_shift) + 1);
	return r;
}

/* Does the write leave a part of its first or last subcluster open that is not allocated? */
static bool cc_edges_open(const struct cc_write *w)
{
	u32 mask = (1U << w->sub_shift) - 1;

	if ((w->rel & mask) && cc_block_state(w->b, w->rel >> w->sub_shift) != CC_DATA)
		return true;
	/* Also set at the end of the image: see cc_zero_slack(). */
	return (w->end & mask) && cc_block_state(w->b, (w->end - 1) >> w->sub_shift) != CC_DATA;
}

/*
 * Fill what the write leaves open and keep its cells shared. A write that leaves nothing open
 * shares them from the start: it waits for a fill, a copy or a discard that is in flight, but not
 * for other writes, nor they for it.
 *
 * Return: 0 with the cells held, or -errno without.
 */
static int cc_fill_and_share(struct cc_write *w)
{
	int r;

	if (!cc_edges_open(w)) {
		cc_subs_lock_shared(w->cc, w->b, cc_first_sub(w), cc_end_sub(w));
		/* A discard may have been there before. */
		if (likely(!cc_edges_open(w)))
			return 0;
		cc_cells_unlock_shared(w->cc, w->first, w->last);
	}
	r = cc_fill_and_lock(w);
	if (r)
		return r;
	r = cc_finish_edges(w);
	if (r)
		cc_write_unlock(w, r);
	else
		cc_cells_downgrade(w->cc, w->first, w->last);
	return r;
}

/*
 * A write that covers part of an unallocated subcluster, or whose cell was busy, or whose block was
 * not loaded:
 *
 * 1. Fill the rest of the subclusters at both ends, if they are not allocated.
 * 2. Take the cell exclusively: no copy, fill or discard is in flight there.
 * 3. Keep the cell shared and submit the guest's own data. Another partial write to the subcluster
 *    waits for the cell until the bit is set.
 * 4. end_io sets the bits.
 */
int cc_write_deferred(struct cc_io *io)
{
	struct bio *bio = io->bio;
	struct cc_write w;
	int r = cc_write_begin(io, &w);

	if (r) {
		cc_write_end(bio, r);
		return 0;
	}
	r = cc_fill_and_share(&w);
	if (r == -ESTALE)
		return cc_write_again(&w);
	if (r) {
		cc_block_unpin(w.b);
		cc_write_end(bio, r);
		return 0;
	}
	io->block = w.b;
	io->first = w.rel >> w.sub_shift;
	io->end = ((w.end - 1) >> w.sub_shift) + 1;
	io->flags |= CC_IO_BITS | CC_IO_CELLS;
	if (bio->bi_opf & REQ_FUA) {
		bio->bi_opf &= ~REQ_FUA;
		io->flags |= CC_IO_SYNC;
	}
	if (cc_watching())
		cc_watch_write(bio);
	cc_remap_top(w.b, bio, w.rel);
	dm_submit_bio_remap(bio, NULL);
	return 0;
}
