// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a bio: classify, remap or defer, end.
 *
 * Hot:  all subclusters allocated in the top: a view reference, one or two
 *       words and a mask, remap.
 * Warm: the below map knows the extent, or whole subclusters are written:
 *       remap; bits are set in end_io.
 * Cold: a worker loads metadata, fills a subcluster or waits for a cell.
 *
 * bi_sector is relative to the target from cc_map() on.
 */
#include "cell.h"
#include "cowchain.h"

static void cc_io_work(struct work_struct *work);

/* ------------------------------------------------------------------ defer */

/* A part of a subcluster: its rest may have to be read from a layer that is slow. */
static bool cc_zeroes_part(struct cc_io *io)
{
	return bio_op(io->bio) == REQ_OP_WRITE_ZEROES && io->view &&
	       bio_sectors(io->bio) < 1U << io->view->top->sub_shift;
}

static void cc_queue_io(struct cc_io *io)
{
	struct cowchain *cc = io->cc;

	INIT_WORK(&io->work, cc_io_work);
	switch (bio_op(io->bio)) {
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		/* One from the guest may be thousands here, which others must not queue behind. */
		if (!cc_zeroes_part(io)) {
			queue_work(cc->discard_wq, &io->work);
			break;
		}
		fallthrough;
	default:
		queue_work(cc->wq, &io->work);
	}
}

/*
 * What becomes of a bio that has to wait.  Nobody polls for what a worker
 * submits, so it is not polled for at all; nor does its submitter wait here,
 * who says nowait, too, and would be told the same each time he tries again.
 *
 * Return: false if it must not wait.
 */
static bool cc_may_wait(struct bio *bio)
{
	if (bio->bi_opf & REQ_POLLED)
		bio->bi_opf &= ~(REQ_POLLED | REQ_NOWAIT);
	return !(bio->bi_opf & REQ_NOWAIT);
}

/* A worker has no cgroup: the bio takes that of its submitter along. */
static void cc_keep_cgroup(struct cowchain *cc, struct bio *bio)
{
	bio_set_dev(bio, dm_disk(cc->md)->part0);
}

/*
 * Where a worker's bio must end.  The edges of a write-zeroes, which cover their
 * subclusters only in part, go by themselves, see cc_queue_io().
 */
static u32 cc_defer_sectors(struct cc_io *io, struct bio *bio, u32 boundary)
{
	u32 left = boundary - (bio->bi_iter.bi_sector & (boundary - 1));
	u32 sub, head;

	left = min(left, bio_sectors(bio));
	if (bio_op(bio) != REQ_OP_WRITE_ZEROES)
		return left;
	sub = 1U << io->view->top->sub_shift;
	head = bio->bi_iter.bi_sector & (sub - 1);
	if (head)
		return min(left, sub - head);
	return left > sub ? round_down(left, sub) : left;
}

/*
 * Hand the bio to a worker.  It is cut where a worker's bio must end; a work
 * item a bio, so that a slow layer only holds up who needs it.
 */
static int cc_defer(struct cc_io *io, struct bio *bio, u32 boundary)
{
	u32 left = cc_defer_sectors(io, bio, boundary);

	if (!cc_may_wait(bio)) {
		bio_wouldblock_error(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (bio_sectors(bio) > left)
		dm_accept_partial_bio(bio, left);
	cc_keep_cgroup(io->cc, bio);
	io->bio = bio;
	cc_queue_io(io);
	return DM_MAPIO_SUBMITTED;
}

static u32 cc_defer_boundary(struct bio *bio)
{
	switch (bio_op(bio)) {
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		return CC_DISCARD_SECTORS;
	default:
		return CC_DEFER_SECTORS;
	}
}

static bool cc_io_writes(struct bio *bio)
{
	return bio_op(bio) != REQ_OP_READ;
}

/* A snapshot is being taken.  False: it is over, look again. */
static bool cc_pause_bio(struct cc_io *io, struct bio *bio)
{
	struct cowchain *cc = io->cc;
	u32 boundary = cc_defer_boundary(bio);
	u32 left = boundary - (bio->bi_iter.bi_sector & (boundary - 1));
	unsigned long flags;

	cc_keep_cgroup(cc, bio);
	spin_lock_irqsave(&cc->lock, flags);
	if (!cc->paused) {
		spin_unlock_irqrestore(&cc->lock, flags);
		return false;
	}
	if (!cc_may_wait(bio)) {
		spin_unlock_irqrestore(&cc->lock, flags);
		bio_wouldblock_error(bio);
		return true;
	}
	if (bio_sectors(bio) > left)
		dm_accept_partial_bio(bio, left);
	io->bio = bio;
	bio_list_add(&cc->paused_bios, bio);
	spin_unlock_irqrestore(&cc->lock, flags);
	return true;
}

void cc_resume_bios(struct cowchain *cc, struct bio_list *bios)
{
	struct bio *bio;

	while ((bio = bio_list_pop(bios)))
		cc_queue_io(dm_per_bio_data(bio, sizeof(struct cc_io)));
}

/* ------------------------------------------------------------------- read */

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
	/* The state may change between the two looks; the first is an answer. */
	run = max(cc_block_run(b, first, last, p->state), 1U);
	p->len = min(end, (first + run) << top->sub_shift) - rel;
	if (unlikely(cc_block_bad(b, first, first + run))) {
		p->state = CC_BAD;
	} else if (p->state == CC_DATA) {
		p->bdev = cc_data_bdev(top->layer);
		p->sector = cc_block_sector(b, rel, &p->len);
	}
}

/* False: the block of the top is not loaded. */
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

/* Does the top still leave what @p covers to the layers below? */
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
 * The below map is shared with the view that a finished stream publishes.  A
 * chunk that is resolved anew after that knows the dropped layers no more, so
 * an answer of the below map only counts if the top had nothing to say after
 * it was given.
 */
void cc_read_piece(struct cc_view *view, sector_t pos, u32 max, struct cc_piece *p)
{
	if (!view->top) {
		cc_below_piece(view, pos, max, p);
		return;
	}
	for (;;) {
		p->below = false;
		if (!cc_read_top(view, pos, max, p) || !p->below || p->cold)
			return;
		/* The below map is read before the top is looked at again. */
		smp_rmb();
		if (cc_piece_stands(view, pos, p))
			return;
	}
}

int cc_view_warm(struct cc_view *view, sector_t pos)
{
	struct cc_block *b;

	bool loaded;
	int r;

	rcu_read_lock();
	loaded = !view->top || cc_top_block(view->top, pos >> view->top->block_shift);
	rcu_read_unlock();
	if (loaded) {
		r = cc_below_load(view, pos);
		return r ? r : 1;
	}
	/* Then ask again: the top may have it all. */
	b = cc_top_load(view->top, pos >> view->top->block_shift);
	if (IS_ERR(b))
		return PTR_ERR(b);
	cc_block_unpin(b);
	return 0;
}

static int cc_map_read(struct cc_io *io, struct bio *bio)
{
	struct cc_piece p = { .fresh = false };

	cc_read_piece(io->view, bio->bi_iter.bi_sector, bio_sectors(bio), &p);
	if (unlikely(p.cold))
		return cc_defer(io, bio, CC_DEFER_SECTORS);
	if (p.len < bio_sectors(bio))
		dm_accept_partial_bio(bio, p.len);
	if (likely(p.state == CC_DATA)) {
		bio_set_dev(bio, p.bdev);
		bio->bi_iter.bi_sector = p.sector;
		return DM_MAPIO_REMAPPED;
	}
	if (p.state == CC_BAD)
		return DM_MAPIO_KILL;
	zero_fill_bio(bio);
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

static void cc_submit_piece(struct bio *bio, const struct cc_piece *p)
{
	switch (p->state) {
	case CC_DATA:
		bio_set_dev(bio, p->bdev);
		bio->bi_iter.bi_sector = p->sector;
		submit_bio_noacct(bio);
		break;
	case CC_BAD:
		bio_io_error(bio);
		break;
	default:
		zero_fill_bio(bio);
		bio_endio(bio);
	}
}

/* A worker reads: piece by piece, the last one with the bio itself. */
static void cc_read_deferred(struct cc_io *io)
{
	struct bio *bio = io->bio;
	struct bio *split;
	struct cc_piece p = { .fresh = false };
	int r;

	for (;;) {
		cc_read_piece(io->view, bio->bi_iter.bi_sector, bio_sectors(bio), &p);
		if (p.cold) {
			r = cc_view_warm(io->view, bio->bi_iter.bi_sector);
			p.fresh = r > 0;
			if (r >= 0)
				continue;
			bio->bi_status = errno_to_blk_status(r);
			bio_endio(bio);
			return;
		}
		p.fresh = false;
		if (p.len >= bio_sectors(bio)) {
			cc_submit_piece(bio, &p);
			return;
		}
		split = cc_bio_split(bio, p.len, &io->cc->split_bs);
		if (!split) {
			bio_io_error(bio);
			return;
		}
		bio_chain(split, bio);
		cc_submit_piece(split, &p);
	}
}

/* ------------------------------------------------------------------ write */

void cc_remap_top(struct cc_io *io, struct cc_block *b, struct bio *bio, u32 rel)
{
	u32 len = bio_sectors(bio);

	bio_set_dev(bio, cc_data_bdev(b->top->layer));
	bio->bi_iter.bi_sector = cc_block_sector(b, rel, &len);
}

/*
 * FUA: if no bit waits for a commit, a device that can do it may do it.
 * Otherwise the data is written first and the bio ends after a commit, which
 * flushes it.
 */
static void cc_prepare_fua(struct cc_io *io, struct bio *bio, bool sets_bits)
{
	if (!(bio->bi_opf & REQ_FUA))
		return;
	if (!sets_bits && !cc_commit_needed(io->cc) &&
	    bdev_fua(cc_data_bdev(io->view->top->layer)))
		return;
	bio->bi_opf &= ~REQ_FUA;
	io->flags |= CC_IO_COMMIT;
}

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
	/* Also at the image's end: see cc_zero_slack(). */
	s->tail = s->end & (sub - 1);
}

/*
 * Cut the span where a subcluster begins that has to be filled first.
 * Return: false if the very first one has to.
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

static u64 cc_sub_cluster(struct cc_block *b, u32 sub)
{
	return (u64)b->index * CC_BLOCK_CLUSTERS + sub / QCOW2_SUBCLUSTERS;
}

/* Remap up to where the data is contiguous. */
static void cc_write_remap(struct cc_io *io, struct cc_block *b, struct bio *bio,
			   struct cc_span *s)
{
	u32 len = s->end - s->rel;

	bio_set_dev(bio, cc_data_bdev(b->top->layer));
	bio->bi_iter.bi_sector = cc_block_sector(b, s->rel, &len);
	if (len < bio_sectors(bio))
		dm_accept_partial_bio(bio, len);
	s->end = s->rel + len;
}

/*
 * Whole subclusters, not all of them allocated yet: written in place under
 * shared cells, and their bits set once the data has arrived.  The states are
 * looked at again under the cells, since only these keep a discard away.
 *
 * Rewrites of an external data file come here, too: a discard really zeroes
 * the data there, and a write that it overtakes would undo that.
 *
 * Return: false if it has to be deferred.
 */
static bool cc_write_whole(struct cc_io *io, struct cc_block *b, struct bio *bio,
			   struct cc_span *s)
{
	struct cowchain *cc = io->cc;
	u64 first = cc_sub_cluster(b, s->first), last = cc_sub_cluster(b, s->last - 1);
	u32 subs = s->last;

	if (!cc_cells_try_shared(cc, first, last))
		return false;
	if (!cc_span_trim(b->top, b, s) || !cc_block_pin(b)) {
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

static int cc_map_write_block(struct cc_io *io, struct cc_block *b, struct bio *bio)
{
	struct cc_span s;
	bool bits;

	cc_write_span(b->top, bio, &s);
	if (unlikely(cc_block_bad(b, s.first, s.last)))
		return DM_MAPIO_KILL;
	bits = cc_block_run(b, s.first, s.last, CC_DATA) < s.last - s.first;
	if (!bits && likely(!b->top->layer->data)) {
		cc_write_remap(io, b, bio, &s);
		cc_prepare_fua(io, bio, false);
		return DM_MAPIO_REMAPPED;
	}
	if (!cc_span_trim(b->top, b, &s) || !cc_write_whole(io, b, bio, &s)) {
		/* Only the subcluster that needs it takes the slow way. */
		u32 left = (((s.rel >> b->top->sub_shift) + 1) << b->top->sub_shift) - s.rel;

		if (left < bio_sectors(bio) && s.head)
			dm_accept_partial_bio(bio, left);
		return cc_defer(io, bio, CC_DEFER_SECTORS);
	}
	/* Once more, under the cells: a discard may have come between. */
	bits = cc_block_run(b, s.first, s.last, CC_DATA) < s.last - s.first;
	cc_prepare_fua(io, bio, bits);
	return DM_MAPIO_REMAPPED;
}

static int cc_map_write(struct cc_io *io, struct bio *bio)
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

/* ------------------------------------------------------------ flush and rest */

/*
 * All flushes of a top are commits, also where no bit waits for one: an error
 * may be about data that has arrived meanwhile, whose bits are set behind it,
 * and the device will not say it twice.
 */
static int cc_map_flush(struct cc_io *io, struct bio *bio)
{
	struct cc_view *view = io->view;

	if (!view->top) {
		bio_set_dev(bio, cc_data_bdev(cc_view_active(view)));
		return DM_MAPIO_REMAPPED;
	}
	io->flags |= CC_IO_COMMITTED;
	cc_commit_bio(io->cc, bio);
	return DM_MAPIO_SUBMITTED;
}

static int cc_map_view(struct cc_io *io, struct bio *bio)
{
	if (bio->bi_opf & REQ_PREFLUSH)
		return cc_map_flush(io, bio);
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return cc_map_read(io, bio);
	case REQ_OP_WRITE:
		return cc_map_write(io, bio);
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		if (!io->view->top || READ_ONCE(io->cc->mode) != CC_RW)
			return DM_MAPIO_KILL;
		return cc_defer(io, bio, CC_DISCARD_SECTORS);
	default:
		return DM_MAPIO_KILL;
	}
}

int cc_map(struct dm_target *ti, struct bio *bio)
{
	struct cc_io *io = dm_per_bio_data(bio, sizeof(*io));
	int r;

	io->cc = ti->private;
	io->block = NULL;
	io->flags = 0;
	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	do {
		io->view = cc_view_get(io->cc, cc_io_writes(bio));
		if (unlikely(!io->view) && cc_pause_bio(io, bio))
			return DM_MAPIO_SUBMITTED;
	} while (unlikely(!io->view));

	r = cc_map_view(io, bio);
	/* dm ends a killed bio without calling end_io. */
	if (unlikely(r == DM_MAPIO_KILL)) {
		cc_view_put(io->view, cc_io_writes(bio));
		io->view = NULL;
	}
	return r;
}

static void cc_fail_bio(struct bio *bio)
{
	bio_io_error(bio);
}

/* A worker runs a deferred bio; one that was paused gets its view here. */
static void cc_io_work(struct work_struct *work)
{
	struct cc_io *io = container_of(work, struct cc_io, work);
	struct cowchain *cc = io->cc;
	struct bio *bio = io->bio;

	while (!io->view) {
		io->view = cc_view_get(cc, cc_io_writes(bio));
		if (!io->view && cc_pause_bio(io, bio))
			return;
	}
	if (bio->bi_opf & REQ_PREFLUSH) {
		if (cc_map_flush(io, bio) == DM_MAPIO_REMAPPED)
			submit_bio_noacct(bio);
		return;
	}
	if (bio_op(bio) == REQ_OP_READ)
		cc_read_deferred(io);
	else if (!io->view->top || READ_ONCE(cc->mode) != CC_RW)
		cc_fail_bio(bio);
	else if (bio_op(bio) == REQ_OP_WRITE)
		cc_write_deferred(io);
	else
		cc_discard_deferred(io);
}

/* -------------------------------------------------------------------- end */

/*
 * The data has been written: now it may be seen.  If there is a crash before
 * the bit is committed, the old content is still what the layers below say.
 */
static void cc_end_write(struct cc_io *io, blk_status_t error)
{
	struct cc_block *b = io->block;

	if (!error)
		cc_block_set(io->cc, b, io->first, io->end, CC_DATA);
	if (io->flags & CC_IO_CELLS) {
		u64 first = cc_sub_cluster(b, io->first), last = cc_sub_cluster(b, io->end - 1);

		if (error)
			cc_cells_fail(io->cc, first, last);
		cc_cells_unlock_shared(io->cc, first, last);
	}
	cc_block_unpin(b);
	io->flags &= ~(CC_IO_BITS | CC_IO_CELLS);
}

int cc_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct cc_io *io = dm_per_bio_data(bio, sizeof(*io));

	if (io->flags & CC_IO_BITS)
		cc_end_write(io, *error);
	if ((io->flags & CC_IO_COMMIT) && !*error) {
		io->flags &= ~CC_IO_COMMIT;
		io->flags |= CC_IO_COMMITTED;
		cc_commit_bio(io->cc, bio);
		return DM_ENDIO_INCOMPLETE;
	}
	if (io->view)
		cc_view_put(io->view, cc_io_writes(bio));
	return DM_ENDIO_DONE;
}
