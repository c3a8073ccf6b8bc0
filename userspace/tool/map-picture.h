/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A map as a picture: a row for each layer, the top first, with the parts of the disk that it provides.
 */
#ifndef COWCHAIN_MAP_PICTURE_H
#define COWCHAIN_MAP_PICTURE_H

#include "chain-map.h"

enum map_picture_kind { MAP_NO_PICTURE, MAP_PICTURE_TEXT, MAP_PICTURE_SVG };

/* Returns 0, or -1 after a message from the map. */
int map_picture(struct map_chain *chain, enum map_picture_kind kind);

/* ---- for tests ---- */

/* Parts of the disk of one layer, and what it provides of each. */
struct map_bins {
	uint64_t disk;
	unsigned int nr;
	uint64_t *bytes;
};

/* Where a part begins. Pure. */
uint64_t map_bin_start(const struct map_bins *bins, unsigned int bin);
/* Count [start, start + length). */
void map_bins_add(struct map_bins *bins, uint64_t start, uint64_t length);

#endif
