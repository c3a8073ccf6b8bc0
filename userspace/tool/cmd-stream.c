// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain stream: copies layers into the top, or into a layer below it, and drops them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "job-args.h"
#include "live.h"
#include "options.h"
#include "parts-send.h"
#include "plan.h"
#include "promote.h"
#include "result.h"
#include "space-check.h"
#include "stream.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = {
	"NAME [--top LAYER|FILE] [--base LAYER|FILE|none] [--speed BYTES] [--wait] ...",
	NULL,
};

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ 0 },
};

enum { OPT_BASE = OPT_OWN, OPT_TOP, OPT_FIRST, OPT_PROMOTE };

static const struct opt opt_base = {
	.id = OPT_BASE,
	.name = "base",
	.old_letter = 'b',
	.value = "BASE",
	.complete = COMPLETE_FILE,
	.words = "none",
	.help = "as for the verb base; default: what was selected, else none",
};

static const struct opt opt_top = {
	.id = OPT_TOP,
	.name = "top",
	.value = "LAYER",
	.complete = COMPLETE_FILE,
	.help = "the layer that is copied into, by number or file, if not the top of\n"
		"the chain; it has to be prepared for writing, and no other chain may\n"
		"use it meanwhile",
};

static const struct opt opt_first = {
	.id = OPT_FIRST,
	.name = "first",
	.value = "FILE",
	.complete = COMPLETE_FILE,
	.help = "copy the parts first that this file lists: see the verb record",
};

static const struct opt opt_promote = {
	.id = OPT_PROMOTE,
	.name = "promote",
	.help = "what is read from the layers that are copied is copied next, as long\n"
		"as this runs; implies --wait",
};

static const struct opt opt_base_name = {
	.id = OPT_BACKING_FILE,
	.name = "backing-file",
	.value = "NAME",
	.complete = COMPLETE_FILE,
	.help = "the name of the base to write into the header of that layer",
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
	&opt_base, &opt_top, &opt_first, &opt_promote, JOB_OPTIONS, &opt_force, &opt_base_name, &opt_base_format,
	&opt_dry_run, &opt_json, NULL,
};

static const char *const examples[] = {
	"cowchain stream vm --base base.raw --wait",
	"cowchain stream vm --base none --speed 50M",
	"cowchain stream vm --top 3 --base 0 --wait",
	"cowchain stream vm --first boot.parts --promote",
	NULL,
};

struct stream_args {
	struct job_args job;
	const char *base;
	const char *top;
	const char *first;
	struct parts parts;	/* what that file has */
	bool promote;
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
	case OPT_TOP:
		args->top = value;
		return 0;
	case OPT_FIRST:
		args->first = value;
		return 0;
	case OPT_PROMOTE:
		args->promote = args->job.wait = true;
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

/* The base that the user has named, or selected before. */
static int find_base(const struct live *live, const struct stream_args *args)
{
	return args->base ? base_find(live, args->base) : base_selected(live);
}

/* What is common to both: the layers, and what the header is to say. */
struct plan {
	unsigned int top;
	int base;
	char *name;
	const char *format;
};

static int plan_top(const struct live *live, const struct stream_args *args, struct plan *plan)
{
	int top = args->top ? live_find(live, args->top) : (int)live_top(live);

	if (top < 0)
		return -1;
	plan->top = (unsigned int)top;
	plan->base = find_base(live, args);
	if (plan->base == BASE_ERROR)
		return -1;
	if (plan->base < top)
		return 0;
	cc_error("%s: layer %d cannot be the base: it has to be below layer %d, which is copied into", live->dev.name,
		 plan->base, top);
	return -1;
}

static int make_plan(const struct live *live, const struct stream_args *args, struct plan *plan)
{
	plan->name = args->backing_file ? xstrdup(args->backing_file) : NULL;
	plan->format = args->backing_format;
	if (plan_top(live, args, plan))
		return -1;
	if (!plan->name && plan->base >= 0) {
		plan->name = base_stored_name(live, plan->base, plan->top);
		plan->format = kind_name(live->table.layers[plan->base].kind);
		if (!plan->name)
			return -1;
	}
	if (args->job.force)
		return 0;
	return space_check_stream(live, plan->base, plan->top, args->base || plan->base >= 0);
}

static int start_top(const struct live *live, const struct stream_args *args, const struct plan *plan)
{
	if (args->base && base_select(live, plan->base))
		return -1;
	return job_start(live->dev.name, &args->job, plan->name, plan->format);
}

/* The stream has begun, and does without. */
static void send_first(const char *name, const struct parts *parts)
{
	size_t sent;
	int ret = parts_send(name, parts->part, parts->nr, &sent);

	if (ret)
		cc_note("%s: cannot tell the stream what to copy first, so it copies in its own order: %s%s", name,
			strerror(-ret), ret == -EINVAL ? ": the kernel module may be too old for it" : "");
}

static int start_stream(const struct live *live, const struct stream_args *args, struct promote *promote)
{
	struct plan plan = { .base = BASE_NONE };
	int ret = make_plan(live, args, &plan);

	promote->base = plan.base;
	promote->top = (int)plan.top;
	if (!ret && args->promote && !plan_wanted())
		ret = promote_open(promote, live);
	if (!ret && plan.top != live_top(live))
		ret = stream_lower(live, plan.top, plan.base, plan.name, plan.format, &args->job);
	else if (!ret)
		ret = start_top(live, args, &plan);
	if (!ret)
		send_first(live->dev.name, &args->parts);
	free(plan.name);
	return ret ? CC_FAILED : CC_OK;
}

static int stream(const struct stream_args *args)
{
	struct promote promote = { 0 };
	struct live live;
	int ret;

	if (live_open_alone(&live, args->name))
		return CC_FAILED;
	ret = start_stream(&live, args, &promote);
	live_let_go(&live);
	if (ret == CC_OK) {
		promote_begin(&promote);
		ret = job_wait(live.dev.name, &args->job);
	}
	promote_end(&promote);
	live_close(&live);
	return ret;
}

static int run(int argc, char **argv)
{
	struct stream_args args = { 0 };
	int ret = parse(argc, argv, &args);

	if (ret)
		return ret;
	result_text("name", dm_name(args.name));
	/* Before anybody else has to wait for this. */
	if (args.first && parts_load(&args.parts, args.first))
		ret = CC_FAILED;
	else
		ret = stream(&args);
	parts_free(&args.parts);
	return ret;
}

const struct verb cmd_stream = {
	.name = "stream",
	.usage = usage,
	.summary = "copy what lies between base and top into the top, then drop it",
	.operands = operands,
	.options = options,
	.examples = examples,
	.result = true,
	.run = run,
};
