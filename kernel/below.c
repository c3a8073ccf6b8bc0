// SPDX-License-Identifier: GPL-2.0-only
/*
 * The below map: what lies under the top, resolved once.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "below.h"
#include "io.h"
#include "mode.h"
#include "view.h"

/* Limit of the cached extents of one target; beyond it chunks are evicted. */
#define CC_BELOW_BYTES	(16U << 20)

struct cc_below *cc_below_create(sector_t sectors)
{
	u32 nr = DIV_ROUND_UP_SECTOR_T(sectors, CC_CHUNK_SECTORS);
	struct cc_below *below = kvzalloc(struct_size(below, chunk, nr), GFP_KERNEL);

	if (!below)
		return NULL;
	below->nr_chunks = nr;
	spin_lock_init(&below->lock);
	refcount_set(&below->refs, 1);
	return below;
}

void cc_below_put(struct cc_below *below)
{
	u32 i;

	if (!below || !refcount_dec_and_test(&below->refs))
		return;
	for (i = 0; i < below->nr_chunks; i++)
		kvfree(rcu_dereference_protected(below->chunk[i], 1));
	kvfree(below);
}

/* -------------------------------------------------------------- looking up */

/* The last extent that begins at or before @rel. */
static const struct cc_extent *cc_chunk_find(const struct cc_chunk *chunk, u32 rel, u32 *end)
{
	u32 lo = 0, hi = chunk->nr;

	while (hi - lo > 1) {
		u32 mid = (lo + hi) / 2;

		if (chunk->ext[mid].start <= rel)
			lo = mid;
		else
			hi = mid;
	}
	*end = hi < chunk->nr ? chunk->ext[hi].start : CC_CHUNK_SECTORS;
	return &chunk->ext[lo];
}

static void cc_extent_piece(struct cc_view *view, const struct cc_extent *e, u32 rel,
			    struct cc_piece *p)
{
	struct cc_layer *layer;

	p->cold = false;
	p->slot = e->slot;
	p->state = e->state;
	if (e->state != CC_DATA)
		return;
	layer = view->slot[e->slot];
	/* The top shadows a layer that was dropped, unless its image was tampered with. */
	if (unlikely(!layer)) {
		cc_err_limit(view->cc, "the top lacks data that a stream has copied into it");
		p->state = CC_BAD;
		return;
	}
	p->bdev = cc_data_bdev(layer);
	p->sector = e->sector + (rel - e->start);
}

void cc_below_piece(struct cc_view *view, sector_t pos, u32 max, struct cc_piece *p)
{
	u32 rel = pos & (CC_CHUNK_SECTORS - 1), end;
	const struct cc_extent *e;
	struct cc_chunk *chunk;

	rcu_read_lock();
	chunk = rcu_dereference(view->below->chunk[pos >> CC_CHUNK_SHIFT]);
	if (!chunk) {
		rcu_read_unlock();
		p->cold = true;
		p->len = max;
		return;
	}
	if (!READ_ONCE(chunk->referenced))
		WRITE_ONCE(chunk->referenced, true);
	e = cc_chunk_find(chunk, rel, &end);
	cc_extent_piece(view, e, rel, p);
	if (unlikely(p->state == CC_BAD) && chunk->unreadable && !p->fresh)
		p->cold = true;
	p->len = min(max, end - rel);
	rcu_read_unlock();
}

/* --------------------------------------------------------------- resolving */

/*
 * struct cc_resolver - the state of one walk over a chunk.
 * @run: for each layer below, the run that was read last, until it ends.
 */
struct cc_resolver {
	struct cc_view *view;
	struct cc_chunk *chunk;
	u32 room;
	bool unreadable;
	struct cc_run run[];
};

/*
 * Metadata of a layer is unreadable: fail what this layer might provide, a page at a time, so that
 * everything else stays readable.
 */
static void cc_run_unreadable(struct cc_resolver *rs, sector_t pos, sector_t limit,
			      struct cc_run *run)
{
	run->start = pos;
	run->end = min_t(sector_t, limit, round_up(pos + 1, PAGE_SECTORS));
	run->state = CC_BAD;
	rs->unreadable = true;
}

/*
 * Find the layer that provides @pos, and how far. The first layer from the top with data or zeros
 * there wins; the answer holds up to the end of the shortest run that was consulted.
 */
static int cc_resolve_at(struct cc_resolver *rs, sector_t pos, sector_t limit,
			 struct cc_run *out, u8 *slot)
{
	int i, r;

	out->start = pos;
	out->end = limit;
	out->state = CC_NONE;
	*slot = 0;
	for (i = cc_view_nr_below(rs->view) - 1; i >= 0; i--) {
		struct cc_run *run = &rs->run[i];

		if (run->end <= pos) {
			r = cc_layer_run(rs->view->layer[i], pos, limit, run);
			if (r == -ENOMEM)
				return r;
			if (r)
				cc_run_unreadable(rs, pos, limit, run);
		}
		out->end = min(out->end, run->end);
		if (run->state == CC_NONE)
			continue;
		out->state = run->state;
		out->sector = run->sector + (pos - run->start);
		*slot = rs->view->layer[i]->slot;
		break;
	}
	return 0;
}

static int cc_chunk_grow(struct cc_resolver *rs)
{
	u32 room = rs->room ? rs->room * 2 : 4;
	struct cc_chunk *chunk = kvmalloc(struct_size(chunk, ext, room), GFP_KERNEL);

	if (!chunk)
		return -ENOMEM;
	if (rs->chunk)
		memcpy(chunk, rs->chunk, struct_size(chunk, ext, rs->chunk->nr));
	else
		memset(chunk, 0, sizeof(*chunk));
	kvfree(rs->chunk);
	rs->chunk = chunk;
	rs->room = room;
	return 0;
}

static int cc_chunk_append(struct cc_resolver *rs, const struct cc_run *run, u8 slot)
{
	u16 start = run->start & (CC_CHUNK_SECTORS - 1);
	struct cc_extent *e;

	if (rs->chunk && rs->chunk->nr) {
		e = &rs->chunk->ext[rs->chunk->nr - 1];
		if (e->state == run->state && e->slot == slot &&
		    (e->state != CC_DATA || e->sector + (start - e->start) == run->sector))
			return 0;
	}
	if ((!rs->chunk || rs->chunk->nr == rs->room) && cc_chunk_grow(rs))
		return -ENOMEM;
	e = &rs->chunk->ext[rs->chunk->nr++];
	e->start = start;
	e->state = run->state;
	e->slot = slot;
	e->sector = run->state == CC_DATA ? run->sector : 0;
	return 0;
}

static int cc_resolve(struct cc_resolver *rs, sector_t start)
{
	sector_t end = start + CC_CHUNK_SECTORS;
	sector_t pos = start;
	struct cc_run run;
	u8 slot;
	int r = 0;

	while (pos < end && !r) {
		r = cc_resolve_at(rs, pos, end, &run, &slot);
		if (!r)
			r = cc_chunk_append(rs, &run, slot);
		pos = run.end;
		cond_resched();
	}
	return r;
}

/* ---------------------------------------------------- publishing, evicting */

static size_t cc_chunk_bytes(const struct cc_chunk *chunk)
{
	return struct_size(chunk, ext, chunk->nr);
}

static void cc_below_evict(struct cc_below *below)
{
	u32 steps = min_t(u32, 2 * below->nr_chunks, 1024);

	lockdep_assert_held(&below->lock);
	while (below->bytes > CC_BELOW_BYTES && steps--) {
		struct cc_chunk *chunk = rcu_dereference_protected(below->chunk[below->hand], 1);

		if (chunk && READ_ONCE(chunk->referenced)) {
			WRITE_ONCE(chunk->referenced, false);
		} else if (chunk) {
			RCU_INIT_POINTER(below->chunk[below->hand], NULL);
			below->bytes -= cc_chunk_bytes(chunk);
			kvfree_rcu(chunk, rcu);
		}
		below->hand = (below->hand + 1) % below->nr_chunks;
	}
}

/* If two workers resolve a chunk at once, the first one wins; both are the same. */
static void cc_below_publish(struct cc_below *below, u32 index, struct cc_chunk *chunk)
{
	struct cc_chunk *old;

	spin_lock(&below->lock);
	old = rcu_dereference_protected(below->chunk[index], 1);
	if (!old || old->unreadable) {
		below->bytes += cc_chunk_bytes(chunk);
		if (old)
			below->bytes -= cc_chunk_bytes(old);
		rcu_assign_pointer(below->chunk[index], chunk);
		if (old)
			kvfree_rcu(old, rcu);
		chunk = NULL;
		cc_below_evict(below);
	}
	spin_unlock(&below->lock);
	kvfree(chunk);
}

int cc_below_load(struct cc_view *view, sector_t pos)
{
	u32 index = pos >> CC_CHUNK_SHIFT;
	unsigned int noio = memalloc_noio_save();
	struct cc_resolver *rs;
	int r = -ENOMEM;

	rs = kvzalloc(struct_size(rs, run, cc_view_nr_below(view)), GFP_KERNEL);
	if (rs) {
		rs->view = view;
		r = cc_resolve(rs, (sector_t)index << CC_CHUNK_SHIFT);
		if (!r) {
			WRITE_ONCE(rs->chunk->referenced, true);
			rs->chunk->unreadable = rs->unreadable;
			cc_below_publish(view->below, index, rs->chunk);
		} else {
			kvfree(rs->chunk);
		}
		kvfree(rs);
	}
	memalloc_noio_restore(noio);
	return r;
}

/* ----------------------------------------------------------------- reading */

static void cc_zero_pages(struct page **pages, unsigned int offset, unsigned int bytes)
{
	while (bytes) {
		unsigned int in_page = offset & ~PAGE_MASK;
		unsigned int n = min_t(unsigned int, bytes, PAGE_SIZE - in_page);

		memzero_page(pages[offset >> PAGE_SHIFT], in_page, n);
		offset += n;
		bytes -= n;
	}
}

int cc_read_below(struct cc_view *view, sector_t pos, unsigned int sectors,
		  struct page **pages, unsigned int offset)
{
	struct cc_batch batch;
	struct cc_piece p = { .fresh = false };
	int r = 0, r2;

	cc_batch_init(&batch);
	while (sectors && !r) {
		cc_below_piece(view, pos, sectors, &p);
		if (p.cold) {
			r = cc_below_load(view, pos);
			p.fresh = true;
			continue;
		}
		p.fresh = false;
		if (p.state == CC_BAD)
			r = -EIO;
		else if (p.state == CC_DATA)
			cc_batch_add(view->cc, &batch, p.bdev, REQ_OP_READ, p.sector, pages,
				     offset, p.len);
		else
			cc_zero_pages(pages, offset, p.len << SECTOR_SHIFT);
		pos += p.len;
		sectors -= p.len;
		offset += p.len << SECTOR_SHIFT;
	}
	r2 = cc_batch_wait(&batch);
	return r ? r : r2;
}
