// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain: chains of qcow2 layers as block devices. The verbs are in commands.c.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "util.h"

#ifndef VERSION
#define VERSION "unknown"
#endif

static void print_overview(FILE *out)
{
	size_t i;

	fputs("usage: cowchain [--debug] VERB ...\n\n", out);
	for (i = 0; i < nr_commands; i++)
		fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fputs("\n'cowchain help VERB' has the options of a verb; the manual page is cowchain(8).\n", out);
}

static void print_help(const struct command *cmd)
{
	printf("usage: cowchain %s %s\n\n%s\n\n%s", cmd->name, cmd->usage, cmd->summary, cmd->help);
}

static int help(int argc, char **argv)
{
	const struct command *cmd;

	if (argc < 2) {
		print_overview(stdout);
		return CC_OK;
	}
	cmd = command_find(argv[1]);
	if (!cmd)
		return cc_usage(NULL, "there is no verb '%s'", argv[1]);
	print_help(cmd);
	return CC_OK;
}

static bool asks_for_help(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help"))
			return true;
	return false;
}

static int run(int argc, char **argv)
{
	const struct command *cmd = command_find(argv[0]);

	if (!strcmp(argv[0], "help"))
		return help(argc, argv);
	if (!cmd)
		return cc_usage(NULL, "there is no verb '%s'", argv[0]);
	if (asks_for_help(argc, argv)) {
		print_help(cmd);
		return CC_OK;
	}
	return cmd->run(argc, argv);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "debug", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c, ret;

	while ((c = getopt_long(argc, argv, "+dhV", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			cc_debug_on = true;
			break;
		case 'h':
			print_overview(stdout);
			return CC_OK;
		case 'V':
			puts("cowchain " VERSION);
			return CC_OK;
		default:
			return CC_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	if (!argc) {
		print_overview(stderr);
		return CC_USAGE;
	}
	/* The verbs use getopt_long() as well: 0 makes it start anew. */
	optind = 0;
	ret = run(argc, argv);
	/* A full disk under a redirected stdout is a failure, too. */
	if (fflush(stdout) && ret == CC_OK) {
		perror("cowchain: stdout");
		ret = CC_FAILED;
	}
	return ret;
}
