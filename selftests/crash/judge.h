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

#endif
