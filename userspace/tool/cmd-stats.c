// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain stats: shows what each layer of a chain has served, and what its writer has done.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "live.h"
#include "options.h"
#include "output.h"
#include "result.h"
#include "stats.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "NAME [--on | --off | --reset]", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ 0 },
};

enum { OPT_ON = OPT_OWN, OPT_OFF, OPT_RESET };

static const struct opt opt_on = {
	.id = OPT_ON,
	.name = "on",
	.help = "count reads and writes from now on",
};

static const struct opt opt_off = {
	.id = OPT_OFF,
	.name = "off",
	.help = "count no more reads and writes; what was counted stays",
};

static const struct opt opt_reset = {
	.id = OPT_RESET,
	.name = "reset",
	.help = "set all counters to zero",
};

static const struct opt *const options[] = {
	&opt_on, &opt_off, &opt_reset, TABLE_OPTIONS, NULL,
};

struct args {
	const char *word;	/* of the message */
	bool twice;
	struct out_options out;
};

/* Columns and keys are stable: new ones are added at the end. The first three are not counters. */
static const struct out_column columns[] = {
	{ "LAYER", "layer", OUT_NUMBER },
	{ "DEVICE", "device", OUT_TEXT },
	{ "FILE", "file", OUT_TEXT },
	{ "READS", "reads", OUT_NUMBER },
	{ "READ", "read-bytes", OUT_SIZE },
	{ "WRITES", "writes", OUT_NUMBER },
	{ "WRITTEN", "write-bytes", OUT_SIZE },
	{ "FILLS", "fills", OUT_NUMBER },
	{ "FILLED", "fill-bytes", OUT_SIZE },
	{ "FLUSHES", "flushes", OUT_NUMBER },
	{ "SYNCS", "syncs", OUT_NUMBER },
	{ "ERRORS", "sync-errors", OUT_NUMBER },
	{ "BLOCKS", "sync-blocks", OUT_NUMBER },
	{ "SYNC-NS", "sync-ns", OUT_NUMBER },
	{ "LONGEST-NS", "sync-max-ns", OUT_NUMBER },
	{ "HITS", "unpack-hits", OUT_NUMBER },
	{ "MISSES", "unpack-misses", OUT_NUMBER },
	{ "COUNTING", "counting", OUT_TEXT },
};

static int take_option(int id, const char *value, void *data)
{
	struct args *args = data;

	switch (id) {
	case OPT_ON:
	case OPT_OFF:
	case OPT_RESET:
		args->twice |= args->word != NULL;
		args->word = id == OPT_ON ? "on" : id == OPT_OFF ? "off" : "reset";
		return 0;
	default:
		return out_option(id, value, &args->out);
	}
}

static void add_counter(struct out_table *out, const struct counters *counters, enum stat_id stat)
{
	if (counters->known[stat])
		out_number(out, counters->value[stat]);
	else
		out_none(out);
}

static void add_counting(struct out_table *out, const struct stats *stats)
{
	out_text(out, stats->all.value[STAT_ON] ? "yes" : "no");
}

static void add_layer(struct out_table *out, const struct live *live, const struct stats *stats,
		      unsigned int number)
{
	static const enum stat_id order[] = {
		STAT_READS, STAT_READ_BYTES, STAT_WRITES, STAT_WRITE_BYTES, STAT_FILLS,
		STAT_FILL_BYTES, STAT_FLUSHES, STAT_SYNCS, STAT_SYNC_ERRORS, STAT_SYNC_BLOCKS,
		STAT_SYNC_NS, STAT_SYNC_MAX_NS, STAT_UNPACK_HITS, STAT_UNPACK_MISSES,
	};
	const struct counters *layer = &stats->layers[number];
	char *file = live_file(live, number);
	size_t i;

	out_number(out, number);
	out_text(out, layer->dev);
	out_text(out, file);
	for (i = 0; i < ARRAY_SIZE(order); i++)
		add_counter(out, layer, order[i]);
	add_counting(out, stats);
	free(file);
}

/* What no layer provides reads as zeros: a row of its own, without a layer. */
static void add_holes(struct out_table *out, const struct stats *stats)
{
	size_t i;

	for (i = 0; i < 3; i++)
		out_none(out);
	add_counter(out, &stats->all, STAT_HOLE_READS);
	add_counter(out, &stats->all, STAT_HOLE_BYTES);
	for (i = 5; i < ARRAY_SIZE(columns) - 1; i++)
		out_none(out);
	add_counting(out, stats);
}

/* The table has to be that of the answer: a snapshot may have come between. */
static bool same_layers(const struct live *live, const struct stats *stats)
{
	unsigned int i;

	if (live->table.nr_layers != stats->nr_layers)
		return false;
	for (i = 0; i < stats->nr_layers; i++)
		if (strcmp(live->table.layers[i].dev, stats->layers[i].dev))
			return false;
	return true;
}

static int ask(const char *name, struct stats *stats)
{
	static const char *const words[] = { "stats", NULL };
	char *answer = dm_ask(name, words);
	int ret = answer ? stats_parse(answer, stats) : -1;

	if (ret && answer)
		cc_error("%s: the kernel module answers something else than counters: %s", name,
			 answer);
	else if (ret)
		cc_error("%s: the kernel module has no counters", name);
	free(answer);
	if (!ret && !stats->all.known[STAT_ON]) {
		cc_error("%s: the kernel module is too old to count for each layer: load a later one",
			 name);
		stats_free(stats);
		ret = -1;
	}
	return ret;
}

/* Tables and answers that belong together. Returns 0, or -1 after a message. */
static int look(const char *name, struct live *live, struct stats *stats)
{
	unsigned int tries = 100;

	while (tries--) {
		if (live_open(live, name))
			return -1;
		if (ask(live->dev.name, stats)) {
			live_close(live);
			return -1;
		}
		if (same_layers(live, stats))
			return 0;
		stats_free(stats);
		live_close(live);
	}
	cc_error("%s: the chain changes all the time: try again", name);
	return -1;
}

static int show(const char *name, const struct out_options *opt)
{
	struct out_table out;
	struct stats stats;
	struct live live;
	unsigned int i;

	if (look(name, &live, &stats))
		return CC_FAILED;
	out_init(&out, columns, ARRAY_SIZE(columns));
	for (i = 0; i < stats.nr_layers; i++)
		add_layer(&out, &live, &stats, i);
	add_holes(&out, &stats);
	out_print(&out, "stats", opt);
	out_free(&out);
	stats_free(&stats);
	live_close(&live);
	return CC_OK;
}

static int change(const char *name, const char *word)
{
	const char *const words[] = { "stats", word, NULL };
	struct dm_device dev;
	int ret;

	result_text("name", dm_name(name));
	result_text("action", word);
	if (dm_open(dm_name(name), &dev))
		return CC_FAILED;
	ret = dm_message(dev.name, words);
	dm_close(&dev);
	return ret ? CC_FAILED : CC_OK;
}

static int run(int argc, char **argv)
{
	struct args args = { 0 };
	int ret = verb_parse(&cmd_stats, argc, argv, take_option, &args);

	if (ret)
		return ret;
	if (argc - optind != 1)
		return cc_usage("stats", "one device is needed");
	if (args.twice)
		return cc_usage("stats", "--on, --off and --reset exclude each other");
	if (!args.word)
		return show(argv[optind], &args.out);
	if (args.out.json)
		result_begin();
	return change(argv[optind], args.word);
}

const struct verb cmd_stats = {
	.name = "stats",
	.usage = usage,
	.summary = "show what each layer has served, and syncs",
	.operands = operands,
	.options = options,
	.details =
		"\n  Reads and writes are counted while that is on; at first it is off. The last row is\n"
		"  what no layer provides.\n",
	.run = run,
};
