// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain snapshot, cowchain copy
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "chain.h"
#include "commands.h"
#include "create.h"
#include "devno.h"
#include "hold.h"
#include "job-args.h"
#include "live.h"
#include "space-check.h"
#include "util.h"

#define SNAPSHOT_LONG_OPTIONS \
	{ "data-file", required_argument, NULL, 'd' }, \
	{ "cluster-size", required_argument, NULL, 'c' }, \
	{ "reserve", no_argument, NULL, 'r' }, \
	{ "backing-file", required_argument, NULL, 'N' }, \
	{ "allow-dir", required_argument, NULL, 'a' }, \
	{ "no-lock", no_argument, NULL, 'L' }

static const struct option snapshot_options[] = {
	SNAPSHOT_LONG_OPTIONS,
	{ 0 },
};

static const struct option copy_options[] = {
	SNAPSHOT_LONG_OPTIONS,
	JOB_LONG_OPTIONS,
	{ 0 },
};

struct snapshot_args {
	const char *verb;
	struct chain_options opt;
	const char *data_file;
	const char *backing_file;
	uint64_t cluster_size;
	bool reserve;
	const char *name;
	const char *image;
	bool is_copy;
	struct job_args job;
};

static int parse_option(int c, struct snapshot_args *args)
{
	switch (c) {
	case 'd':
		args->data_file = optarg;
		return 0;
	case 'c':
		if (!parse_cluster_size(optarg, &args->cluster_size))
			return 0;
		return cc_usage(args->verb, "--cluster-size %s: must be 128K, 256K, 512K, 1M or 2M",
				optarg);
	case 'r':
		args->reserve = true;
		return 0;
	case 'N':
		args->backing_file = optarg;
		return 0;
	case 'a':
		return allow_dirs_add(&args->opt.allow, optarg) ? CC_FAILED : 0;
	case 'L':
		args->opt.no_lock = true;
		return 0;
	default:
		return cc_usage(args->verb, "see the options of %s", args->verb);
	}
}

/* A data file that the user names may be anywhere; only names from images are confined. */
static int allow_data_file(struct snapshot_args *args)
{
	char *dir;
	int ret;

	if (!args->data_file)
		return 0;
	dir = path_dir(args->data_file);
	ret = allow_dirs_add(&args->opt.allow, dir);
	free(dir);
	return ret ? CC_FAILED : 0;
}

static int parse(int argc, char **argv, struct snapshot_args *args)
{
	const struct option *options = args->is_copy ? copy_options : snapshot_options;
	int c, ret;

	args->cluster_size = DEFAULT_CLUSTER_SIZE;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		ret = job_args_option(args->verb, c, &args->job);
		if (ret < 0)
			ret = parse_option(c, args);
		if (ret)
			return ret;
	}
	if (argc - optind != 2)
		return cc_usage(args->verb, "a device and the new image are needed");
	args->name = argv[optind];
	args->image = argv[optind + 1];
	ret = job_args_check(args->verb, &args->job);
	return ret ? ret : allow_data_file(args);
}

static int make_image(const struct snapshot_args *args, const struct live *live, const char *top,
		      struct created *made)
{
	struct create_request req = {
		.path = args->image,
		.data_file = args->data_file,
		.backing = top,
		.backing_name = args->backing_file,
		.backing_kind = live->table.layers[live_top(live)].kind,
		.size = live->dev.sectors * SECTOR_SIZE,
		.cluster_size = args->cluster_size,
		.reserve = args->reserve,
	};

	return create_image(&req, made);
}

/* Does the header lead to the present top, or with --backing-file, is that what it says? */
static bool names_top(const struct snapshot_args *args, const struct layer *layer, const char *top)
{
	const char *name = layer->image.backing_name;
	struct stat want, have;
	char *dir, *path;
	bool same;

	if (!name || args->backing_file)
		return name && !strcmp(name, args->backing_file);
	dir = path_dir(layer->file.path);
	path = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
	same = !stat(path, &have) && !stat(top, &want) &&
	       (S_ISBLK(want.st_mode) ? S_ISBLK(have.st_mode) && want.st_rdev == have.st_rdev :
		want.st_ino == have.st_ino && want.st_dev == have.st_dev);
	free(path);
	free(dir);
	return same;
}

/* An image that was there must name the present top: later the chain is found by that name. */
static int check_backing(const struct snapshot_args *args, const struct live *live,
			 const struct layer *layer, const char *top)
{
	const char *name = layer->image.backing_name;
	const char *want = args->backing_file ? args->backing_file : top;
	const char *kind = kind_name(live->table.layers[live_top(live)].kind);
	const char *format = layer->image.backing_format;
	char *command;

	if (names_top(args, layer, top) && (!format || !strcmp(format, kind)))
		return 0;
	command = image_rebase_command(layer->file.path, want, kind);
	cc_error("%s: its backing file is '%s' (%s), but the top of the chain is %s (%s): name a new file, or change it: %s",
		 layer->file.path, name ? name : "", format ? format : "no format", want, kind,
		 command);
	free(command);
	return -1;
}

/* With --data-file the header of an image that was there must name just that file. */
static int check_data(const struct layer *layer, const char *data_file)
{
	struct stat st;

	if (layer->data.path && !stat(data_file, &st) && st.st_dev == layer->data.file_dev &&
	    st.st_ino == layer->data.file_ino)
		return 0;
	cc_error("%s: its data file is %s, not %s", layer->file.path,
		 layer->data.path ? layer->data.path : "none", data_file);
	return -1;
}

static int check_new(const struct snapshot_args *args, const struct live *live, const char *top,
		     bool existed, const struct layer *layer)
{
	if (layer_size(layer) != live->dev.sectors * SECTOR_SIZE) {
		cc_error("%s: its size of %" PRIu64 " bytes is not that of %s, %" PRIu64,
			 args->image, layer_size(layer), live->dev.name,
			 live->dev.sectors * SECTOR_SIZE);
		return -1;
	}
	if (args->data_file && check_data(layer, args->data_file))
		return -1;
	if (existed && check_backing(args, live, layer, top))
		return -1;
	if (layer->image.ident.sealed) {
		cc_error("%s: has become the backing file of another image: name a new file",
			 layer->file.path);
		return -1;
	}
	return layer_check_writable(layer);
}

/* Opens NEW as it is on disk now, made by us or by the user. */
static int open_new(const struct snapshot_args *args, const struct live *live, const char *top,
		    bool existed, struct layer *layer)
{
	if (layer_open(layer, KIND_QCOW2, args->image, true, &args->opt))
		return -1;
	if (!check_new(args, live, top, existed, layer))
		return 0;
	layer_close(layer);
	return -1;
}

/* Up to here all can be undone; that NEW stands on the top is in its header, not in the message. */
static int send_snapshot(const struct snapshot_args *args, const struct live *live,
			 struct layer *layer)
{
	const char *words[] = { "snapshot", kind_name(layer->kind), NULL, NULL, NULL };
	char *dev, *data;
	int ret;

	if (layer_attach(layer, args->opt.no_lock) || live_check_top(live) || hold_interrupted())
		return -1;
	dev = devno_format(layer->file.dev);
	data = layer->data.path ? devno_format(layer->data.dev) : xstrdup("-");
	words[2] = dev;
	words[3] = data;
	ret = dm_message(live->dev.name, words);
	free(dev);
	free(data);
	return ret;
}

/* Returns 0 or -1 (said why); the chain and the file system are as before then. */
static int take_snapshot(const struct snapshot_args *args, const struct live *live)
{
	char *top = args->backing_file ? live_lasting_file(live, live_top(live)) :
					 live_file_needed(live, live_top(live));
	struct created made = { 0 };
	struct layer layer;
	struct stat st;
	bool existed = !lstat(args->image, &st);
	int ret = -1;

	if (!top && !args->backing_file)
		return -1;
	if (existed && live_has_file(live, args->image)) {
		cc_error("%s: is a layer of %s already: name a new file", args->image,
			 live->dev.name);
		goto out;
	}
	if (!existed && make_image(args, live, top, &made))
		goto out;
	if (!open_new(args, live, top, existed, &layer)) {
		if (args->is_copy && !args->job.force)
			ret = space_check_copy(live, &layer);
		else
			ret = 0;
		if (!ret)
			ret = send_snapshot(args, live, &layer);
		layer_close(&layer);
	}
	if (ret)
		create_undo(&made);
	else
		create_done(&made);
out:
	free(top);
	return ret;
}

/* With dmsetup a base can be selected between the two messages of a copy. */
static int check_no_base(const char *name)
{
	static const char *const cancel[] = { "job-cancel", NULL };
	struct target_status st;

	if (dm_status(name, &st))
		return -1;
	if (!st.job.present || st.job.base < 0)
		return 0;
	cc_error("%s: somebody has selected layer %d as the base meanwhile: the copy is cancelled",
		 name, st.job.base);
	if (!job_concluded(&st.job))
		dm_message(name, cancel);
	return -1;
}

/* Nothing of the old chain stays below the copy. */
static int start_copy(const struct snapshot_args *args, const struct live *live)
{
	static const char *const words[] = { "base", "none", NULL };
	const char *name = live->dev.name;

	if (!dm_message(name, words) && !job_start(name, &args->job, NULL, NULL) &&
	    !check_no_base(name))
		return 0;
	cc_note("%s is the top of %s now, but the disk is not copied yet: 'cowchain stream %s --base none' starts it",
		args->image, name, name);
	return -1;
}

/*
 * Once the snapshot is taken, a signal that ends the program does not keep the copy from starting.
 */
static int change(const struct snapshot_args *args, struct live *live)
{
	int ret;

	hold_begin();
	ret = take_snapshot(args, live);
	if (!ret && args->is_copy)
		ret = start_copy(args, live);
	live_let_go(live);
	hold_end();
	if (ret)
		return CC_FAILED;
	return args->is_copy ? job_wait(live->dev.name, &args->job) : CC_OK;
}

static int run(int argc, char **argv, bool is_copy)
{
	struct snapshot_args args = { .verb = argv[0], .is_copy = is_copy };
	struct live live;
	int ret = parse(argc, argv, &args);

	if (!ret && live_open_alone(&live, args.name)) {
		ret = CC_FAILED;
	} else if (!ret) {
		ret = change(&args, &live);
		live_close(&live);
	}
	allow_dirs_free(&args.opt.allow);
	return ret;
}

int cmd_snapshot(int argc, char **argv)
{
	return run(argc, argv, false);
}

int cmd_copy(int argc, char **argv)
{
	return run(argc, argv, true);
}
