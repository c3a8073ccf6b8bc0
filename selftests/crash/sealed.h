/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: judges the layer below the top that a stream goes into.
 */
#ifndef COWCHAIN_CRASH_SEALED_H
#define COWCHAIN_CRASH_SEALED_H

#include "state.h"

/* A mark: if a snapshot has put a top on that layer, what it shows must not change from here on. */
void sealed_freeze(struct replay *r);
/* The headers are known, and right. Return: does it show that? If not, prints why. */
bool sealed_check(struct replay *r);

#endif
