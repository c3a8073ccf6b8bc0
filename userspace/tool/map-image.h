/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opens the layers of an image for a map.
 */
#ifndef COWCHAIN_MAP_IMAGE_H
#define COWCHAIN_MAP_IMAGE_H

#include "chain-map.h"
#include "chain.h"

/*
 * Map the first nr layers of a chain that was found, whose descriptors are used and have to stay open.
 * map_chain_close() ends it.
 */
void map_open_image(struct map_chain *map, const struct chain *chain, unsigned int nr);

#endif
