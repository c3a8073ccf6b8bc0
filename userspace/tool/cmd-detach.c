// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain detach
 */
#include <getopt.h>
#include <unistd.h>

#include "commands.h"
#include "dm-change.h"
#include "dm.h"
#include "turn.h"
#include "util.h"

static const struct option options[] = {
	{ "deferred", no_argument, NULL, 'd' },
	{ "force", no_argument, NULL, 'f' },
	{ 0 },
};

/*
 * Only cowchain's devices: a mistyped name must not take away somebody's volume. Force is for what
 * hangs, so it waits for nobody.
 */
static int open_device(const char *name, unsigned int flags, struct dm_device *dev, int *turn)
{
	*turn = -1;
	if (flags & DM_REMOVE_FORCE)
		return dm_open_ours(name, dev);
	*turn = turn_open(name, dm_open_ours, dev);
	return *turn < 0 ? -1 : 0;
}

int cmd_detach(int argc, char **argv)
{
	struct dm_device dev;
	unsigned int flags = 0;
	int c, turn, ret;

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
	if (open_device(dm_name(argv[optind]), flags, &dev, &turn))
		return CC_FAILED;
	ret = dm_remove(&dev, flags);
	dm_close(&dev);
	if (turn >= 0)
		close(turn);
	return ret ? CC_FAILED : CC_OK;
}
