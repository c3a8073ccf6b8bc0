/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: judges what is committed.
 */
#ifndef COWCHAIN_CRASH_COMMIT_H
#define COWCHAIN_CRASH_COMMIT_H

#include "state.h"

/* A message is about to be sent: with a commit, what is committed must not change from here on. */
void commit_freeze(struct replay *r);
/* The headers are known, and right. Return: are the layers? If not, prints why. */
bool commit_check(struct replay *r);

#endif
