/* SPDX-License-Identifier: GPL-2.0-only */
/* Snapshots: a new top on the live chain. */
#ifndef COWCHAIN_SNAPSHOT_H
#define COWCHAIN_SNAPSHOT_H

#include "layer.h"

/**
 * cc_snapshot() - put a new, empty top on the chain.
 * @data_path: NULL if there is no separate data device.
 *
 * Returns when all reads that had begun before have ended, or the task is killed, or the device is
 * about to be suspended. After an error everything is as it was before.
 *
 * Context: process, cc->ctl not held. Return: 0 or -errno, -EBUSY if writes do not end within the
 * limit of the pause; the reason is logged.
 */
int cc_snapshot(struct cowchain *cc, enum cc_kind kind, const char *path,
		const char *data_path);

#endif /* COWCHAIN_SNAPSHOT_H */
