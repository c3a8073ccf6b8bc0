// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program that scripts/bench/exact measures with: its table of commands, and helpers.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

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

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(int argc, char **argv);
	} commands[] = {
		{ "io", cmd_io },
		{ "fill", cmd_fill },
		{ "put", cmd_put },
		{ "copy", cmd_copy },
		{ "activate", cmd_activate },
		{ "job", cmd_job },
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++) {
		if (!strcmp(argv[1], commands[i].name)) {
			commands[i].run(argc - 1, argv + 1);
			return fflush(stdout) ? 1 : 0;
		}
	}
	die("usage: count io|fill|put|copy|activate|job ARG...");
}
