/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The partitions of a chain as devices of their own: attach --partitions, and detach.
 */
#ifndef COWCHAIN_PARTITIONS_H
#define COWCHAIN_PARTITIONS_H

#include "dm.h"

/*
 * Make a device of each partition that the table on the device has; a note if it has none. Within a hold. Returns 0, or
 * -1 after a message: then there are none.
 */
int partitions_make(const char *name);
/*
 * Remove those that exist before their disk. now: only if nobody uses any of them, nor the disk; else each when its
 * last user closes it. Within a hold. Returns 0, or -1 after a message: then all are there, unless it says otherwise.
 */
int partitions_remove(struct dm_device *disk, bool now);

#endif
