// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain base: selects the base for the next stream.
 */
#include <unistd.h>

#include "base.h"
#include "options.h"
#include "result.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "NAME LAYER|FILE|none", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ "LAYER", .complete = COMPLETE_FILE, .words = "none",
	  .help = "number (0 is the bottom), file or block device of the layer;\n"
		  "none: nothing stays below the top, a complete copy" },
	{ 0 },
};

static const struct opt *const options[] = { &opt_dry_run, &opt_json, NULL };

static int run(int argc, char **argv)
{
	struct live live;
	int layer, ret = verb_parse(&cmd_base, argc, argv, NULL, NULL);

	if (ret)
		return ret;
	if (argc - optind != 2)
		return cc_usage("base", "a device and a layer are needed");
	result_text("name", dm_name(argv[optind]));
	if (live_open_alone(&live, argv[optind]))
		return CC_FAILED;
	layer = base_find(&live, argv[optind + 1]);
	ret = layer == BASE_ERROR || base_select(&live, layer) ? CC_FAILED : CC_OK;
	if (ret == CC_OK && layer == BASE_NONE)
		result_text("base", NULL);
	else if (ret == CC_OK)
		result_number("base", (uint64_t)layer);
	live_close(&live);
	return ret;
}

const struct verb cmd_base = {
	.name = "base",
	.usage = usage,
	.summary = "select the base for the next stream",
	.operands = operands,
	.options = options,
	.result = true,
	.run = run,
};
