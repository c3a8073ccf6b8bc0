/* SPDX-License-Identifier: GPL-2.0-only */
/* The chain as the guest reads it, for others than the guest. Context: process. */
#ifndef COWCHAIN_LIVE_H
#define COWCHAIN_LIVE_H

#include "below.h"

/*
 * What the top of @view has at @pos, at most @max sectors; p->state is CC_NONE, with p->len, where
 * it has nothing. Return: 0 or -errno.
 */
int cc_live_piece(struct cc_view *view, sector_t pos, u32 max, struct cc_piece *p);

/*
 * Read sectors of the guest from the top and from below it. A write that is under way may be seen
 * or not, or in part. Return: 0 or -errno.
 */
int cc_live_read(struct cc_view *view, sector_t pos, u32 sectors, struct page **pages);

#endif /* COWCHAIN_LIVE_H */
