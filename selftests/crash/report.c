// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: what is wrong with a point.
 */
#include <stdio.h>

#include "report.h"

#define MAX_REPORTS	12

bool complain(struct replay *r, const char *fmt, ...)
{
	va_list ap;

	if (r->bad++ < MAX_REPORTS) {
		printf("# FAILED: %s, entry %u: ", r->where, r->at);
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
		putchar('\n');
	}
	return false;
}
