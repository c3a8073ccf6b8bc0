// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is there, or the program ends.
 */
#include <stdarg.h>
#include <stdio.h>

#include "log.h"
#include "memory.h"

void *need(void *ptr)
{
	if (!ptr) {
		log_error("out of memory");
		exit(1);
	}
	return ptr;
}

char *format(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	return need(len < 0 ? NULL : text);
}
