// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain reload: loads a chain again, after an error has made it read-only.
 */
#include <unistd.h>

#include "dm-change.h"
#include "live.h"
#include "options.h"
#include "result.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "NAME", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ 0 },
};

static const struct opt *const options[] = { &opt_dry_run, &opt_json, NULL };

static int run(int argc, char **argv)
{
	struct live live;
	int ret = verb_parse(&cmd_reload, argc, argv, NULL, NULL);

	if (ret)
		return ret;
	if (argc - optind != 1)
		return cc_usage("reload", "one device is needed");
	result_text("name", dm_name(argv[optind]));
	if (live_open_alone(&live, argv[optind]))
		return CC_FAILED;
	ret = dm_reload(&live.dev);
	live_close(&live);
	return ret ? CC_FAILED : CC_OK;
}

const struct verb cmd_reload = {
	.name = "reload",
	.usage = usage,
	.summary = "load the chain again, after an error has made it read-only",
	.operands = operands,
	.options = options,
	.details =
		"  The device stays in use. Data that was flushed is there; if the error lost any\n"
		"  that was not, the next flush fails.\n",
	.result = true,
	.run = run,
};
