/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opens a disk and finds out what it can do.
 */
#ifndef VMM_BLK_LIMITS_H
#define VMM_BLK_LIMITS_H

#include <stdbool.h>

struct blk_device;

/*
 * Opens `path` and fills dev->fd, is_blockdev and lim. serial may be NULL. 0 or -errno,
 * said why.
 */
int blk_open(struct blk_device *dev, const char *path, bool readonly, const char *serial);

#endif
