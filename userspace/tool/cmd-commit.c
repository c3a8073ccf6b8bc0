// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain commit: copies layers down into the one below them, and drops them.
 */
#include <stdlib.h>
#include <unistd.h>

#include "commit.h"
#include "devno.h"
#include "live.h"
#include "loop.h"
#include "options.h"
#include "space-check.h"
#include "result.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = {
	"NAME [--base LAYER|FILE | --shallow] [--active [--keep]] [--speed BYTES] [--wait] ...",
	NULL,
};

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ 0 },
};

enum { OPT_BASE = OPT_OWN, OPT_TOP, OPT_SHALLOW, OPT_ACTIVE, OPT_PIVOT, OPT_KEEP, OPT_KEEP_OVERLAY };

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
	.help = "the topmost layer that is copied: the one below the top of the\n"
		"chain, which is the default, or the top, as with --active",
};

static const struct opt opt_shallow = {
	.id = OPT_SHALLOW,
	.name = "shallow",
	.help = "one layer only, into the one below it",
};

static const struct opt opt_active = {
	.id = OPT_ACTIVE,
	.name = "active",
	.help = "the top as well, which may be in use: at the end the base, which has\n"
		"to be a qcow2 image, becomes the top",
};

static const struct opt opt_pivot = {
	.id = OPT_PIVOT,
	.name = "pivot",
	.help = "as --active, and as it is done without --keep",
};

static const struct opt opt_keep = {
	.id = OPT_KEEP,
	.name = "keep",
	.help = "with --active: be ready, and wait for 'cowchain job NAME complete'",
};

static const struct opt opt_keep_overlay = {
	.id = OPT_KEEP_OVERLAY,
	.name = "keep-overlay",
	.help = "not supported: take a snapshot, and commit what was the top",
};

static const struct opt opt_force = {
	.id = OPT_FORCE,
	.name = "force",
	.help = "even if there may not be enough room for what is copied",
};

static const struct opt *const options[] = {
	&opt_base, &opt_shallow, &opt_top, &opt_active, &opt_pivot, &opt_keep, &opt_keep_overlay, JOB_OPTIONS, &opt_force,
	&opt_dry_run, &opt_json, NULL,
};

static const char *const examples[] = {
	"cowchain commit vm --shallow --wait",
	"cowchain commit vm --base base.raw --speed 50M",
	"cowchain commit vm --active --shallow --wait",
	NULL,
};

struct commit_args {
	struct job_args job;
	const char *base;
	const char *top;
	bool shallow;
	bool active;
	bool keep;
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
	case OPT_PIVOT:
		args->active = true;
		return 0;
	case OPT_KEEP:
		args->keep = true;
		return 0;
	case OPT_KEEP_OVERLAY:
		return cc_usage("commit", "--keep-overlay: the base would be the top of another chain: 'cowchain snapshot', then commit what was the top");
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
	if (args->keep && !args->active)
		return cc_usage("commit", "--keep is for --active: otherwise nothing waits for the end");
	return job_args_check("commit", &args->job);
}

static int check_active(const struct live *live, const struct commit_args *args, int last, int top)
{
	if (args->active && last != top) {
		cc_error("%s: --active commits the top, which is layer %d: leave --top out", live->dev.name, top);
		return -1;
	}
	if (!top) {
		cc_error("%s: has one layer only: there is nothing to commit it into", live->dev.name);
		return -1;
	}
	return 0;
}

/* It would take the place of the top. */
static int say_raw(const struct live *live, int base)
{
	const char *word = shell_word(live->dev.name);

	cc_error("%s: layer %d is a raw disk, which cannot be the top: --base names another one; or 'cowchain snapshot %s NEW', then 'cowchain commit %s'",
		 live->dev.name, base, word, word);
	return -1;
}

static int check_last(const struct live *live, int last, int top)
{
	if (top < 2) {
		cc_error("%s: has nothing between its base and its top: 'cowchain snapshot' first, or --active to commit the top",
			 live->dev.name);
		return -1;
	}
	if (last != top - 1) {
		cc_error("%s: layer %d is neither the top nor the one below it, which is %d: what is committed has to end there",
			 live->dev.name, last, top - 1);
		return -1;
	}
	return 0;
}

/* Find the layers by the options. Returns 0, or -1 after a message. */
static int find_layers(const struct live *live, const struct commit_args *args, int *base, int *last)
{
	int top = (int)live_top(live);

	*last = args->top ? live_find(live, args->top) : args->active ? top : top - 1;
	if (args->top && *last < 0)
		return -1;
	if (args->active || *last == top ? check_active(live, args, *last, top) : check_last(live, *last, top))
		return -1;
	*base = args->base ? live_find(live, args->base) : args->shallow ? *last - 1 : 0;
	if (*base < 0)
		return -1;
	if (*base >= *last) {
		cc_error("%s: layer %d cannot be the base: it has to be below layer %d, which is committed", live->dev.name,
			 *base, *last);
		return -1;
	}
	return *last == top && live->table.layers[*base].kind == KIND_RAW ? say_raw(live, *base) : 0;
}

/* The file of the loop device of a layer, or its device; the caller frees it. */
static char *layer_name(const struct live *live, int number)
{
	const char *word = live->table.layers[number].dev;
	char *path = NULL;
	int fd = -1;
	dev_t dev;

	if (!devno_parse(word, &dev))
		fd = loop_open_file(dev, &path);
	if (fd < 0)
		return xstrdup(word);
	close(fd);
	return path;
}

/* What to attach next time, and what is of no use any more. */
static void say_pivot(const struct live *live, int base, int top)
{
	char *now = layer_name(live, base), *was = layer_name(live, top);

	cc_note("%s: at the end %s is the top, which is to be attached from then on; %s has nothing that is not there, and is refused",
		live->dev.name, now, was);
	free(was);
	free(now);
}

static int start(const struct live *live, const struct commit_args *args)
{
	int base, last, top = (int)live_top(live);

	if (find_layers(live, args, &base, &last))
		return CC_FAILED;
	if (!args->job.force && space_check_commit(live, (unsigned int)base, (unsigned int)last))
		return CC_FAILED;
	if (commit_start(live, (unsigned int)base, (unsigned int)last, args->keep, &args->job))
		return CC_FAILED;
	if (last == top)
		say_pivot(live, base, top);
	return CC_OK;
}

static int run(int argc, char **argv)
{
	struct commit_args args = { 0 };
	struct live live;
	int ret = parse(argc, argv, &args);

	if (ret)
		return ret;
	result_text("name", dm_name(args.name));
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
	.result = true,
	.run = run,
};
