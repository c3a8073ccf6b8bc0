/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits of the block layer that a device in use cannot change.
 */
#ifndef COWCHAIN_SNAPSHOT_LIMITS_H
#define COWCHAIN_SNAPSHOT_LIMITS_H

#include "layer.h"
#include "live.h"
#include "snapshot.h"

/*
 * Refuse what the kernel would refuse as well, but with what can be done instead. layer is attached; top is the
 * name of the present top, or NULL. Returns 0, or -1 after a message.
 */
int snapshot_check_limits(const struct snapshot *snap, const struct live *live, const struct layer *layer,
			  const char *top);

#endif
