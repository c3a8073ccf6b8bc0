/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opens a disk and finds out what it can do.
 */
#ifndef VMM_BLK_LIMITS_H
#define VMM_BLK_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

struct blk_device;

/*
 * Open `path` and fill in dev->fd, is_blockdev and lim. serial may be NULL. Returns 0, or -errno
 * after a message.
 */
int blk_open(struct blk_device *dev, const char *path, bool readonly, const char *serial);

/* The size of an open disk, in bytes. Returns 0 or -errno. */
int blk_read_size(const struct blk_device *dev, uint64_t *bytes);

#endif
