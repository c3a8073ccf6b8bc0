// SPDX-License-Identifier: GPL-2.0-only
/*
 * The below map: what lies under the top, resolved once.
 *
 * Whoever asks for what is not known yet gets the answer from the layers themselves, from the top
 * down to the one that provides it, and waits for these layers only. Then it adds to the map what
 * else the tables say that are in memory by now. The rest stays unknown: a layer further down that
 * is slow or broken must not delay or fail what lies above it.
 */
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "below.h"
#include "io.h"
#include "mode.h"
#include "tail.h"
#include "unpacked.h"
#include "view.h"

static unsigned int cc_below_kib = 16384;
module_param_named(below_kib, cc_below_kib, uint, 0644);
MODULE_PARM_DESC(below_kib, "Maximum KiB of the below map that a device keeps in memory");

/* The sizes of images were checked before they get here: what is larger would not fit into @nr. */
struct cc_below *cc_below_create(sector_t sectors)
{
	u32 nr = DIV_ROUND_UP_SECTOR_T(sectors, CC_CHUNK_SECTORS);
	struct cc_below *below;

	if (WARN_ON_ONCE(sectors > CC_MAX_SECTORS))
		return NULL;
	below = kvzalloc(struct_size(below, chunk, nr), GFP_KERNEL);
	if (!below)
		return NULL;
	below->nr_chunks = nr;
	spin_lock_init(&below->lock);
	INIT_LIST_HEAD(&below->clock);
	INIT_LIST_HEAD(&below->makers);
	refcount_set(&below->refs, 1);
	return below;
}

void cc_below_put(struct cc_below *below)
{
	struct cc_chunk *chunk, *next;

	if (!below || !refcount_dec_and_test(&below->refs))
		return;
	list_for_each_entry_safe(chunk, next, &below->clock, clock) {
		kvfree(chunk);
	}
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
	if (!cc_state_provided(e->state)) {
		p->cold = e->state == CC_UNKNOWN;
		return;
	}
	layer = view->slot[e->slot];
	/* The top shadows a layer that was dropped, unless its image was tampered with. */
	if (unlikely(!layer)) {
		cc_err_limit(view->cc, "the top lacks data that a stream has copied into it");
		p->state = CC_BAD;
		return;
	}
	p->layer = layer;
	p->bdev = cc_data_bdev(layer);
	p->sector = cc_run_at(e->state, e->sector, rel - e->start);
}

/* Compressed clusters with the same L2 entry are one extent, but a piece is in one of them. */
static void cc_clip_packed(struct cc_piece *p, sector_t pos)
{
	u32 size;

	if (likely(p->state != CC_PACKED))
		return;
	size = q2_cluster_size(&p->layer->q2) >> SECTOR_SHIFT;
	p->len = min_t(u32, p->len, size - (pos & (size - 1)));
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
	p->len = min(max, end - rel);
	cc_clip_packed(p, pos);
	rcu_read_unlock();
}

/* --------------------------------------------------------------- resolving */

/*
 * struct cc_found - what the layers say about a position.
 * @run: from the position on.
 * @slot: the layer that provides it, or whose metadata is bad.
 * @error: why its metadata could not be read, or 0.
 */
struct cc_found {
	struct cc_run run;
	u8 slot;
	int error;
};

/* So many layers are asked one by one before the tables of all others are read at once. */
#define CC_ASK_SINGLY	4

/*
 * Begin to read what the layers up to @last say about @pos: the answer seems to come from far down,
 * and each of them would take the time of a read.
 */
static void cc_resolve_ahead(struct cc_view *view, int last, sector_t pos)
{
	int i;

	for (i = last; i >= 0; i--)
		cc_layer_ahead(view->layer[i], pos);
}

/*
 * Find the layer that provides @pos, and how far. The first layer from the top with data or zeros
 * there wins; the answer holds up to the end of the shortest run that was consulted.
 *
 * @runs: for each layer below, the run that was found last, for one who asks for ascending
 * positions and only for what is in memory; NULL: ask anew, and read what that takes.
 */
static void cc_resolve_at(struct cc_view *view, struct cc_run *runs, sector_t pos, sector_t limit,
			  struct cc_found *f)
{
	int i, asked = 0;
	struct cc_run one, *run;

	memset(f, 0, sizeof(*f));
	f->run.start = pos;
	f->run.end = limit;
	f->run.state = CC_NONE;
	for (i = cc_view_nr_below(view) - 1; i >= 0; i--) {
		run = runs ? &runs[i] : &one;
		if (!runs && asked++ == CC_ASK_SINGLY)
			cc_resolve_ahead(view, i, pos);
		if (!runs || run->end <= pos)
			f->error = cc_layer_run(view->layer[i], pos, runs ? limit : f->run.end,
						runs, run);
		f->run.end = min(f->run.end, run->end);
		if (run->state == CC_NONE)
			continue;
		f->run.state = run->state;
		f->run.sector = cc_run_at(run->state, run->sector, pos - run->start);
		if (run->state != CC_UNKNOWN)
			f->slot = view->layer[i]->slot;
		break;
	}
}

/*
 * struct cc_maker - one who makes a chunk, or a better one in place of an old one.
 * @list: in cc_below.makers.
 * @old: what is published, or NULL. It stays, since nobody else replaces or evicts it.
 * @chunk: what is made of it, with space for @room extents.
 */
struct cc_maker {
	struct list_head list;
	u32 index;
	const struct cc_chunk *old;
	struct cc_chunk *chunk;
	u32 room;
};

/*
 * Nobody needs what is made here: whoever makes it has an answer already, and may be a write that
 * memory is waiting for. Small allocations would try for ever without __GFP_NORETRY, and so would
 * the page tables of vmalloc().
 */
#define CC_GFP_CHUNK	(GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN)

static int cc_chunk_grow(struct cc_maker *m)
{
	u32 room = m->room ? m->room * 2 : 1;
	struct cc_chunk *chunk = kmalloc(struct_size(chunk, ext, room), CC_GFP_CHUNK);

	if (!chunk)
		return -ENOMEM;
	if (m->chunk)
		memcpy(chunk, m->chunk, struct_size(chunk, ext, m->chunk->nr));
	else
		memset(chunk, 0, sizeof(*chunk));
	kfree(m->chunk);
	m->chunk = chunk;
	m->room = room;
	return 0;
}

static int cc_chunk_append(struct cc_maker *m, const struct cc_found *f)
{
	u16 start = f->run.start & (CC_CHUNK_SECTORS - 1);
	struct cc_extent *e;

	if (m->chunk && m->chunk->nr) {
		e = &m->chunk->ext[m->chunk->nr - 1];
		if (e->state == f->run.state && e->slot == f->slot &&
		    cc_run_at(e->state, e->sector, start - e->start) == f->run.sector)
			return 0;
	}
	if ((!m->chunk || m->chunk->nr == m->room) && cc_chunk_grow(m))
		return -ENOMEM;
	e = &m->chunk->ext[m->chunk->nr++];
	e->start = start;
	e->state = f->run.state;
	e->slot = f->slot;
	e->sector = f->run.sector;
	return 0;
}

/* What the old chunk knows at @pos, otherwise what the tables in memory say. */
static void cc_chunk_at(struct cc_view *view, struct cc_maker *m, struct cc_run *runs,
			sector_t pos, sector_t limit, struct cc_found *f)
{
	u32 rel = pos & (CC_CHUNK_SECTORS - 1), end;
	const struct cc_extent *e;

	if (m->old) {
		e = cc_chunk_find(m->old, rel, &end);
		limit = min(limit, pos + (end - rel));
		if (e->state != CC_UNKNOWN) {
			f->run.start = pos;
			f->run.end = limit;
			f->run.state = e->state;
			f->run.sector = cc_run_at(e->state, e->sector, rel - e->start);
			f->slot = e->slot;
			return;
		}
	}
	cc_resolve_at(view, runs, pos, limit, f);
}

/* Make a chunk of what is known, which includes @found. Return: 0 or -ENOMEM. */
static int cc_chunk_make(struct cc_view *view, struct cc_maker *m, struct cc_found *found)
{
	sector_t pos = (sector_t)m->index << CC_CHUNK_SHIFT;
	sector_t end = pos + CC_CHUNK_SECTORS;
	struct cc_run *runs;
	struct cc_found f;
	int r = 0;

	runs = kcalloc(cc_view_nr_below(view), sizeof(*runs), CC_GFP_CHUNK);
	if (!runs)
		return -ENOMEM;
	while (pos < end && !r) {
		if (pos == found->run.start)
			f = *found;
		else
			cc_chunk_at(view, m, runs, pos,
				    pos < found->run.start ? found->run.start : end, &f);
		r = cc_chunk_append(m, &f);
		pos = f.run.end;
		cond_resched();
	}
	kfree(runs);
	return r;
}

/* ---------------------------------------------------- publishing, evicting */

/* A chunk that somebody makes a better one of. */
static bool cc_chunk_busy(struct cc_below *below, u32 index)
{
	struct cc_maker *m;

	lockdep_assert_held(&below->lock);
	list_for_each_entry(m, &below->makers, list)
		if (m->index == index)
			return true;
	return false;
}

/*
 * One task at a time makes a chunk. The others have their answers and need not wait for it.
 *
 * Return: false if somebody else makes it, or has made it: it has an answer for @pos.
 */
static bool cc_chunk_begin(struct cc_below *below, struct cc_maker *m, sector_t pos)
{
	struct cc_chunk *chunk;
	bool wanted;
	u32 end;

	m->index = pos >> CC_CHUNK_SHIFT;
	spin_lock(&below->lock);
	chunk = rcu_dereference_protected(below->chunk[m->index], lockdep_is_held(&below->lock));
	wanted = !cc_chunk_busy(below, m->index) &&
		 (!chunk || cc_chunk_find(chunk, pos & (CC_CHUNK_SECTORS - 1), &end)->state ==
			    CC_UNKNOWN);
	if (wanted) {
		m->old = chunk;
		list_add(&m->list, &below->makers);
	}
	spin_unlock(&below->lock);
	return wanted;
}

static void cc_chunk_drop(struct cc_below *below, struct cc_chunk *chunk)
{
	lockdep_assert_held(&below->lock);
	list_del(&chunk->clock);
	below->bytes -= chunk->bytes;
	kvfree_rcu(chunk, rcu);
}

/* How many chunks one that is published may look at to make room. */
#define CC_EVICT_STEPS	128

static void cc_below_evict(struct cc_below *below)
{
	size_t limit = (size_t)READ_ONCE(cc_below_kib) << 10;
	u32 steps = CC_EVICT_STEPS;

	lockdep_assert_held(&below->lock);
	while (below->bytes > limit && steps--) {
		struct cc_chunk *chunk = list_first_entry(&below->clock, struct cc_chunk, clock);

		if (READ_ONCE(chunk->referenced) || cc_chunk_busy(below, chunk->index)) {
			WRITE_ONCE(chunk->referenced, false);
			list_move_tail(&chunk->clock, &below->clock);
		} else {
			RCU_INIT_POINTER(below->chunk[chunk->index], NULL);
			cc_chunk_drop(below, chunk);
		}
	}
}

/* @made: otherwise what is published stays. */
static void cc_chunk_end(struct cc_below *below, struct cc_maker *m, bool made)
{
	struct cc_chunk *chunk = m->chunk, *old;

	spin_lock(&below->lock);
	list_del(&m->list);
	if (made) {
		chunk->index = m->index;
		chunk->bytes = struct_size(chunk, ext, m->room);
		WRITE_ONCE(chunk->referenced, true);
		old = rcu_replace_pointer(below->chunk[m->index], chunk,
					  lockdep_is_held(&below->lock));
		if (old)
			cc_chunk_drop(below, old);
		list_add_tail(&chunk->clock, &below->clock);
		below->bytes += chunk->bytes;
		cc_below_evict(below);
	}
	spin_unlock(&below->lock);
	if (!made)
		kvfree(chunk);
}

/* If there is no memory, the map stays as it is, and the next one who asks looks it up again. */
static void cc_below_add(struct cc_view *view, struct cc_found *found)
{
	struct cc_below *below = view->below;
	struct cc_maker m = { };

	if (cc_chunk_begin(below, &m, found->run.start))
		cc_chunk_end(below, &m, !cc_chunk_make(view, &m, found));
}

int cc_below_load(struct cc_view *view, sector_t pos, u32 max, struct cc_piece *p)
{
	sector_t end = round_down(pos, CC_CHUNK_SECTORS) + CC_CHUNK_SECTORS;
	unsigned int noio = memalloc_noio_save();
	struct cc_extent e;
	struct cc_found f;

	cc_resolve_at(view, NULL, pos, min(pos + max, end), &f);
	/* What could not be read stays unknown. */
	if (!f.error)
		cc_below_add(view, &f);
	memalloc_noio_restore(noio);
	e.start = pos & (CC_CHUNK_SECTORS - 1);
	e.state = f.run.state;
	e.slot = f.slot;
	e.sector = f.run.sector;
	cc_extent_piece(view, &e, e.start, p);
	p->len = f.run.end - pos;
	cc_clip_packed(p, pos);
	return f.error == -ENOMEM ? f.error : 0;
}

/* ----------------------------------------------------------------- reading */

static void cc_fill_pages(struct page **pages, unsigned int offset, unsigned int bytes,
			  const struct cc_plain *plain, u32 from)
{
	while (bytes) {
		unsigned int in_page = offset_in_page(offset);
		unsigned int n = min_t(unsigned int, bytes, PAGE_SIZE - in_page);
		void *to = kmap_local_page(pages[offset >> PAGE_SHIFT]);

		cc_unpacked_copy(plain, from, to + in_page, n);
		kunmap_local(to);
		offset += n;
		from += n;
		bytes -= n;
	}
}

/* One sector, so it lies in one page. */
static void cc_fill_tail(struct page **pages, unsigned int offset, const struct cc_tail *tail)
{
	memcpy_to_page(pages[offset >> PAGE_SHIFT], offset_in_page(offset), tail->bytes,
		       SECTOR_SIZE);
}

static int cc_read_packed_below(const struct cc_piece *p, sector_t pos, struct page **pages,
				unsigned int offset)
{
	struct cc_plain plain;
	int r = cc_unpacked_get(p->layer, p->sector, &plain);

	if (r)
		return r;
	cc_fill_pages(pages, offset, p->len << SECTOR_SHIFT, &plain,
		      cc_packed_offset(p->layer, pos));
	cc_unpacked_put(&plain);
	return 0;
}

static int cc_read_piece_below(struct cc_view *view, struct cc_batch *batch,
			       const struct cc_piece *p, sector_t pos, struct page **pages,
			       unsigned int offset)
{
	switch (p->state) {
	case CC_BAD:
		return -EIO;
	case CC_DATA:
		cc_batch_add(view->cc, batch, p->bdev, REQ_OP_READ, p->sector, pages, offset,
			     p->len);
		return 0;
	case CC_PACKED:
		return cc_read_packed_below(p, pos, pages, offset);
	case CC_TAIL:
		cc_fill_tail(pages, offset, cc_data_tail(p->layer));
		return 0;
	default:
		cc_zero_pages(pages, offset, p->len << SECTOR_SHIFT);
		return 0;
	}
}

int cc_read_below(struct cc_view *view, sector_t pos, unsigned int sectors,
		  struct page **pages, unsigned int offset)
{
	struct cc_batch batch;
	struct cc_piece p = { };
	int r = 0, r2;

	cc_batch_init(&batch);
	while (sectors && !r) {
		cc_below_piece(view, pos, sectors, &p);
		if (p.cold)
			r = cc_below_load(view, pos, p.len, &p);
		if (r)
			break;
		r = cc_read_piece_below(view, &batch, &p, pos, pages, offset);
		pos += p.len;
		sectors -= p.len;
		offset += p.len << SECTOR_SHIFT;
	}
	r2 = cc_batch_wait(&batch);
	return r ? r : r2;
}
