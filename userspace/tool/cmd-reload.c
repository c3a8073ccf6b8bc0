// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain reload
 */
#include <getopt.h>

#include "commands.h"
#include "dm-change.h"
#include "live.h"
#include "util.h"

int cmd_reload(int argc, char **argv)
{
	static const struct option options[] = { { 0 } };
	struct live live;
	int ret;

	if (getopt_long(argc, argv, "", options, NULL) != -1)
		return cc_usage("reload", "it has no options");
	if (argc - optind != 1)
		return cc_usage("reload", "one device is needed");
	if (live_open_alone(&live, argv[optind]))
		return CC_FAILED;
	ret = dm_reload(&live.dev);
	live_close(&live);
	return ret ? CC_FAILED : CC_OK;
}
