/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads. */
#ifndef COWCHAIN_READ_H
#define COWCHAIN_READ_H

#include "map.h"

struct cc_piece;

/* Remap, fill with zeros or defer a read. Context: any. Return: DM_MAPIO_*. */
int cc_map_read(struct cc_io *io, struct bio *bio);

/*
 * What the top has at @pos, at most @max sectors, with its block @b: not what lies below it.
 * Context: any; @b is pinned, or RCU is held.
 */
void cc_top_piece(struct cc_view *view, struct cc_block *b, sector_t pos, u32 max,
		  struct cc_piece *p);

/* Serve a read that was deferred. Context: process. */
void cc_read_deferred(struct cc_io *io);

#endif /* COWCHAIN_READ_H */
