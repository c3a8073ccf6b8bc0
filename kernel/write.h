/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes that are remapped at once; fill.h has those that are not. */
#ifndef COWCHAIN_WRITE_H
#define COWCHAIN_WRITE_H

#include "map.h"

/* Remap or defer a write. Context: any. Return: DM_MAPIO_*. */
int cc_map_write(struct cc_io *io, struct bio *bio);

/* End a write with CC_IO_BITS: set the bits, let its cells and its block go. Context: any. */
void cc_end_write(struct cc_io *io, blk_status_t error);

#endif /* COWCHAIN_WRITE_H */
