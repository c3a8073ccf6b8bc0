// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain copy: moves a live disk to a new image, by a snapshot and a stream without a base.
 */
#include "dm.h"
#include "hold.h"
#include "job-args.h"
#include "options.h"
#include "plan.h"
#include "snapshot.h"
#include "result.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "NAME NEW --pivot [--data-file FILE] [--speed BYTES] [--wait] ...", NULL };

enum { OPT_PIVOT = OPT_OWN };

static const struct opt opt_pivot = {
	.id = OPT_PIVOT,
	.name = "pivot",
	.help = "needed: from the first moment on, the device lives on NEW, and\n"
		"there is no way back but another copy",
};

static const struct opt opt_force = {
	.id = OPT_FORCE,
	.name = "force",
	.help = "overwrite what is on a block device, and start even if there may\n"
		"not be enough room for what is copied",
};

static const struct opt *const options[] = {
	&opt_pivot, SNAPSHOT_OPTIONS, JOB_OPTIONS, &opt_force, &opt_dry_run, &opt_json, NULL,
};

static const char *const examples[] = {
	"cowchain copy vm /new/vm.qcow2 --pivot --data-file /new/vm.raw --speed 50M --wait",
	"cowchain copy vm /new/vm.qcow2 --pivot --data-file /dev/vg/vm --wait",
	NULL,
};

struct copy_args {
	struct snapshot snap;
	struct job_args job;
	bool pivot;
};

static int take_option(int id, const char *value, void *data)
{
	struct copy_args *args = data;

	if (id == OPT_PIVOT) {
		args->pivot = true;
		return 0;
	}
	if (is_job_option(id))
		return job_args_option("copy", id, value, &args->job);
	return snapshot_option("copy", id, value, &args->snap);
}

/* dmsetup could select a base between the two messages of a copy. */
static int check_no_base(const char *name)
{
	static const char *const cancel[] = { "job-cancel", NULL };
	struct target_status st;

	if (plan_wanted())
		return 0;
	if (dm_status(name, &st))
		return -1;
	if (!st.job.present || st.job.base < 0)
		return 0;
	cc_error("%s: layer %d was selected as the base meanwhile: the copy is cancelled",
		 name, st.job.base);
	if (!job_concluded(&st.job))
		dm_message(name, cancel);
	return -1;
}

/* The copy must not depend on the old chain. */
static int start_copy(const struct copy_args *args, const struct live *live)
{
	static const char *const words[] = { "base", "none", NULL };
	const char *name = live->dev.name;

	if (!dm_message(name, words) && !job_start(name, &args->job, NULL, NULL) &&
	    !check_no_base(name))
		return 0;
	cc_note("%s is the top of %s now, but the disk is not copied yet: 'cowchain stream %s --base none' starts it",
		args->snap.image, name, shell_word(name));
	return -1;
}

/* After the snapshot, the copy is started even if a signal ends the program. */
static int change(const struct copy_args *args, struct live *live)
{
	int ret;

	hold_begin();
	ret = snapshot_take(&args->snap, live);
	if (!ret)
		ret = start_copy(args, live);
	live_let_go(live);
	hold_end();
	return ret ? CC_FAILED : job_wait(live->dev.name, &args->job);
}

static int copy(struct copy_args *args)
{
	struct live live;
	int ret;

	args->snap.check_space = !args->job.force;
	args->snap.overwrite = args->job.force;
	result_text("name", dm_name(args->snap.name));
	result_text("image", args->snap.image);
	if (live_open_alone(&live, args->snap.name))
		return CC_FAILED;
	ret = change(args, &live);
	live_close(&live);
	return ret;
}

static int run(int argc, char **argv)
{
	struct copy_args args = { 0 };
	int ret;

	snapshot_init(&args.snap);
	ret = verb_parse(&cmd_copy, argc, argv, take_option, &args);
	if (!ret)
		ret = job_args_check("copy", &args.job);
	if (!ret)
		ret = snapshot_take_operands("copy", argc, argv, &args.snap);
	if (!ret && !args.pivot)
		ret = cc_usage("copy", "this moves the disk: from now on, %s would live on %s. Give --pivot if that is intended. For a backup, take a snapshot, and copy the old top, which does not change any more",
			       args.snap.name, args.snap.image);
	if (!ret)
		ret = copy(&args);
	snapshot_free(&args.snap);
	return ret;
}

const struct verb cmd_copy = {
	.name = "copy",
	.usage = usage,
	.summary = "move the live disk to NEW, where it stays: snapshot, then stream",
	.operands = snapshot_operands,
	.options = options,
	.examples = examples,
	.result = true,
	.run = run,
};
