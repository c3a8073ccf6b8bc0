/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opens the layers of an active chain for a map.
 */
#ifndef COWCHAIN_MAP_LIVE_H
#define COWCHAIN_MAP_LIVE_H

#include "chain-map.h"
#include "live.h"

/*
 * Map the first nr layers. The device is flushed if a writable top is among them. map_chain_close() ends it, also
 * after a failure. Returns 0, or -1 after a message.
 */
int map_open_live(struct map_chain *map, const struct live *live, unsigned int nr);

#endif
