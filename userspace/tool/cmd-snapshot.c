// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain snapshot: puts a new image on top of a live chain, or one on each of several at one point in time.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "group.h"
#include "hold.h"
#include "number.h"
#include "options.h"
#include "snapshot.h"
#include "result.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = {
	"NAME NEW [--freeze] [--hook CMD] ...",
	"NAME=NEW... [--freeze] [--hook CMD] ...",
	NULL,
};

/* The kernel gives up what is prepared after some time anyway. */
#define MAX_SECONDS 3600

enum { OPT_FREEZE = OPT_OWN, OPT_HOOK, OPT_HOOK_TIMEOUT };

static const struct opt opt_force = {
	.id = OPT_FORCE,
	.name = "force",
	.help = "overwrite what is on a block device",
};

static const struct opt opt_freeze = {
	.id = OPT_FREEZE,
	.name = "freeze",
	.also = "quiesce",
	.help = "freeze the file systems that this host has mounted from the\n"
		"devices, for the moment of the snapshot",
};

static const struct opt opt_hook = {
	.id = OPT_HOOK,
	.name = "hook",
	.value = "CMD",
	.help = "run by sh with \"freeze\" as $1 before the snapshot, and with\n"
		"\"thaw\" after it, whatever happens: for guests",
};

static const struct opt opt_hook_timeout = {
	.id = OPT_HOOK_TIMEOUT,
	.name = "hook-timeout",
	.value = "SECONDS",
	.help = "for each run of the hook (default: 30)",
};

static const struct opt *const options[] = {
	SNAPSHOT_OPTIONS, &opt_force, &opt_freeze, &opt_hook, &opt_hook_timeout, &opt_dry_run, &opt_json, NULL,
};

static const char *const examples[] = {
	"cowchain snapshot vm night1.qcow2",
	"cowchain snapshot vm-root=/a/r2.qcow2 vm-data=/b/d2.qcow2 --hook 'virsh domfs$1 vm'",
	NULL,
};

/* Several are words NAME=NEW. */
static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ "NEW", .complete = COMPLETE_FILE, .many = true, .help = snapshot_new_help },
	{ 0 },
};

/* The options come before the operands are known: those in snap are for all devices. */
struct args {
	struct snapshot snap;
	struct group group;
};

static int take_hook_timeout(const char *value, unsigned int *seconds)
{
	uint64_t v;

	if (parse_u64(value, &v) || !v || v > MAX_SECONDS)
		return cc_usage("snapshot", "--hook-timeout %s: must be a number of seconds, 1 to %d", value,
				MAX_SECONDS);
	*seconds = (unsigned int)v;
	return 0;
}

static int take_option(int id, const char *value, void *data)
{
	struct args *args = data;

	switch (id) {
	case OPT_FORCE:
		args->snap.overwrite = true;
		return 0;
	case OPT_FREEZE:
		args->group.freeze = true;
		return 0;
	case OPT_HOOK:
		args->group.hook.command = value;
		return 0;
	case OPT_HOOK_TIMEOUT:
		return take_hook_timeout(value, &args->group.hook.seconds);
	default:
		return snapshot_option("snapshot", id, value, &args->snap);
	}
}

static int take_one(const struct snapshot *snap)
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

/* Is each operand NAME=NEW? */
static bool names_several(int argc, char **argv)
{
	int i;

	for (i = optind; i < argc; i++)
		if (!strchr(argv[i], '='))
			return false;
	return optind < argc;
}

static int split(const struct args *args, char *operand, struct snapshot *snap)
{
	char *equals = strchr(operand, '=');

	if (!equals || equals == operand || !equals[1])
		return cc_usage("snapshot", "a device and the new image are needed on both sides of '='");
	*snap = args->snap;
	*equals = '\0';
	snap->name = operand;
	snap->image = equals + 1;
	return 0;
}

static int take_operands(int argc, char **argv, struct args *args)
{
	struct group *group = &args->group;
	size_t i;
	int ret;

	if (!names_several(argc, argv)) {
		group->snaps = xcalloc(1, sizeof(*group->snaps));
		group->nr = 1;
		ret = snapshot_take_operands("snapshot", argc, argv, &args->snap);
		group->snaps[0] = args->snap;
		return ret;
	}
	group->nr = (size_t)(argc - optind);
	group->snaps = xcalloc(group->nr, sizeof(*group->snaps));
	if (group->nr > 1 && (args->snap.data_file || args->snap.backing_file))
		return cc_usage("snapshot", "--data-file and --backing-file are for one device only: make the new images with 'cowchain create'");
	for (i = 0; i < group->nr; i++)
		if (split(args, argv[optind + (int)i], &group->snaps[i]))
			return CC_USAGE;
	return 0;
}

static void add_result(const struct group *group)
{
	struct json *json = result_json();
	size_t i;

	if (!json)
		return;
	json_array(json, "snapshots");
	for (i = 0; i < group->nr; i++) {
		json_object(json, NULL);
		json_text(json, "name", dm_name(group->snaps[i].name));
		json_text(json, "image", group->snaps[i].image);
		json_end(json);
	}
	json_end(json);
}

static int take(const struct group *group)
{
	add_result(group);
	if (group->nr == 1 && !group->freeze && !group->hook.command)
		return take_one(&group->snaps[0]);
	return group_take(group) ? CC_FAILED : CC_OK;
}

static int run(int argc, char **argv)
{
	struct args args = { .group.hook.seconds = HOOK_SECONDS };
	int ret;

	snapshot_init(&args.snap);
	ret = verb_parse(&cmd_snapshot, argc, argv, take_option, &args);
	if (!ret)
		ret = take_operands(argc, argv, &args);
	if (!ret)
		ret = take(&args.group);
	free(args.group.snaps);
	snapshot_free(&args.snap);
	return ret;
}

const struct verb cmd_snapshot = {
	.name = "snapshot",
	.usage = usage,
	.summary = "put the new image NEW on top of the live chain",
	.operands = operands,
	.options = options,
	.details =
		"\n  With NAME=NEW for several devices all get their new tops at one point in\n"
		"  time, or none does.\n",
	.examples = examples,
	.result = true,
	.run = run,
};
