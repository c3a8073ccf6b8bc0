/* SPDX-License-Identifier: GPL-2.0-only */
/* Zeros in an external data file that has to be a plain raw disk; see zero.c. */
#ifndef COWCHAIN_ZERO_H
#define COWCHAIN_ZERO_H

#include "top.h"
#include "view.h"

/*
 * Does what the guest zeroes or discards have to become zeros in the data file, too? Otherwise zero
 * bits are enough. Context: any; the answer stays true while @view is held. To rely on "no", look
 * while cells are held: see cc_zero_begin_raw().
 */
static inline bool cc_zero_is_raw(const struct cc_view *view)
{
	return view->top->layer->data && (view->nr == 1 || READ_ONCE(view->top->raw));
}

/*
 * From here on cc_zero_is_raw() is true of this top: a stream will leave it without layers below.
 * When this returns, whoever has found that it was not has set its zero bits, and these are on
 * disk. Context: process; no cells are held, and the device is not suspended meanwhile.
 * Return: 0 or -errno.
 */
int cc_zero_begin_raw(struct cowchain *cc, struct cc_top *top);

/* The stream has failed. Context: any. */
void cc_zero_end_raw(struct cc_top *top);

#define CC_ZERO_PAGES	32

/**
 * struct cc_zeroing - how to make a range zero.
 * @unmap: this may free space.
 * @hint: what the range contains is not needed any more, so that a discard may destroy it.
 * @look: most of it may be zero already.
 * @pages, @offset, @sectors: memory to read to, a part of pages[]. A multiple of 4 KiB.
 * @written: out: sectors that were written as data.
 */
struct cc_zeroing {
	struct cowchain *cc;
	struct cc_block *b;
	bool unmap;
	bool hint;
	bool look;
	struct page **pages;
	unsigned int offset;
	u32 sectors;
	u32 written;
};

/**
 * cc_zero_data() - make the data of [rel, end) zero.
 * @rel, @end: sectors from the start of the block, inside the image; whole subclusters.
 *
 * Context: process; @z->b is pinned, the range is held, or its cells are exclusively. Return: 0 or
 * -errno.
 */
int cc_zero_data(struct cc_zeroing *z, u32 rel, u32 end);

/*
 * Memory for @z, for cc_zero_data() on @layer: as many pages as there are, one at least. Context:
 * process; nothing is held or locked.
 */
void cc_zero_get_pages(struct cc_zeroing *z, struct page **pages);
void cc_zero_put_pages(struct cc_zeroing *z);

#endif /* COWCHAIN_ZERO_H */
