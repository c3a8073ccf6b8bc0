// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain status, cowchain list, and the job table. Columns and keys are stable: new ones are added at
 * the end.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "devno.h"
#include "live.h"
#include "output.h"
#include "show.h"
#include "source.h"
#include "util.h"

#define JOB_COLUMNS \
	{ "JOB", "job", OUT_TEXT }, \
	{ "STATE", "state", OUT_TEXT }, \
	{ "BASE", "base", OUT_NUMBER }, \
	{ "OFFSET", "offset", OUT_SIZE }, \
	{ "LEN", "len", OUT_SIZE }, \
	{ "DONE", "done", OUT_PERCENT }, \
	{ "SPEED", "speed", OUT_SIZE }, \
	{ "IO-STATUS", "io-status", OUT_TEXT }, \
	{ "ERROR", "error", OUT_TEXT }
#define NR_JOB_COLUMNS 9

static const struct out_column status_columns[] = {
	{ "NAME", "name", OUT_TEXT },
	{ "MODE", "mode", OUT_TEXT },
	{ "LAYERS", "layers", OUT_NUMBER },
	{ "ALLOCATED", "allocated", OUT_SIZE },
	{ "SIZE", "size", OUT_SIZE },
	{ "USED", "used", OUT_PERCENT },
	JOB_COLUMNS,
};

static const struct out_column job_columns[] = {
	{ "NAME", "name", OUT_TEXT },
	JOB_COLUMNS,
};

static const struct out_column list_columns[] = {
	{ "NAME", "name", OUT_TEXT },
	{ "DEVICE", "device", OUT_TEXT },
	{ "SIZE", "size", OUT_SIZE },
	{ "MODE", "mode", OUT_TEXT },
	{ "LAYERS", "layers", OUT_NUMBER },
	{ "OPEN", "open", OUT_NUMBER },
	{ "JOB", "job", OUT_TEXT },
	{ "TOP", "top", OUT_TEXT },
};

/* In thousandths of a percent; the device's end may lie within the last subcluster. */
static uint64_t share(uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)(100000.0 * (double)part / (double)whole) : 100000;
}

static void add_job(struct out_table *out, const struct target_job *job)
{
	int i;

	if (!job->present) {
		for (i = 0; i < NR_JOB_COLUMNS; i++)
			out_none(out);
		return;
	}
	out_text(out, job->type);
	out_text(out, job->state);
	if (job->base < 0)
		out_none(out);
	else
		out_number(out, (uint64_t)job->base);
	out_number(out, job->offset);
	out_number(out, job->len);
	out_number(out, share(job->offset, job->len));
	out_number(out, job->speed);
	out_text(out, job->io_status);
	out_text(out, job->error ? strerrorname_np(job->error) : NULL);
}

/* What a device is that shows no chain: half made, or cut off by force. */
static const char *no_chain(const struct dm_device *dev)
{
	return dev->target[0] ? dev->target : "no-table";
}

static void add_broken_status(struct out_table *out, const struct dm_device *dev)
{
	size_t i;

	out_text(out, dev->name);
	out_text(out, no_chain(dev));
	for (i = 2; i < ARRAY_SIZE(status_columns); i++)
		out_none(out);
}

static int add_status(struct out_table *out, const char *name)
{
	struct target_status st;
	struct dm_device dev;
	bool broken;

	if (dm_open_ours(name, &dev))
		return -1;
	broken = !dm_is_chain(&dev);
	if (broken)
		add_broken_status(out, &dev);
	dm_close(&dev);
	if (broken)
		return 0;
	if (dm_status(name, &st))
		return -1;
	out_text(out, name);
	out_text(out, st.mode);
	out_number(out, st.nr_layers);
	if (st.counted)
		out_number(out, st.allocated * st.subcluster);
	else
		out_none(out);
	out_number(out, st.total * st.subcluster);
	if (st.counted)
		out_number(out, share(st.allocated, st.total));
	else
		out_none(out);
	add_job(out, &st.job);
	return 0;
}

static void add_device(struct out_table *out, const struct dm_device *dev)
{
	char *text = devno_format(dev->dev);

	out_text(out, dev->name);
	out_text(out, text);
	out_number(out, dev->sectors * SECTOR_SIZE);
	free(text);
}

/* Returns false if the device shows a chain, and adds nothing. */
static bool add_broken_list(struct out_table *out, const char *name)
{
	struct dm_device dev;
	bool broken;

	if (dm_find(name, &dev))
		return false;
	broken = !dm_is_chain(&dev);
	if (broken) {
		add_device(out, &dev);
		out_text(out, no_chain(&dev));
		out_none(out);
		out_number(out, (uint64_t)dev.open_count);
		out_none(out);
		out_none(out);
	}
	dm_close(&dev);
	return broken;
}

static int add_list(struct out_table *out, const char *name)
{
	struct target_status st;
	struct live live;
	char *text;

	if (add_broken_list(out, name))
		return 0;
	if (live_open(&live, name))
		return -1;
	if (dm_status(name, &st)) {
		live_close(&live);
		return -1;
	}
	add_device(out, &live.dev);
	out_text(out, live.dev.suspended ? "suspended" : st.mode);
	out_number(out, live.table.nr_layers);
	out_number(out, (uint64_t)live.dev.open_count);
	out_text(out, st.job.present ? st.job.state : NULL);
	text = live_file(&live, live_top(&live));
	out_text(out, text ? text : live.table.layers[live_top(&live)].dev);
	free(text);
	live_close(&live);
	return 0;
}

int show_job(const char *name, const struct out_options *opt)
{
	struct target_status st;
	struct out_table out;
	struct dm_device dev;
	int ret = CC_FAILED;

	if (dm_open(dm_name(name), &dev))
		return CC_FAILED;
	if (dm_status(dev.name, &st)) {
		dm_close(&dev);
		return CC_FAILED;
	}
	if (!st.job.present) {
		cc_error("%s: there is no job", dev.name);
	} else {
		out_init(&out, job_columns, ARRAY_SIZE(job_columns));
		out_text(&out, dev.name);
		add_job(&out, &st.job);
		out_print(&out, "jobs", opt);
		out_free(&out);
		ret = CC_OK;
	}
	dm_close(&dev);
	return ret;
}

static int parse(int argc, char **argv, struct out_options *opt)
{
	static const struct option options[] = { OUT_LONG_OPTIONS, { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, OUT_SHORT_OPTIONS, options, NULL)) != -1)
		if (!out_option(c, opt))
			return cc_usage(argv[0], "see the options of %s", argv[0]);
	return 0;
}

typedef int (*add_fn)(struct out_table *out, const char *name);

/* Nothing but a heading is no answer to a question that failed. */
static void print(struct out_table *out, const char *name, const struct out_options *opt, int ret)
{
	if (ret == CC_OK || out->nr_cells)
		out_print(out, name, opt);
	out_free(out);
}

/* All of them. One that vanishes while we look is no failure of the others. */
static int add_all(struct out_table *out, add_fn add)
{
	char **names;
	size_t nr, i;
	int ret = CC_OK;

	if (dm_names(&names, &nr))
		return CC_FAILED;
	for (i = 0; i < nr; i++)
		if (add(out, names[i]))
			ret = CC_FAILED;
	dm_names_free(names, nr);
	return ret;
}

int cmd_status(int argc, char **argv)
{
	struct out_options opt = { 0 };
	struct out_table out;
	int ret = parse(argc, argv, &opt);

	if (ret)
		return ret;
	out_init(&out, status_columns, ARRAY_SIZE(status_columns));
	if (optind == argc)
		ret = add_all(&out, add_status);
	for (; optind < argc; optind++)
		if (add_status(&out, dm_name(argv[optind])))
			ret = CC_FAILED;
	print(&out, "status", &opt, ret);
	return ret;
}

int cmd_list(int argc, char **argv)
{
	struct out_options opt = { 0 };
	struct out_table out;
	int ret = parse(argc, argv, &opt);

	if (ret)
		return ret;
	if (optind != argc)
		return cc_usage("list", "takes no names: see status and info");
	out_init(&out, list_columns, ARRAY_SIZE(list_columns));
	ret = add_all(&out, add_list);
	print(&out, "chains", &opt, ret);
	return ret;
}
