// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bounds what discards take in memory; see throttle.h.
 *
 * Whoever sleeps here is inside of cc_map(). That is safe:
 *
 * - It holds nothing that those who are counted need: no view, no cells. Its task may have bios
 *   that are not submitted yet (current->bio_list), but none that have been mapped by this target:
 *   bios for the devices below are submitted before the next bio of this device is mapped.
 * - What is counted ends without its help. Workers end bios, or turn them into ranges; when half of
 *   the bound are ranges, a sync is started (see trim.c), and a work item takes their space.
 *   Neither needs a lock of dm: a suspend waits for the task that sleeps here, and bios and ranges
 *   end meanwhile as always. If a snapshot pauses bios, it ends the pause without waiting for this
 *   task.
 */
#include <linux/wait.h>

#include "throttle.h"

void cc_throttle_init(struct cowchain *cc)
{
	atomic_set(&cc->nr_discards, 0);
	init_waitqueue_head(&cc->discard_wait);
}

static bool cc_throttle_room(struct cowchain *cc)
{
	return atomic_read(&cc->nr_discards) < CC_MAX_DISCARDS;
}

void cc_throttle_wait(struct cowchain *cc)
{
	io_wait_event(cc->discard_wait, cc_throttle_room(cc));
}

void cc_throttle_put(struct cowchain *cc)
{
	if (atomic_dec_return(&cc->nr_discards) < CC_MAX_DISCARDS &&
	    wq_has_sleeper(&cc->discard_wait))
		wake_up(&cc->discard_wait);
}
