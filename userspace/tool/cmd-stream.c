// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain stream, cowchain base
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "job-args.h"
#include "live.h"
#include "number.h"
#include "path.h"
#include "space-check.h"
#include "util.h"

static const struct option stream_options[] = {
	{ "base", required_argument, NULL, 'b' },
	{ "backing-file", required_argument, NULL, 'N' },
	{ "backing-format", required_argument, NULL, 'F' },
	JOB_LONG_OPTIONS,
	{ 0 },
};

struct stream_args {
	struct job_args job;
	const char *base;
	const char *backing_file;
	const char *backing_format;
	const char *name;
};

static int parse_option(int c, struct stream_args *args)
{
	int ret = job_args_option("stream", c, &args->job);

	if (ret >= 0)
		return ret;
	switch (c) {
	case 'b':
		args->base = optarg;
		return 0;
	case 'N':
		args->backing_file = optarg;
		return 0;
	case 'F':
		args->backing_format = optarg;
		return 0;
	default:
		return cc_usage("stream", "see the options of stream");
	}
}

static int parse(int argc, char **argv, struct stream_args *args)
{
	enum layer_kind kind;
	int c, ret;

	while ((c = getopt_long(argc, argv, "b:", stream_options, NULL)) != -1) {
		ret = parse_option(c, args);
		if (ret)
			return ret;
	}
	if (argc - optind != 1)
		return cc_usage("stream", "one device is needed");
	args->name = argv[optind];
	if (!args->backing_file != !args->backing_format)
		return cc_usage("stream", "--backing-file and --backing-format go together");
	if (args->backing_format && kind_parse(args->backing_format, &kind))
		return cc_usage("stream", "--backing-format %s: must be raw or qcow2",
				args->backing_format);
	return job_args_check("stream", &args->job);
}

/* Returns the layer, -1 for none, or -2 (said why). */
static int find_base(const struct live *live, const char *base)
{
	int layer;

	if (!strcmp(base, "none"))
		return -1;
	layer = live_find(live, base);
	return layer < 0 ? -2 : layer;
}

/* Sends the choice; layer -1: none. Returns 0 or a negative errno (said why). */
static int select_base(const struct live *live, int layer)
{
	char number[16];
	const char *words[] = { "base", "none", NULL };

	snprintf(number, sizeof(number), "%d", layer);
	if (layer >= 0)
		words[1] = number;
	return dm_message(live->dev.name, words);
}

/*
 * How the top's header shall name the base. The layer above the base has a name for it, too, but one
 * that counts from that layer's directory. NULL if the file is unknown (said so).
 */
static char *name_for_base(const struct live *live, int layer)
{
	char *base = live_file_needed(live, (unsigned int)layer);
	char *top = base ? live_lasting_file(live, live_top(live)) : NULL;
	char *dir, *name;

	/* Where the top is unknown an absolute name is right anywhere. */
	if (!top)
		return base;
	dir = path_dir(top);
	name = path_stored_name(dir, base);
	free(dir);
	free(top);
	free(base);
	return name;
}

/* What the verb base selected. Returns the layer; -1 for none, also if the module does not say. */
static int selected_base(const struct live *live)
{
	static const char *const words[] = { "base", NULL };
	char *answer = dm_ask(live->dev.name, words);
	uint64_t layer;
	int ret = -1;

	if (answer && !parse_u64(answer, &layer) && layer < live->table.nr_layers)
		ret = (int)layer;
	free(answer);
	return ret;
}

static int start_stream(const struct live *live, const struct stream_args *args)
{
	const char *format = args->backing_format;
	char *name = args->backing_file ? xstrdup(args->backing_file) : NULL;
	int layer = args->base ? find_base(live, args->base) : selected_base(live);
	int ret = layer == -2 ? -1 : 0;

	if (!ret && !name && layer >= 0) {
		name = name_for_base(live, layer);
		format = kind_name(live->table.layers[layer].kind);
		ret = name ? 0 : -1;
	}
	if (!ret && !args->job.force)
		ret = space_check_stream(live, layer, args->base || layer >= 0);
	if (!ret && args->base)
		ret = select_base(live, layer);
	if (!ret)
		ret = job_start(live->dev.name, &args->job, name, format);
	free(name);
	return ret ? CC_FAILED : CC_OK;
}

int cmd_stream(int argc, char **argv)
{
	struct stream_args args = { 0 };
	struct live live;
	int ret = parse(argc, argv, &args);

	if (ret)
		return ret;
	if (live_open_alone(&live, args.name))
		return CC_FAILED;
	ret = start_stream(&live, &args);
	live_let_go(&live);
	if (ret == CC_OK)
		ret = job_wait(live.dev.name, &args.job);
	live_close(&live);
	return ret;
}

int cmd_base(int argc, char **argv)
{
	static const struct option none[] = { { 0 } };
	struct live live;
	int layer, ret;

	if (getopt_long(argc, argv, "", none, NULL) != -1 || argc - optind != 2)
		return cc_usage("base", "a device and a layer are needed");
	if (live_open_alone(&live, argv[optind]))
		return CC_FAILED;
	layer = find_base(&live, argv[optind + 1]);
	ret = layer == -2 || select_base(&live, layer) ? CC_FAILED : CC_OK;
	live_close(&live);
	return ret;
}
