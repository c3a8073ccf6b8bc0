// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: messages of all threads.
 */
#include <stdio.h>

#include "report.h"

static void vsay(struct stress *s, const char *prefix, const char *fmt, va_list ap)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	printf("# %s[%llu] ", prefix, (unsigned long long)s->clock);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
	pthread_mutex_unlock(&lock);
}

void stress_fail(struct stress *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(s, "FAILED ", fmt, ap);
	va_end(ap);
	s->failed = true;
}

void stress_note(struct stress *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->verbose)
		return;
	va_start(ap, fmt);
	vsay(s, "", fmt, ap);
	va_end(ap);
}
