/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes that a worker does, which first fills the rest of the subclusters. */
#ifndef COWCHAIN_FILL_H
#define COWCHAIN_FILL_H

#include "map.h"

/**
 * struct cc_write - a range inside one block, and where it lies.
 * @io: the bio, which is a writer of @view, except while layers below are read.
 * @b: pinned.
 * @rel, @end: sectors from the start of the block.
 * @limit: sectors of the block that lie inside the image.
 * @first, @last: clusters whose cells it takes, inclusive.
 * @unmap: zeroing may free space.
 */
struct cc_write {
	struct cowchain *cc;
	struct cc_io *io;
	struct cc_view *view;
	struct cc_block *b;
	u32 rel, end, limit;
	u32 sub_shift;
	u64 first, last;
	bool unmap;
};

/* The subclusters of the range. */
static inline u32 cc_first_sub(const struct cc_write *w)
{
	return w->rel >> w->sub_shift;
}

static inline u32 cc_end_sub(const struct cc_write *w)
{
	return ((w->end - 1) >> w->sub_shift) + 1;
}

/* First sector behind the subcluster of @rel; the image's end at the latest. */
static inline u32 cc_sub_end(const struct cc_write *w, u32 rel)
{
	return min(((rel >> w->sub_shift) + 1) << w->sub_shift, w->limit);
}

/*
 * Serve a write that was deferred. Context: process. Return: 0, or -ESTALE as cc_write_again().
 */
int cc_write_deferred(struct cc_io *io);

/* Find and pin the block of a bio. Context: process. Return: 0 or -errno. */
int cc_write_begin(struct cc_io *io, struct cc_write *w);

/**
 * cc_fill_and_lock() - fill the edges of the range, then take its cells when nothing of it is held.
 *
 * Context: process. Return: 0 with the cells held exclusively, or -errno without: after -ESTALE
 * call cc_write_again().
 */
int cc_fill_and_lock(struct cc_write *w);

/*
 * The view was replaced, or a snapshot pauses writes: give back what the write holds, so that it
 * begins again with the view that is current then. Context: process. Return: -ESTALE.
 */
int cc_write_again(struct cc_write *w);

/* Let the cells go, after @error or without one (0). Context: process. */
void cc_write_unlock(struct cc_write *w, int error);

/* End the bio with @error, 0 or -errno. Context: any. */
void cc_write_end(struct bio *bio, int error);

#endif /* COWCHAIN_FILL_H */
