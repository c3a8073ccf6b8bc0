/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Snapshots of several chains at one point in time.
 */
#ifndef COWCHAIN_GROUP_H
#define COWCHAIN_GROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "hook.h"
#include "snapshot.h"

/**
 * struct group - what to take.
 * @snaps: one for each device.
 * @freeze: file systems that are mounted from the devices.
 */
struct group {
	struct snapshot *snaps;
	size_t nr;
	bool freeze;
	struct hook hook;
};

/*
 * All of them, or none. Returns 0, or -1 after a message: then no chain has changed, unless the message says
 * that what was frozen could not be thawed.
 */
int group_take(const struct group *group);

#endif
