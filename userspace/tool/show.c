// SPDX-License-Identifier: GPL-2.0-only
/*
 * Builds and prints the tables of devices and jobs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"
#include "show.h"
#include "util.h"

static const struct out_column job_columns[] = {
	{ "NAME", "name", OUT_TEXT },
	JOB_COLUMNS,
};

uint64_t show_share(uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)(100000.0 * (double)part / (double)whole) : 100000;
}

/* layer: -1 for none, or if the module is so old that it does not tell. */
static void add_layer(struct out_table *out, int layer)
{
	if (layer < 0)
		out_none(out);
	else
		out_number(out, (uint64_t)layer);
}

void show_add_job(struct out_table *out, const struct target_job *job)
{
	int i;

	if (!job->present) {
		for (i = 0; i < NR_JOB_COLUMNS; i++)
			out_none(out);
		return;
	}
	out_text(out, job->type);
	out_text(out, job->state);
	add_layer(out, job->base);
	out_number(out, job->offset);
	out_number(out, job->len);
	out_number(out, show_share(job->offset, job->len));
	out_number(out, job->speed);
	out_text(out, job->io_status);
	out_text(out, job->error ? strerrorname_np(job->error) : NULL);
	if (job->verify)
		out_number(out, job->verified);
	else
		out_none(out);
	add_layer(out, job->top);
}

static const struct out_column only_job[] = { JOB_COLUMNS };

void show_json_job(struct json *json, const char *key, const struct target_job *job)
{
	struct out_table out;

	if (!job->present) {
		json_null(json, key);
		return;
	}
	out_init(&out, only_job, ARRAY_SIZE(only_job));
	show_add_job(&out, job);
	out_add_json_row(json, key, &out, 0);
	out_free(&out);
}

void show_result_job(const char *name)
{
	struct json *json = result_json();
	struct target_status status;
	int ret;

	if (!json)
		return;
	/* If it could be read before, and cannot now, the device is gone. */
	cc_mute(true);
	ret = dm_status(name, &status);
	cc_mute(false);
	if (ret)
		json_null(json, "job");
	else
		show_json_job(json, "job", &status.job);
}

const char *show_no_chain(const struct dm_device *dev)
{
	return dev->target[0] ? dev->target : "no-table";
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
		show_add_job(&out, &st.job);
		out_print(&out, "jobs", opt);
		out_free(&out);
		ret = CC_OK;
	}
	dm_close(&dev);
	return ret;
}

void show_print(struct out_table *out, const char *name, const struct out_options *opt, int ret)
{
	/* After a failure, do not print a heading alone. */
	if (ret == CC_OK || out->nr_cells)
		out_print(out, name, opt);
	out_free(out);
}

static int add_one(struct out_table *out, add_fn add, const char *name)
{
	struct target_status st;
	struct dm_device dev;
	int ret = dm_look(name, &dev, &st);

	if (ret)
		return ret == -ENXIO ? 0 : ret;
	ret = add(out, &dev, &st);
	dm_close(&dev);
	return ret;
}

int show_add_all(struct out_table *out, add_fn add)
{
	char **names;
	size_t nr, i;
	int ret = CC_OK;

	if (dm_names(&names, &nr))
		return CC_FAILED;
	for (i = 0; i < nr; i++)
		if (add_one(out, add, names[i]))
			ret = CC_FAILED;
	dm_names_free(names, nr);
	return ret;
}
