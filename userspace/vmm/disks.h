/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is done with all disks of a guest together. By the main thread only.
 */
#ifndef VMM_DISKS_H
#define VMM_DISKS_H

#include "blk.h"
#include "vm.h"

struct disks {
	struct blk_device blk[VM_MAX_DISKS];
	const char *path[VM_MAX_DISKS];
	unsigned int n;			/* how many are set up */
};

/* Returns 0, or -errno after a message. */
int disks_start(struct disks *d);

/*
 * Say which of them have a request that waits for the user, who is to signal `supervisor`. `first`:
 * the guest was not paused yet, so this is said whatever the guest has caused before.
 */
void disks_report(struct disks *d, pid_t supervisor, bool first);

void disks_retry(struct disks *d);
void disks_update_sizes(struct disks *d);

/*
 * End them all, in at most `ms` milliseconds and the time to make their data durable. `end` is how
 * the guest has ended. Returns that, or END_ERROR instead of END_REBOOT if the kernel still has
 * requests of it: the next boot must not meet them.
 */
int disks_stop(struct disks *d, unsigned int ms, int end);

#endif
