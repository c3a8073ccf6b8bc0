// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program that scripts/bench/exact measures with: its table of commands.
 */
#include <stdio.h>
#include <string.h>

#include "copy.h"
#include "cycle.h"
#include "dm.h"
#include "io.h"
#include "util.h"

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
		{ "cycle", cmd_cycle },
		{ "job", cmd_job },
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++) {
		if (!strcmp(argv[1], commands[i].name)) {
			commands[i].run(argc - 1, argv + 1);
			return fflush(stdout) ? 1 : 0;
		}
	}
	die("usage: count io|fill|put|copy|activate|cycle|job ARG...");
}
