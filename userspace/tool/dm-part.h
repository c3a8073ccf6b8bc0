/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linear maps for the partitions of a chain, as kpartx makes them: the kernel has no partitions on a mapped device.
 */
#ifndef COWCHAIN_DM_PART_H
#define COWCHAIN_DM_PART_H

#include <stddef.h>
#include <stdint.h>

#include "dm.h"

/* One of them; start and length in sectors. */
struct dm_part {
	unsigned int number;
	uint64_t start;
	uint64_t sectors;
};

/*
 * Make the map, or a plan of that: NAME1, or NAMEp1 if the name of the disk ends with a digit. Returns 0,
 * or a negative errno after a message.
 */
int dm_part_create(const struct dm_device *disk, const struct dm_part *part);

/* The names of the maps that exist, whoever has made them. Free them with dm_names_free(). */
void dm_part_find(const struct dm_device *disk, char ***names, size_t *nr);
/* Returns 0, or a negative errno after a message. deferred: when its last user closes it. */
int dm_part_remove(const char *name, bool deferred);

#endif
