// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks at chains and prints their state for Prometheus.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "metrics-load.h"
#include "show.h"
#include "util.h"

static char *top_file(const struct dm_device *dev)
{
	const struct table_layer *top;
	struct table table;
	char *file;

	if (live_parse(dev, &table))
		return NULL;
	top = &table.layers[table.nr_layers - 1];
	file = live_layer_file(top);
	if (!file)
		file = xstrdup(top->dev);
	table_free(&table);
	return file;
}

static int load(struct metrics_chain *chain, const char *name)
{
	int ret;

	memset(chain, 0, sizeof(*chain));
	ret = dm_look(name, &chain->dev, &chain->status);
	if (ret)
		return ret;
	if (dm_is_chain(&chain->dev))
		chain->top = top_file(&chain->dev);
	else
		chain->no_chain = show_no_chain(&chain->dev);
	chain->has_io = !io_stat_read(chain->dev.dev, &chain->io);
	return 0;
}

void metrics_free(struct metrics_chain *chains, size_t nr)
{
	while (nr) {
		dm_close(&chains[--nr].dev);
		free(chains[nr].top);
	}
	free(chains);
}

int metrics_load(struct metrics_chain **chains, size_t *nr)
{
	char **names;
	size_t nr_names, i;
	int ret = 0, err;

	*nr = 0;
	*chains = NULL;
	if (dm_names(&names, &nr_names))
		return -1;
	*chains = xcalloc(nr_names + 1, sizeof(**chains));
	for (i = 0; i < nr_names; i++) {
		err = load(&(*chains)[*nr], names[i]);
		if (!err)
			(*nr)++;
		else if (err != -ENXIO)
			ret = -1;
	}
	dm_names_free(names, nr_names);
	return ret;
}

int metrics_print_all(void)
{
	struct metrics_chain *chains;
	size_t nr;
	char *text;
	int ret = metrics_load(&chains, &nr);

	if (!ret) {
		text = metrics_format(chains, nr);
		fputs(text, stdout);
		free(text);
	}
	metrics_free(chains, nr);
	return ret ? CC_FAILED : CC_OK;
}
