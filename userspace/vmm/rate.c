// SPDX-License-Identifier: GPL-2.0-only
/*
 * A limit for what a guest can cause at will.
 */
#include "rate.h"

bool rate_permits(struct rate *r, time_t now, unsigned int *refused)
{
	if (now - r->since >= RATE_SECONDS) {
		r->since = now;
		r->times = 0;
	}
	if (r->times >= RATE_TIMES) {
		r->refused++;
		return false;
	}
	r->times++;
	*refused = r->refused;
	r->refused = 0;
	return true;
}
