// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parses the answer of the target to the message "stats": pairs of a name and a number, a line for the device and
 * one for each layer, which begins with "layer" and its device.
 */
#include <stdlib.h>
#include <string.h>

#include "macros.h"
#include "number.h"
#include "stats.h"
#include "util.h"

static const char *const names[NR_STATS] = {
	[STAT_READS] = "reads",
	[STAT_READ_BYTES] = "read_bytes",
	[STAT_WRITES] = "writes",
	[STAT_WRITE_BYTES] = "write_bytes",
	[STAT_FILLS] = "fills",
	[STAT_FILL_BYTES] = "fill_bytes",
	[STAT_FLUSHES] = "flushes",
	[STAT_SYNCS] = "syncs",
	[STAT_SYNC_ERRORS] = "sync_errors",
	[STAT_SYNC_BLOCKS] = "sync_blocks",
	[STAT_SYNC_NS] = "sync_ns",
	[STAT_SYNC_MAX_NS] = "sync_max_ns",
	[STAT_UNPACK_HITS] = "unpack_hits",
	[STAT_UNPACK_MISSES] = "unpack_misses",
	[STAT_ON] = "on",
	[STAT_HOLE_READS] = "hole_reads",
	[STAT_HOLE_BYTES] = "hole_bytes",
};

static int take_counter(struct counters *counters, const char *name, const char *value)
{
	uint64_t number;
	size_t i;

	if (!value || parse_u64(value, &number))
		return -1;
	for (i = 0; i < NR_STATS; i++) {
		if (strcmp(name, names[i]))
			continue;
		counters->value[i] = number;
		counters->known[i] = true;
	}
	return 0;
}

static int take_line(char *line, struct counters *counters)
{
	char *rest, *name = strtok_r(line, " ", &rest);

	if (name && !strcmp(name, "layer")) {
		name = strtok_r(NULL, " ", &rest);
		if (!name)
			return -1;
		counters->dev = xstrdup(name);
		name = strtok_r(NULL, " ", &rest);
	}
	for (; name; name = strtok_r(NULL, " ", &rest))
		if (take_counter(counters, name, strtok_r(NULL, " ", &rest)))
			return -1;
	return 0;
}

static int take_layer(struct stats *stats, char *line)
{
	struct counters *layer;

	stats->layers = xrealloc(stats->layers, stats->nr_layers + 1, sizeof(*stats->layers));
	layer = &stats->layers[stats->nr_layers++];
	memset(layer, 0, sizeof(*layer));
	return take_line(line, layer) || !layer->dev ? -1 : 0;
}

int stats_parse(const char *text, struct stats *stats)
{
	char *copy = xstrdup(text), *rest, *line = strtok_r(copy, "\n", &rest);
	int ret;

	memset(stats, 0, sizeof(*stats));
	ret = line ? take_line(line, &stats->all) : -1;
	if (stats->all.dev)
		ret = -1;
	while (!ret && (line = strtok_r(NULL, "\n", &rest)))
		ret = take_layer(stats, line);
	free(copy);
	if (ret)
		stats_free(stats);
	return ret;
}

void stats_free(struct stats *stats)
{
	free(stats->all.dev);
	while (stats->nr_layers)
		free(stats->layers[--stats->nr_layers].dev);
	free(stats->layers);
	memset(stats, 0, sizeof(*stats));
}
