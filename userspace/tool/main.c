// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain, the tool: finds the verb on the command line and runs it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#include "file.h"
#include "help.h"
#include "output.h"
#include "plan.h"
#include "result.h"
#include "util.h"
#include "verbs.h"

enum { OPT_COMPLETION = 256 };

/* What is done by another verb or program, or not at all. */
static const char *instead_of(const char *name)
{
	static const char *const hints[][2] = {
		{ "backup", "take a snapshot; 'cowchain export' makes a device of the old top, which does not change any more" },
		{ "blockcommit", "'cowchain commit' does that" },
		{ "blockcopy", "'cowchain copy' moves a disk" },
		{ "blockpull", "'cowchain stream' does that" },
		{ "convert", "'cowchain copy' moves a live disk; qemu-img converts images" },
		{ "mount", "'cowchain attach' makes a block device, which can be mounted" },
		{ "remove", "'cowchain detach' removes a device; images are files" },
		{ "rename", "'dmsetup rename' does that" },
		{ "resize", "the size of a disk is fixed: make a larger image, and copy the contents" },
		{ "show", "see 'cowchain list', 'status' and 'info'" },
		{ "start", "'cowchain attach' does that" },
		{ "stop", "'cowchain detach' does that" },
	};
	size_t i;

	/* As virsh calls them, too. */
	if (!strcmp(name, "blockresize"))
		name += strlen("block");
	for (i = 0; i < ARRAY_SIZE(hints); i++)
		if (!strcmp(name, hints[i][0]))
			return hints[i][1];
	return NULL;
}

static int no_verb(const char *name)
{
	const char *hint = instead_of(name);

	if (hint)
		return cc_usage(NULL, "there is no verb '%s': %s", name, hint);
	return cc_usage(NULL, "there is no verb '%s'", name);
}

static int help(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2) {
		help_overview(stdout);
		return CC_OK;
	}
	verb = verb_find(argv[1]);
	if (!verb)
		return no_verb(argv[1]);
	help_verb(verb);
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
	const struct verb *verb = verb_find(argv[0]);
	int ret;

	if (!strcmp(argv[0], "help"))
		return help(argc, argv);
	if (!verb)
		return no_verb(argv[0]);
	if (asks_for_help(argc, argv)) {
		help_verb(verb);
		return CC_OK;
	}
	ret = verb->run(argc, argv);
	if (plan_wanted())
		plan_end(ret);
	/* Of a wrong command line, nothing was done. */
	if (result_wanted() && ret != CC_USAGE)
		result_print(verb->name, ret);
	return ret;
}

/* A full disk below a redirected stdout is a failure, too. */
static int finish(int ret)
{
	/* Of an earlier error, the reason is not known any more. */
	errno = EIO;
	if (!fflush(stdout) && !ferror(stdout))
		return ret;
	cc_error("cannot write to the standard output: %s", strerror(errno));
	return ret == CC_OK ? CC_FAILED : ret;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "debug", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "completion", optional_argument, NULL, OPT_COMPLETION },
		{ 0 },
	};
	int c;

	if (file_open_standard())
		return CC_FAILED;
	/* Whoever may run it as root is root: it opens, makes and overwrites what the user names. */
	if (getauxval(AT_SECURE)) {
		cc_error("is not made to be setuid, nor to have capabilities: run it as root");
		return CC_FAILED;
	}
	out_set_locale();
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+dhV", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			cc_debug_on = true;
			break;
		case 'h':
			help_overview(stdout);
			return finish(CC_OK);
		case 'V':
			puts("cowchain " VERSION);
			return finish(CC_OK);
		case OPT_COMPLETION:
			help_completion(optarg);
			return finish(CC_OK);
		default:
			return verb_refuse(NULL, c, argv);
		}
	}
	argc -= optind;
	argv += optind;
	if (!argc) {
		help_overview(stderr);
		return CC_USAGE;
	}
	/* The verbs use getopt_long(), too: 0 resets it. */
	optind = 0;
	return finish(run(argc, argv));
}
