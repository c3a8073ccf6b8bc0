/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes, reloads and removes devices. Functions return 0 or a negative errno after saying why.
 */
#ifndef COWCHAIN_DM_CHANGE_H
#define COWCHAIN_DM_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "dm.h"

/* Creates, loads and resumes; nothing is left of it on failure, nor after a signal. */
int dm_create(const char *name, uint64_t sectors, const char *params, bool read_only);

/*
 * Loads and activates the chain once more, as it is now; its users go on, I/O waits meanwhile. A chain
 * that cannot be activated stays suspended (said so), and can be tried again.
 */
int dm_reload(const struct dm_device *dev);

enum dm_remove_flags {
	DM_REMOVE_DEFERRED = 1 << 0,	/* when the last user closes it, if it is in use now */
	DM_REMOVE_FORCE = 1 << 1,	/* fail all I/O of its users first */
};

int dm_remove(const struct dm_device *dev, unsigned int flags);

#endif
