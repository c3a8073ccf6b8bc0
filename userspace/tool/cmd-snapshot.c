// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain snapshot: puts a new image on top of a live chain.
 */
#include "hold.h"
#include "options.h"
#include "snapshot.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "NAME NEW ...", NULL };

static const struct opt opt_force = {
	.id = OPT_FORCE,
	.name = "force",
	.help = "overwrite what is on a block device",
};

static const struct opt *const options[] = { SNAPSHOT_OPTIONS, &opt_force, NULL };

static const char *const examples[] = { "cowchain snapshot vm night1.qcow2", NULL };

static int take_option(int id, const char *value, void *data)
{
	struct snapshot *snap = data;

	if (id == OPT_FORCE) {
		snap->overwrite = true;
		return 0;
	}
	return snapshot_option("snapshot", id, value, snap);
}

static int take(const struct snapshot *snap)
{
	struct live live;
	int ret;

	if (live_open_alone(&live, snap->name))
		return CC_FAILED;
	hold_begin();
	ret = snapshot_take(snap, &live);
	hold_end();
	live_close(&live);
	return ret ? CC_FAILED : CC_OK;
}

static int run(int argc, char **argv)
{
	struct snapshot snap;
	int ret;

	snapshot_init(&snap);
	ret = verb_parse(&cmd_snapshot, argc, argv, take_option, &snap);
	if (!ret)
		ret = snapshot_take_operands("snapshot", argc, argv, &snap);
	if (!ret)
		ret = take(&snap);
	snapshot_free(&snap);
	return ret;
}

const struct verb cmd_snapshot = {
	.name = "snapshot",
	.usage = usage,
	.summary = "put the new image NEW on top of the live chain",
	.operands = snapshot_operands,
	.options = options,
	.examples = examples,
	.run = run,
};
