/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Thin devices and their pools, for the room that is left.
 */
#ifndef COWCHAIN_DM_THIN_H
#define COWCHAIN_DM_THIN_H

#include <stdint.h>
#include <sys/types.h>

struct dm_thin {
	uint64_t size;		/* bytes of the device */
	uint64_t mapped;	/* of these, with space of the pool */
	uint64_t free;		/* of the pool */
	uint64_t block;		/* that the pool gives out at once */
};

/* Of a thin device. Returns 0; or a negative errno, silently, if it is none or cannot be asked. */
int dm_thin_room(dev_t dev, struct dm_thin *thin);

#endif
