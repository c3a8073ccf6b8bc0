// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain commit: copies layers down into the one below them, and drops them.
 */
#include <unistd.h>

#include "commit.h"
#include "live.h"
#include "options.h"
#include "space-check.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = {
	"NAME [--base LAYER|FILE | --shallow] [--speed BYTES] [--wait] ...",
	NULL,
};

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ 0 },
};

enum { OPT_BASE = OPT_OWN, OPT_TOP, OPT_SHALLOW, OPT_ACTIVE };

static const struct opt opt_base = {
	.id = OPT_BASE,
	.name = "base",
	.value = "BASE",
	.complete = COMPLETE_FILE,
	.help = "the layer that is written, by number or file; default: the lowest",
};

static const struct opt opt_top = {
	.id = OPT_TOP,
	.name = "top",
	.value = "LAYER",
	.complete = COMPLETE_FILE,
	.help = "the topmost layer that is copied; it has to be the one below the\n"
		"top of the chain, which is the default",
};

static const struct opt opt_shallow = {
	.id = OPT_SHALLOW,
	.name = "shallow",
	.help = "one layer only, into the one below it",
};

static const struct opt opt_active = {
	.id = OPT_ACTIVE,
	.name = "active",
	.help = "not supported: take a snapshot, and commit what was the top",
};

static const struct opt opt_force = {
	.id = OPT_FORCE,
	.name = "force",
	.help = "even if there may not be enough room for what is copied",
};

static const struct opt *const options[] = {
	&opt_base, &opt_shallow, &opt_top, &opt_active, JOB_OPTIONS, &opt_force, NULL,
};

static const char *const examples[] = {
	"cowchain commit vm --shallow --wait",
	"cowchain commit vm --base base.raw --speed 50M",
	NULL,
};

struct commit_args {
	struct job_args job;
	const char *base;
	const char *top;
	bool shallow;
	bool active;
	const char *name;
};

static int take_option(int id, const char *value, void *data)
{
	struct commit_args *args = data;

	switch (id) {
	case OPT_BASE:
		args->base = value;
		return 0;
	case OPT_TOP:
		args->top = value;
		return 0;
	case OPT_SHALLOW:
		args->shallow = true;
		return 0;
	case OPT_ACTIVE:
		args->active = true;
		return 0;
	default:
		return job_args_option("commit", id, value, &args->job);
	}
}

static int parse(int argc, char **argv, struct commit_args *args)
{
	int ret = verb_parse(&cmd_commit, argc, argv, take_option, args);

	if (ret)
		return ret;
	if (argc - optind != 1)
		return cc_usage("commit", "one device is needed");
	args->name = argv[optind];
	if (args->base && args->shallow)
		return cc_usage("commit", "--base and --shallow exclude each other");
	return job_args_check("commit", &args->job);
}

static int say_top(const struct live *live)
{
	const char *word = shell_word(live->dev.name);

	cc_error("%s: the top of the chain cannot be committed while it is written: 'cowchain snapshot %s NEW' puts a new one on it, then commit again",
		 live->dev.name, word);
	return -1;
}

/* Find the layers by the options. Returns 0, or -1 after a message. */
static int find_layers(const struct live *live, const struct commit_args *args, int *base, int *last)
{
	int top = (int)live_top(live);

	*last = args->top ? live_find(live, args->top) : top - 1;
	if (args->top && *last < 0)
		return -1;
	if (args->active || *last == top)
		return say_top(live);
	if (top < 2) {
		cc_error("%s: has nothing between its base and its top: 'cowchain snapshot' first", live->dev.name);
		return -1;
	}
	if (*last != top - 1) {
		cc_error("%s: layer %d is not the one below the top, which is %d: what is committed has to end there",
			 live->dev.name, *last, top - 1);
		return -1;
	}
	*base = args->base ? live_find(live, args->base) : args->shallow ? *last - 1 : 0;
	if (*base < 0)
		return -1;
	if (*base >= *last) {
		cc_error("%s: layer %d cannot be the base: it has to be below layer %d, which is committed", live->dev.name,
			 *base, *last);
		return -1;
	}
	return 0;
}

static int start(const struct live *live, const struct commit_args *args)
{
	int base, last;

	if (find_layers(live, args, &base, &last))
		return CC_FAILED;
	if (!args->job.force && space_check_commit(live, (unsigned int)base, (unsigned int)last))
		return CC_FAILED;
	return commit_start(live, (unsigned int)base, (unsigned int)last, &args->job) ? CC_FAILED : CC_OK;
}

static int run(int argc, char **argv)
{
	struct commit_args args = { 0 };
	struct live live;
	int ret = parse(argc, argv, &args);

	if (ret)
		return ret;
	if (live_open_alone(&live, args.name))
		return CC_FAILED;
	ret = start(&live, &args);
	live_let_go(&live);
	if (ret == CC_OK)
		ret = job_wait(live.dev.name, &args.job);
	live_close(&live);
	return ret;
}

const struct verb cmd_commit = {
	.name = "commit",
	.usage = usage,
	.summary = "copy what lies between base and top down into the base, then drop it",
	.operands = operands,
	.options = options,
	.examples = examples,
	.run = run,
};
