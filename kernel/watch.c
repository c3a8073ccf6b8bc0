// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks at where bios go: counts what each layer serves, and traces it.
 */
#include "counts.h"
#include "top.h"
#include "view.h"
#include "watch.h"

static void cc_watch_trace(struct cc_io *io, struct bio *bio, enum cc_way way,
			   const struct cc_layer *layer)
{
	if (!trace_cowchain_map_enabled())
		return;
	trace_cowchain_map(io->cc, bio, way, layer ? cc_view_index(io->view, layer->slot) : -1,
			   layer ? cc_data_bdev(layer)->bd_dev : 0);
}

/* The counters of a layer, or of the device for what no layer provides. */
static struct cc_counts *cc_watch_counts(struct cc_io *io, const struct cc_layer *layer)
{
	return layer ? layer->counts : io->cc->counts;
}

static enum cc_way cc_way_of(const struct cc_piece *p)
{
	switch (p->state) {
	case CC_DATA:
		return CC_WAY_DEVICE;
	case CC_ZERO:
		return CC_WAY_ZERO;
	case CC_NONE:
		return CC_WAY_HOLE;
	case CC_TAIL:
		return CC_WAY_TAIL;
	case CC_PACKED:
		return CC_WAY_PACKED;
	default:
		return CC_WAY_BAD;
	}
}

/*
 * A piece has the layer only where its data has to be found, and one that was looked up in the top
 * may still have that of an earlier answer.
 */
static const struct cc_layer *cc_piece_layer(const struct cc_view *view, const struct cc_piece *p)
{
	if (view->top && !p->below)
		return view->top->layer;
	if (p->state == CC_ZERO)
		return view->slot[p->slot];
	return cc_state_provided(p->state) ? p->layer : NULL;
}

void cc_watch_read(struct cc_io *io, struct bio *bio, const struct cc_piece *p)
{
	const struct cc_layer *layer = cc_piece_layer(io->view, p);
	struct cc_counts *counts = cc_watch_counts(io, layer);
	enum cc_way way = cc_way_of(p);

	if (way != CC_WAY_BAD && READ_ONCE(io->cc->counts->on)) {
		cc_counts_add(counts, CC_COUNT_READS, 1);
		cc_counts_add(counts, CC_COUNT_READ_BYTES, bio->bi_iter.bi_size);
	}
	cc_watch_trace(io, bio, way, layer);
}

void cc_watch_write(struct bio *bio)
{
	struct cc_io *io = dm_per_bio_data(bio, sizeof(*io));
	struct cc_layer *layer = io->view->top->layer;

	if (READ_ONCE(io->cc->counts->on)) {
		cc_counts_add(layer->counts, CC_COUNT_WRITES, 1);
		cc_counts_add(layer->counts, CC_COUNT_WRITE_BYTES, bio->bi_iter.bi_size);
	}
	cc_watch_trace(io, bio, CC_WAY_DEVICE, layer);
}

void cc_watch_flush(struct cc_io *io, struct bio *bio, enum cc_way way)
{
	cc_watch_trace(io, bio, way, cc_view_active(io->view));
}

void cc_watch_wait(struct cc_io *io, struct bio *bio, enum cc_way way)
{
	cc_watch_trace(io, bio, way, NULL);
}
