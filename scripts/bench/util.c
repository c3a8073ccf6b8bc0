// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errors, memory, numbers and the clock, for the program that scripts/bench/exact measures with.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util.h"

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void unsupported(const char *what)
{
	fprintf(stderr, "no %s\n", what);
	exit(3);
}

void *xalloc(size_t bytes)
{
	size_t size = (bytes + 4095) / 4096 * 4096;
	void *p = aligned_alloc(4096, size);

	if (!p)
		die("no memory");
	return memset(p, 0, size);
}

uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	switch (*end) {
	case 'G':
		n <<= 10;
		/* fallthrough */
	case 'M':
		n <<= 10;
		/* fallthrough */
	case 'K':
		n <<= 10;
		end++;
	}
	if (*end)
		die("not a number: %s", text);
	return n;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}
