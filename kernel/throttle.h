/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bounds what discards take in memory.
 *
 * One discard of the guest may cover the whole disk. It becomes thousands of bios that wait for a
 * worker, and of ranges whose space waits to be given back (see trim.h). All of them are counted,
 * and whoever submits more than CC_MAX_DISCARDS sleeps, as it would at a disk whose queue is full.
 */
#ifndef COWCHAIN_THROTTLE_H
#define COWCHAIN_THROTTLE_H

#include "cowchain.h"

#define CC_MAX_DISCARDS		512

void cc_throttle_init(struct cowchain *cc);

/*
 * Wait until there is room for one more. Others may take it first, so the bound is exceeded by one
 * for each task that submits discards at once. Context: process; no view is held, since those that
 * are counted may need another view first.
 */
void cc_throttle_wait(struct cowchain *cc);

/* Count one, without waiting. Context: any. */
static inline void cc_throttle_get(struct cowchain *cc)
{
	atomic_inc(&cc->nr_discards);
}

/* Context: any. */
void cc_throttle_put(struct cowchain *cc);

#endif /* COWCHAIN_THROTTLE_H */
