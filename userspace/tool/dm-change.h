/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes, reloads and removes devices. Functions return 0, or a negative errno after a message.
 */
#ifndef COWCHAIN_DM_CHANGE_H
#define COWCHAIN_DM_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "dm-uuid.h"
#include "dm.h"

/* A new chain. params: see table_format(). */
struct dm_new {
	const char *name;
	uint64_t sectors;
	const char *params;
	bool read_only;
	struct dm_marks marks;
};

/* Create, load and resume a device. Leaves nothing behind on failure or after a signal. */
int dm_create(const struct dm_new *new);

/*
 * Load and activate the same chain again while the device is in use; I/O waits meanwhile. If the
 * chain cannot be activated, the device stays suspended, a message says so, and the call can be
 * repeated.
 */
int dm_reload(const struct dm_device *dev);

enum dm_remove_flags {
	DM_REMOVE_DEFERRED = 1 << 0,	/* when its last user closes it, if it is in use */
	DM_REMOVE_FORCE = 1 << 1,	/* fail all I/O of its users first */
};

int dm_remove(const struct dm_device *dev, unsigned int flags);

#endif
