// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain detach
 */
#include <getopt.h>

#include "commands.h"
#include "dm.h"
#include "util.h"

static const struct option options[] = {
	{ "deferred", no_argument, NULL, 'd' },
	{ "force", no_argument, NULL, 'f' },
	{ 0 },
};

int cmd_detach(int argc, char **argv)
{
	struct dm_device dev;
	unsigned int flags = 0;
	int c, ret;

	while ((c = getopt_long(argc, argv, "df", options, NULL)) != -1) {
		if (c == 'd')
			flags |= DM_REMOVE_DEFERRED;
		else if (c == 'f')
			flags |= DM_REMOVE_FORCE;
		else
			return cc_usage("detach", "see the options of detach");
	}
	if (argc - optind != 1)
		return cc_usage("detach", "one device is needed");
	/* Only cowchain's devices: a mistyped name must not take away somebody's volume. */
	if (dm_open(dm_name(argv[optind]), &dev))
		return CC_FAILED;
	ret = dm_remove(&dev, flags);
	dm_close(&dev);
	return ret ? CC_FAILED : CC_OK;
}
