/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads. */
#ifndef COWCHAIN_READ_H
#define COWCHAIN_READ_H

#include "map.h"

/* Remap, fill with zeros or defer a read. Context: any. Return: DM_MAPIO_*. */
int cc_map_read(struct cc_io *io, struct bio *bio);

/* Serve a read that was deferred. Context: process. */
void cc_read_deferred(struct cc_io *io);

#endif /* COWCHAIN_READ_H */
