// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain status: shows mode, allocation and job of devices.
 */
#include <unistd.h>

#include "metrics-load.h"
#include "options.h"
#include "show.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "[NAME...]", "--prometheus", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE, .many = true },
	{ 0 },
};

enum { OPT_PROMETHEUS = OPT_OWN };

static const struct opt opt_prometheus = {
	.id = OPT_PROMETHEUS,
	.name = "prometheus",
	.help = "all devices, in the text format of Prometheus",
};

static const struct opt *const options[] = { TABLE_OPTIONS, &opt_prometheus, NULL };

struct args {
	struct out_options out;
	bool prometheus;
};

static int take_option(int id, const char *value, void *data)
{
	struct args *args = data;

	if (id != OPT_PROMETHEUS)
		return out_option(id, value, &args->out);
	args->prometheus = true;
	return 0;
}

/* Columns and keys are stable: new ones are added at the end. */
static const struct out_column status_columns[] = {
	{ "NAME", "name", OUT_TEXT },
	{ "MODE", "mode", OUT_TEXT },
	{ "LAYERS", "layers", OUT_NUMBER },
	{ "ALLOCATED", "allocated", OUT_SIZE },
	{ "SIZE", "size", OUT_SIZE },
	{ "USED", "used", OUT_PERCENT },
	JOB_COLUMNS,
};

static void add_broken_status(struct out_table *out, const struct dm_device *dev)
{
	size_t i;

	out_text(out, dev->name);
	out_text(out, show_no_chain(dev));
	for (i = 2; i < ARRAY_SIZE(status_columns); i++)
		out_none(out);
}

static int add_status(struct out_table *out, const struct dm_device *dev,
		      const struct target_status *st)
{
	if (!dm_is_chain(dev)) {
		add_broken_status(out, dev);
		return 0;
	}
	out_text(out, dev->name);
	out_text(out, st->mode);
	out_number(out, st->nr_layers);
	if (st->counted)
		out_number(out, st->allocated * st->subcluster);
	else
		out_none(out);
	out_number(out, st->total * st->subcluster);
	if (st->counted)
		out_number(out, show_share(st->allocated, st->total));
	else
		out_none(out);
	show_add_job(out, &st->job);
	return 0;
}

/* A device that the user has named has to exist. */
static int add_named(struct out_table *out, const char *name)
{
	struct target_status st;
	struct dm_device dev;
	int ret;

	if (dm_open_ours(name, &dev))
		return -1;
	ret = dm_is_chain(&dev) ? dm_status(name, &st) : 0;
	if (!ret)
		ret = add_status(out, &dev, &st);
	dm_close(&dev);
	return ret;
}

static int run(int argc, char **argv)
{
	struct args args = { 0 };
	struct out_table out;
	int ret = verb_parse(&cmd_status, argc, argv, take_option, &args);

	if (ret)
		return ret;
	if (args.prometheus && (optind < argc || args.out.json))
		return cc_usage("status", "--prometheus shows all devices, and does not go together with --json");
	if (args.prometheus)
		return metrics_print_all();
	out_init(&out, status_columns, ARRAY_SIZE(status_columns));
	if (optind == argc)
		ret = show_add_all(&out, add_status);
	for (; optind < argc; optind++)
		if (add_named(&out, dm_name(argv[optind])))
			ret = CC_FAILED;
	show_print(&out, "status", &args.out, ret);
	return ret;
}

const struct verb cmd_status = {
	.name = "status",
	.usage = usage,
	.summary = "show modes, allocation and jobs",
	.operands = operands,
	.options = options,
	.run = run,
};
