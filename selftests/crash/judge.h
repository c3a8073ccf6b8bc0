/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: judges the disk at a point of the log.
 */
#ifndef COWCHAIN_CRASH_JUDGE_H
#define COWCHAIN_CRASH_JUDGE_H

#include "state.h"

/*
 * Is the state of the disk one that may occur? Prints what is wrong. @durable: nothing can be lost
 * any more.
 */
bool judge(struct replay *r, bool durable);
/* These slices were flushed: the headers that they had before are no longer possible. */
void judge_settled(struct replay *r, uint32_t slices);
/* The current header of each top is possible as well, from now on. */
void judge_saw(struct replay *r);

#endif
