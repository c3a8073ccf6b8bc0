// SPDX-License-Identifier: GPL-2.0-only
/* What the tool's sources that the launcher shares (../lib/lock.c) call for their messages. */
#include <stdarg.h>
#include <stdio.h>

#include "../lib/util.h"
#include "util.h"

void cc_error(const char *fmt, ...)
{
	char line[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	say("%s", line);
}

/* Only for those who look for an error in the tool. */
void cc_debug(const char *fmt, ...)
{
	(void)fmt;
}
