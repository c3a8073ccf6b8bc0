/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Thin devices and the free space in their pools.
 */
#ifndef COWCHAIN_DM_THIN_H
#define COWCHAIN_DM_THIN_H

#include <stdint.h>
#include <sys/types.h>

struct dm_thin {
	uint64_t size;		/* bytes of the device */
	uint64_t mapped;	/* bytes of the device that have space in the pool */
	uint64_t free;		/* of the pool */
	uint64_t block;		/* bytes that the pool allocates at once */
};

/*
 * Returns 0; or a negative errno, without a message, if dev is no thin device or cannot be asked.
 */
int dm_thin_room(dev_t dev, struct dm_thin *thin);

#endif
