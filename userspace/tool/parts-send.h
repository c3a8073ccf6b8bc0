/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells the stream of a chain which parts are to be copied first.
 */
#ifndef COWCHAIN_PARTS_SEND_H
#define COWCHAIN_PARTS_SEND_H

#include "parts.h"

/*
 * Have the stream of this chain copy them first. What lies behind the end of what the job goes over is left out.
 * Returns 0, also if the job is over; or a negative errno, without a message. *sent: how many of them, the first ones,
 * are no longer of interest: the stream knows them, or needs none.
 */
int parts_send(const char *name, const struct part *part, size_t nr, size_t *sent);

#endif
