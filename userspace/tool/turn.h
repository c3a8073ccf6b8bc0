/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes of a chain one after the other: what an invocation has read of the chain must still be
 * true when it sends its message to the kernel.
 */
#ifndef COWCHAIN_TURN_H
#define COWCHAIN_TURN_H

#include "dm.h"

/*
 * Open the device with open_device (dm_open() or dm_open_ours()) as soon as no other invocation is
 * changing its chain. Others wait until the returned descriptor is closed. Returns -1 after a
 * message on failure.
 */
int turn_open(const char *name, int (*open_device)(const char *name, struct dm_device *dev),
	      struct dm_device *dev);

#endif
