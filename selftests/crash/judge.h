/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: judges the disk at a point of the log.
 */
#ifndef COWCHAIN_CRASH_JUDGE_H
#define COWCHAIN_CRASH_JUDGE_H

#include "state.h"

/* Is the disk as it may be? @durable: nothing in it may be lost any more. Prints what is wrong. */
bool judge(struct replay *r, bool durable);
/* These slices were flushed: the headers that they had before are no longer possible. */
void judge_settled(struct replay *r, uint32_t slices);
/* From now on the header of each top as it is now is possible, too. */
void judge_saw(struct replay *r);

#endif
