/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prints a map while it is made.
 */
#ifndef COWCHAIN_MAP_PRINT_H
#define COWCHAIN_MAP_PRINT_H

#include "chain-map.h"
#include "output.h"

/* Returns 0, or -1 after a message: from the map, or because the output cannot be written. */
int map_print(struct map_chain *chain, const struct out_options *opt);

#endif
