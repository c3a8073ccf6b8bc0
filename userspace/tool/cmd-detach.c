// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain detach: removes a device.
 */
#include <unistd.h>

#include "dm-change.h"
#include "dm.h"
#include "hold.h"
#include "options.h"
#include "partitions.h"
#include "plan.h"
#include "turn.h"
#include "result.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "NAME [--deferred | --force]", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ 0 },
};

enum { OPT_DEFERRED = OPT_OWN };

static const struct opt opt_deferred = {
	.id = OPT_DEFERRED,
	.name = "deferred",
	.letter = 'd',
	.help = "if the device is in use: when its last user closes it",
};

static const struct opt opt_force = {
	.id = OPT_FORCE,
	.name = "force",
	.old_letter = 'f',
	.help = "fail all I/O of its users; what was not flushed is lost",
};

static const struct opt *const options[] = { &opt_deferred, &opt_force, &opt_dry_run, &opt_json, NULL };

/*
 * Open cowchain's devices only: a mistyped name must not remove somebody's volume. --force is for a
 * device that hangs, so it does not wait for other invocations.
 */
static int open_device(const char *name, unsigned int flags, struct dm_device *dev, int *turn)
{
	*turn = -1;
	if (flags & DM_REMOVE_FORCE)
		return dm_open_ours(name, dev);
	*turn = turn_open(name, dm_open_ours, dev);
	return *turn < 0 ? -1 : 0;
}

static int remove_all(struct dm_device *dev, unsigned int flags)
{
	int ret;

	hold_begin();
	ret = partitions_remove(dev, !flags);
	if (!ret)
		ret = dm_remove(dev, flags);
	hold_end();
	return ret;
}

/* It is still there, and is removed when its last user closes it. */
static bool is_pending(const struct dm_device *dev)
{
	struct dm_device now;
	bool pending;

	if (dm_find(dev->name, &now))
		return false;
	pending = now.leaving && now.dev == dev->dev;
	dm_close(&now);
	return pending;
}

static int take_option(int id, const char *value, void *flags)
{
	(void)value;
	*(unsigned int *)flags |= id == OPT_DEFERRED ? DM_REMOVE_DEFERRED : DM_REMOVE_FORCE;
	return 0;
}

static int run(int argc, char **argv)
{
	struct dm_device dev;
	unsigned int flags = 0;
	int turn, ret;

	ret = verb_parse(&cmd_detach, argc, argv, take_option, &flags);
	if (ret)
		return ret;
	if (argc - optind != 1)
		return cc_usage("detach", "one device is needed");
	result_text("name", dm_name(argv[optind]));
	if (open_device(dm_name(argv[optind]), flags, &dev, &turn))
		return CC_FAILED;
	ret = remove_all(&dev, flags);
	if (!ret && !plan_wanted())
		result_bool("pending", is_pending(&dev));
	dm_close(&dev);
	if (turn >= 0)
		close(turn);
	return ret ? CC_FAILED : CC_OK;
}

const struct verb cmd_detach = {
	.name = "detach",
	.usage = usage,
	.summary = "remove the device; the layers stay as they are",
	.operands = operands,
	.options = options,
	.result = true,
	.run = run,
};
