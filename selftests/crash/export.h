/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: the images at a point of the log.
 */
#ifndef COWCHAIN_CRASH_EXPORT_H
#define COWCHAIN_CRASH_EXPORT_H

#include "state.h"

/* Writes the layers, the chain, and what it should read like, as directory @name. */
void export_point(struct replay *r, const char *name);

#endif
