// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain wait: waits for the job of a chain.
 */
#include <unistd.h>

#include "dm.h"
#include "options.h"
#include "result.h"
#include "util.h"
#include "verbs.h"
#include "wait.h"

static const char *const usage[] = { "NAME [--quiet] [--timeout SECONDS]", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ 0 },
};

static const struct opt *const options[] = { &opt_quiet, &opt_timeout, &opt_json, NULL };

static int take_option(int id, const char *value, void *data)
{
	struct wait_options *opt = data;

	if (id == OPT_TIMEOUT)
		return take_timeout("wait", "timeout", value, &opt->timeout);
	opt->quiet = true;
	return 0;
}

static int run(int argc, char **argv)
{
	struct wait_options opt = { 0 };
	struct dm_device dev;
	int ret = verb_parse(&cmd_wait, argc, argv, take_option, &opt);

	if (ret)
		return ret;
	if (argc - optind != 1)
		return cc_usage("wait", "one device is needed");
	result_text("name", dm_name(argv[optind]));
	if (dm_open(dm_name(argv[optind]), &dev))
		return CC_FAILED;
	ret = wait_for_job(dev.name, &opt);
	dm_close(&dev);
	return ret;
}

const struct verb cmd_wait = {
	.name = "wait",
	.usage = usage,
	.summary = "wait until the job is concluded",
	.operands = operands,
	.options = options,
	.result = true,
	.run = run,
};
