// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain stream: copies layers into the top and drops them.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base.h"
#include "job-args.h"
#include "live.h"
#include "options.h"
#include "space-check.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = {
	"NAME [--base LAYER|FILE|none] [--speed BYTES] [--wait] ...",
	NULL,
};

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ 0 },
};

enum { OPT_BASE = OPT_OWN };

static const struct opt opt_base = {
	.id = OPT_BASE,
	.name = "base",
	.old_letter = 'b',
	.value = "BASE",
	.complete = COMPLETE_FILE,
	.words = "none",
	.help = "as for the verb base; default: what was selected, else none",
};

static const struct opt opt_base_name = {
	.id = OPT_BACKING_FILE,
	.name = "backing-file",
	.value = "NAME",
	.complete = COMPLETE_FILE,
	.help = "the name of the base to write into the header of the top",
};

static const struct opt opt_base_format = {
	.id = OPT_BACKING_FORMAT,
	.name = "backing-format",
	.value = "FORMAT",
	.words = FORMAT_WORDS,
	.help = "the format of that file",
};

static const struct opt opt_force = {
	.id = OPT_FORCE,
	.name = "force",
	.help = "even if there may not be enough room for what is copied",
};

static const struct opt *const options[] = {
	&opt_base, JOB_OPTIONS, &opt_force, &opt_base_name, &opt_base_format, NULL,
};

static const char *const examples[] = {
	"cowchain stream vm --base base.raw --wait",
	"cowchain stream vm --base none --speed 50M",
	NULL,
};

struct stream_args {
	struct job_args job;
	const char *base;
	const char *backing_file;
	const char *backing_format;
	const char *name;
};

static int take_option(int id, const char *value, void *data)
{
	struct stream_args *args = data;

	switch (id) {
	case OPT_BASE:
		args->base = value;
		return 0;
	case OPT_BACKING_FILE:
		args->backing_file = value;
		return 0;
	case OPT_BACKING_FORMAT:
		args->backing_format = value;
		return 0;
	default:
		return job_args_option("stream", id, value, &args->job);
	}
}

static int parse(int argc, char **argv, struct stream_args *args)
{
	enum layer_kind kind;
	int ret = verb_parse(&cmd_stream, argc, argv, take_option, args);

	if (ret)
		return ret;
	if (argc - optind != 1)
		return cc_usage("stream", "one device is needed");
	args->name = argv[optind];
	if (!args->backing_file != !args->backing_format)
		return cc_usage("stream", "--backing-file and --backing-format go together");
	if (args->backing_format) {
		ret = take_kind("stream", "backing-format", args->backing_format, &kind);
		if (ret)
			return ret;
	}
	return job_args_check("stream", &args->job);
}

static int start_stream(const struct live *live, const struct stream_args *args)
{
	const char *format = args->backing_format;
	char *name = args->backing_file ? xstrdup(args->backing_file) : NULL;
	int layer = args->base ? base_find(live, args->base) : base_selected(live);
	int ret = layer == BASE_ERROR ? -1 : 0;

	if (!ret && !name && layer >= 0) {
		name = base_stored_name(live, layer);
		format = kind_name(live->table.layers[layer].kind);
		ret = name ? 0 : -1;
	}
	if (!ret && !args->job.force)
		ret = space_check_stream(live, layer, args->base || layer >= 0);
	if (!ret && args->base)
		ret = base_select(live, layer);
	if (!ret)
		ret = job_start(live->dev.name, &args->job, name, format);
	free(name);
	return ret ? CC_FAILED : CC_OK;
}

static int run(int argc, char **argv)
{
	struct stream_args args = { 0 };
	struct live live;
	int ret = parse(argc, argv, &args);

	if (ret)
		return ret;
	if (live_open_alone(&live, args.name))
		return CC_FAILED;
	ret = start_stream(&live, &args);
	live_let_go(&live);
	if (ret == CC_OK)
		ret = job_wait(live.dev.name, &args.job);
	live_close(&live);
	return ret;
}

const struct verb cmd_stream = {
	.name = "stream",
	.usage = usage,
	.summary = "copy what lies between base and top into the top, then drop it",
	.operands = operands,
	.options = options,
	.examples = examples,
	.run = run,
};
