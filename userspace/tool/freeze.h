/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stops guests and file systems from writing while a snapshot is taken, and lets them go on whatever happens.
 */
#ifndef COWCHAIN_FREEZE_H
#define COWCHAIN_FREEZE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "hook.h"

struct frozen_fs;

struct freeze {
	struct hook hook;
	struct frozen_fs *fs;	/* in the order in which they are frozen */
	size_t nr;
	pid_t guard;		/* thaws if this program is killed; 0: none */
	int guard_fd;
	bool begun;
};

/*
 * Find the file systems that are mounted from a device, or from devices on it, and open them. To be called for
 * each device. Returns 0, or -1 after a message.
 */
int freeze_add(struct freeze *freeze, dev_t dev);

/*
 * Run the hook, then freeze. Within a hold, which lasts until freeze_end(). From here on messages are held back.
 * Returns 0, or -1 after a message; in any case freeze_end() has to follow.
 */
int freeze_begin(struct freeze *freeze);

/* Thaw, then run the hook. Returns 0, or -1 after a message. */
int freeze_end(struct freeze *freeze);

/* Close and free what freeze_add() has opened. */
void freeze_free(struct freeze *freeze);

#endif
