/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One after the other: what is decided by a look at a chain must still be true when the kernel is
 * told.
 */
#ifndef COWCHAIN_TURN_H
#define COWCHAIN_TURN_H

#include "dm.h"

/*
 * Opens the device by open_device (dm_open() or dm_open_ours()) when no other invocation is
 * changing its chain; waits for that. It is this one's turn until the returned descriptor is
 * closed. Returns -1 on failure (said why).
 */
int turn_open(const char *name, int (*open_device)(const char *name, struct dm_device *dev),
	      struct dm_device *dev);

#endif
