// SPDX-License-Identifier: GPL-2.0-only
/*
 * The chain as the guest reads it, for a job.
 */
#include "io.h"
#include "live.h"
#include "top.h"
#include "view.h"

/*
 * As cc_top_piece() in read.c, which is on the way of each read of the guest: a second caller makes
 * the compiler take it, and what it calls, out of line there.
 */
static void cc_live_look(struct cc_top *top, struct cc_block *b, sector_t pos, u32 max,
			 struct cc_piece *p)
{
	u32 rel = pos & ((1U << top->block_shift) - 1);
	u32 last = min_t(u64, (u64)rel + max, 1U << top->block_shift);
	u32 sub = rel >> top->sub_shift, end;

	p->cold = false;
	p->state = cc_block_state(b, sub);
	end = (last + (1U << top->sub_shift) - 1) >> top->sub_shift;
	/* The guest may have changed it meanwhile; one subcluster is certain. */
	end = sub + max(cc_block_run(b, sub, end, p->state), 1U);
	p->len = min(last, end << top->sub_shift) - rel;
	if (cc_block_bad(b, sub, end)) {
		p->state = CC_BAD;
	} else if (p->state == CC_DATA) {
		p->bdev = cc_data_bdev(top->layer);
		p->sector = cc_block_sector(b, rel, &p->len);
	}
}

int cc_live_piece(struct cc_view *view, sector_t pos, u32 max, struct cc_piece *p)
{
	struct cc_top *top = view->top;
	struct cc_block *b = cc_top_load(top, pos >> top->block_shift);

	if (IS_ERR(b))
		return PTR_ERR(b);
	cc_live_look(top, b, pos, max, p);
	cc_block_unpin(b);
	return 0;
}

static int cc_live_read_piece(struct cc_view *view, struct cc_batch *batch, sector_t pos,
			      const struct cc_piece *p, struct page **pages, unsigned int offset)
{
	switch (p->state) {
	case CC_NONE:
		return cc_read_below(view, pos, p->len, pages, offset);
	case CC_DATA:
		cc_batch_add_top(view->cc, batch, p->bdev, REQ_OP_READ, p->sector, pages, offset,
				 p->len);
		return 0;
	case CC_ZERO:
		cc_zero_pages(pages, offset, p->len << SECTOR_SHIFT);
		return 0;
	default:
		return -EIO;
	}
}

int cc_live_read(struct cc_view *view, sector_t pos, u32 sectors, struct page **pages)
{
	struct cc_piece p = { };
	struct cc_batch batch;
	u32 done = 0;
	int r = 0, r2;

	cc_batch_init(&batch);
	while (done < sectors && !r) {
		r = cc_live_piece(view, pos + done, sectors - done, &p);
		if (!r)
			r = cc_live_read_piece(view, &batch, pos + done, &p, pages,
					       done << SECTOR_SHIFT);
		done += p.len;
	}
	r2 = cc_batch_wait(&batch);
	return r ? r : r2;
}
