/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the header of a layer of an active chain.
 */
#ifndef COWCHAIN_LIVE_IMAGE_H
#define COWCHAIN_LIVE_IMAGE_H

#include "layer.h"
#include "live.h"

/*
 * From the block device that the kernel uses. layer_close() ends it. Returns 0, or -1, perhaps after a message: then
 * layer holds nothing.
 */
int live_read_layer(const struct live *live, unsigned int number, struct layer *layer);

#endif
