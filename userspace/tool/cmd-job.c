// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain job: controls the job of a chain, or shows it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "number.h"
#include "options.h"
#include "show.h"
#include "result.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "NAME pause|resume|cancel|complete|speed N|info", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ "ACTION", .words = "pause resume cancel complete speed info" },
	{ 0 },
};

static const char details[] =
	"\n"
	"  pause            stop for a while\n"
	"  resume           continue it\n"
	"  cancel           stop for good (also: abort); what was copied stays and counts\n"
	"  complete         of a commit with --keep that is ready: the base becomes the top\n"
	"  speed N          bytes per second; K, M or G may follow; 0: no limit\n"
	"  info             show the job, with the options above\n";

static const struct opt *const options[] = { TABLE_OPTIONS, NULL };

struct job_action {
	const char *name;
	const char *message;
	bool has_value;
};

static const struct job_action actions[] = {
	{ "pause", "job-pause", false },
	{ "suspend", "job-pause", false },
	{ "resume", "job-resume", false },
	{ "cancel", "job-cancel", false },
	{ "abort", "job-cancel", false },
	{ "complete", "job-complete", false },
	{ "pivot", "job-complete", false },
	{ "speed", "job-set-speed", true },
	{ "set-speed", "job-set-speed", true },
	{ "info", NULL, false },
};

static const struct job_action *find_action(const char *name)
{
	size_t i;

	/* virsh has these as options. */
	if (!strncmp(name, "--", 2))
		name += 2;
	for (i = 0; i < ARRAY_SIZE(actions); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}

static int run_action(const char *name, const struct job_action *action, const char *value)
{
	const char *words[] = { action->message, NULL, NULL };
	char number[32];
	struct dm_device dev;
	uint64_t speed;
	int ret;

	if (value) {
		if (parse_size(value, &speed))
			return cc_usage("job", "speed %s: must be a number of bytes per second, such as 64M",
					value);
		snprintf(number, sizeof(number), "%" PRIu64, speed);
		words[1] = number;
	}
	result_text("name", dm_name(name));
	result_text("action", action->name);
	if (dm_open(dm_name(name), &dev))
		return CC_FAILED;
	ret = dm_message(dev.name, words);
	show_result_job(dev.name);
	dm_close(&dev);
	return ret ? CC_FAILED : CC_OK;
}

/* "info" is followed by options. */
static int run_info(const char *name, int argc, char **argv, struct out_options *out)
{
	struct verb anywhere = cmd_job;
	int ret;

	anywhere.in_order = false;
	optind = 0;
	ret = verb_parse(&anywhere, argc, argv, out_option, out);
	if (!ret && optind < argc)
		ret = cc_usage("job", "'%s' is one word too many", argv[optind]);
	return ret ? ret : show_job(name, out);
}

static int run(int argc, char **argv)
{
	struct out_options out = { 0 };
	const struct job_action *action;
	int left, ret = verb_parse(&cmd_job, argc, argv, out_option, &out);

	if (ret)
		return ret;
	left = argc - optind;
	argv += optind;
	if (left < 2)
		return cc_usage("job", "a device and an action are needed");
	action = find_action(argv[1]);
	if (!action)
		return cc_usage("job", "'%s': must be pause, resume, cancel, complete, speed or info", argv[1]);
	if (!action->message)
		return run_info(argv[0], left - 1, argv + 1, &out);
	if (left != 2 + action->has_value)
		return cc_usage("job", action->has_value ? "speed needs a number" :
							   "too many words after %s", argv[1]);
	if (out.json)
		result_begin();
	return run_action(argv[0], action, action->has_value ? argv[2] : NULL);
}

const struct verb cmd_job = {
	.name = "job",
	.usage = usage,
	.summary = "control the job",
	.operands = operands,
	.options = options,
	.details = details,
	/* Actions may be written as options, as in virsh. */
	.in_order = true,
	.run = run,
};
