// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain list: shows all devices with their tops.
 */
#include <stdlib.h>
#include <unistd.h>

#include "devno.h"
#include "live.h"
#include "options.h"
#include "show.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "", NULL };

static const struct opt *const options[] = { TABLE_OPTIONS, NULL };

/* Columns and keys are stable: new ones are added at the end. */
static const struct out_column list_columns[] = {
	{ "NAME", "name", OUT_TEXT },
	{ "DEVICE", "device", OUT_TEXT },
	{ "SIZE", "size", OUT_SIZE },
	{ "MODE", "mode", OUT_TEXT },
	{ "LAYERS", "layers", OUT_NUMBER },
	{ "OPEN", "open", OUT_NUMBER },
	{ "JOB", "job", OUT_TEXT },
	{ "TOP", "top", OUT_TEXT },
	{ "REMOVAL", "removal", OUT_TEXT },
};

static void add_device(struct out_table *out, const struct dm_device *dev)
{
	char *text = devno_format(dev->dev);

	out_text(out, dev->name);
	out_text(out, text);
	out_number(out, dev->sectors * SECTOR_SIZE);
	free(text);
}

static void add_removal(struct out_table *out, const struct dm_device *dev)
{
	out_text(out, dev->leaving ? "pending" : NULL);
}

static void add_broken_list(struct out_table *out, const struct dm_device *dev)
{
	add_device(out, dev);
	out_text(out, show_no_chain(dev));
	out_none(out);
	out_number(out, (uint64_t)dev->open_count);
	out_none(out);
	out_none(out);
	add_removal(out, dev);
}

static int add_list(struct out_table *out, const struct dm_device *dev,
		    const struct target_status *st)
{
	const struct table_layer *top;
	struct table table;
	char *text;

	if (!dm_is_chain(dev)) {
		add_broken_list(out, dev);
		return 0;
	}
	if (live_parse(dev, &table))
		return -1;
	top = &table.layers[table.nr_layers - 1];
	add_device(out, dev);
	out_text(out, dev->suspended ? "suspended" : st->mode);
	out_number(out, table.nr_layers);
	out_number(out, (uint64_t)dev->open_count);
	out_text(out, st->job.present ? st->job.state : NULL);
	text = live_layer_file(top);
	out_text(out, text ? text : top->dev);
	free(text);
	add_removal(out, dev);
	table_free(&table);
	return 0;
}

static int run(int argc, char **argv)
{
	struct out_options opt = { 0 };
	struct out_table out;
	int ret = verb_parse(&cmd_list, argc, argv, out_option, &opt);

	if (ret)
		return ret;
	if (optind != argc)
		return cc_usage("list", "'%s': list takes no names: use status or info", argv[optind]);
	out_init(&out, list_columns, ARRAY_SIZE(list_columns));
	ret = show_add_all(&out, add_list);
	show_print(&out, "chains", &opt, ret);
	return ret;
}

const struct verb cmd_list = {
	.name = "list",
	.usage = usage,
	.summary = "show all chains",
	.options = options,
	.run = run,
};
