/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes NEW of a snapshot or copy, in a file that does not exist yet or on a block device.
 */
#ifndef COWCHAIN_SNAPSHOT_MAKE_H
#define COWCHAIN_SNAPSHOT_MAKE_H

#include <stdbool.h>

#include "create.h"
#include "live.h"
#include "snapshot.h"

/*
 * Does NEW have an image that may be used as it is? Any file that exists has; a block device only if it begins
 * like one, unless it is to be overwritten.
 */
bool snapshot_has_image(const struct snapshot *snap);
/* Make it, with top as its backing file. Returns as create_image() does. */
int snapshot_make(const struct snapshot *snap, const struct live *live, const char *top, struct created *made);

#endif
