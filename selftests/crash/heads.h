/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: judges the headers at a point of the log.
 */
#ifndef COWCHAIN_CRASH_HEADS_H
#define COWCHAIN_CRASH_HEADS_H

#include "state.h"

/* Reads the headers into r->head. Return: are they right? If not, prints why. */
bool heads_check(struct replay *r, bool durable);
/* These slices were flushed: the headers that they had before are no longer possible. */
void heads_settled(struct replay *r, uint32_t slices);
/* The current header of each top is possible as well, from now on. */
void heads_saw(struct replay *r);
/* Has a message that begins so been sent? */
bool heads_begun(const struct replay *r, const char *what);

#endif
