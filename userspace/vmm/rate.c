// SPDX-License-Identifier: GPL-2.0-only
/*
 * A limit for what a guest can cause at will.
 */
#include "rate.h"

bool rate_permits(struct rate *r, time_t now, unsigned int *refused)
{
	/* Not `now - since`: another process may have written it, and have been taken over. */
	if (r->since > now || r->since <= now - RATE_SECONDS) {
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
