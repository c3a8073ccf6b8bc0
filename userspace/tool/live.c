// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens an active chain, and finds its layers by what the user calls them.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devno.h"
#include "live.h"
#include "loop.h"
#include "number.h"
#include "source.h"
#include "turn.h"
#include "util.h"

int live_parse(const struct dm_device *dev, struct table *table)
{
	if (!table_parse(dev->params, table))
		return 0;
	cc_error("%s: cannot parse its table '%s': are tool and module of the same version?",
		 dev->name, dev->params);
	return -1;
}

static int parse_table(struct live *live)
{
	if (!live_parse(&live->dev, &live->table))
		return 0;
	live_close(live);
	return -1;
}

int live_open(struct live *live, const char *arg)
{
	memset(live, 0, sizeof(*live));
	live->turn = -1;
	if (dm_open(dm_name(arg), &live->dev))
		return -1;
	return parse_table(live);
}

int live_open_alone(struct live *live, const char *arg)
{
	memset(live, 0, sizeof(*live));
	live->turn = turn_open(dm_name(arg), dm_open, &live->dev);
	if (live->turn < 0)
		return -1;
	return parse_table(live);
}

void live_let_go(struct live *live)
{
	if (live->turn >= 0)
		close(live->turn);
	live->turn = -1;
}

void live_close(struct live *live)
{
	live_let_go(live);
	table_free(&live->table);
	dm_close(&live->dev);
}

static bool same_layer(const struct table_layer *a, const struct table_layer *b)
{
	return !strcmp(a->dev, b->dev) && !a->data == !b->data && (!a->data || !strcmp(a->data, b->data));
}

static int say_changed(const struct live *live)
{
	cc_error("%s: the chain was changed meanwhile: try again", live->dev.name);
	return -1;
}

int live_check_top(const struct live *live)
{
	struct live now;
	bool same;

	if (live_open(&now, live->dev.name))
		return -1;
	same = now.dev.dev == live->dev.dev && now.dev.sectors == live->dev.sectors &&
	       same_layer(&now.table.layers[live_top(&now)], &live->table.layers[live_top(live)]);
	live_close(&now);
	return same ? 0 : say_changed(live);
}

int live_check_layers(const struct live *live, unsigned int nr)
{
	struct live now;
	unsigned int i;
	bool same;

	if (live_open(&now, live->dev.name))
		return -1;
	same = now.dev.dev == live->dev.dev && now.table.nr_layers >= nr;
	for (i = 0; same && i < nr; i++)
		same = same_layer(&now.table.layers[i], &live->table.layers[i]);
	live_close(&now);
	return same ? 0 : say_changed(live);
}

char *live_layer_file(const struct table_layer *layer)
{
	dev_t dev;

	return devno_parse(layer->dev, &dev) ? NULL : devno_file(dev);
}

char *live_file(const struct live *live, unsigned int layer)
{
	return live_layer_file(&live->table.layers[layer]);
}

char *live_lasting_file(const struct live *live, unsigned int layer)
{
	dev_t dev;

	if (devno_parse(live->table.layers[layer].dev, &dev))
		return NULL;
	return loop_is(dev) ? loop_file(dev) : devno_node(dev);
}

char *live_file_needed(const struct live *live, unsigned int layer)
{
	char *file = live_lasting_file(live, layer);

	if (!file)
		cc_error("%s: cannot find the name of the file of layer %u (%s); it may be deleted, replaced, used in part only, or not visible from here: name it with --backing-file",
			 live->dev.name, layer, live->table.layers[layer].dev);
	return file;
}

/* Is st the file or block device of the layer? */
static bool layer_is(const struct live *live, unsigned int layer, const struct stat *st)
{
	dev_t dev;

	if (devno_parse(live->table.layers[layer].dev, &dev))
		return false;
	return S_ISBLK(st->st_mode) ? dev == st->st_rdev : loop_shows_file(dev, st);
}

static void say_layers(const struct live *live)
{
	struct strbuf sb = { 0 };
	unsigned int i;

	for (i = 0; i < live->table.nr_layers; i++) {
		char *file = live_file(live, i);

		strbuf_addf(&sb, "%s%u %s", i ? ", " : "", i, file ? file : live->table.layers[i].dev);
		free(file);
	}
	cc_note("the layers of %s: %s", live->dev.name, sb.text);
	free(sb.text);
}

static int find_number(const struct live *live, const char *arg)
{
	uint64_t number;

	if (parse_u64(arg, &number) || number >= live->table.nr_layers)
		return -1;
	return (int)number;
}

static int find_device(const struct live *live, const char *arg)
{
	unsigned int i;

	for (i = 0; i < live->table.nr_layers; i++)
		if (!strcmp(live->table.layers[i].dev, arg))
			return (int)i;
	return -1;
}

static int find_path(const struct live *live, const char *arg)
{
	struct stat st;
	unsigned int i;

	if (stat(arg, &st))
		return -1;
	for (i = 0; i < live->table.nr_layers; i++)
		if (layer_is(live, i, &st))
			return (int)i;
	return -1;
}

/* Does the chain write to it? */
static bool writes_to(const char *name, const struct stat *st)
{
	struct live live;
	bool writes;

	if (live_open(&live, name))
		return false;
	writes = !live.dev.read_only && layer_is(&live, live_top(&live), st);
	live_close(&live);
	return writes;
}

char *live_of_top(const struct stat *st)
{
	char **names, *found = NULL;
	size_t nr = 0, i;

	/* Not everybody may look at devices, and where there is no device-mapper there are none. */
	cc_mute(true);
	if (dm_names(&names, &nr))
		nr = 0;
	for (i = 0; i < nr && !found; i++)
		if (writes_to(names[i], st))
			found = xstrdup(names[i]);
	if (nr)
		dm_names_free(names, nr);
	cc_mute(false);
	return found;
}

bool live_has_file(const struct live *live, const char *path)
{
	return find_path(live, path) >= 0;
}

int live_find(const struct live *live, const char *arg)
{
	int layer = find_number(live, arg);

	if (layer < 0)
		layer = find_device(live, arg);
	if (layer < 0)
		layer = find_path(live, arg);
	if (layer < 0) {
		cc_error("%s: '%s' is not one of its layers", live->dev.name, arg);
		say_layers(live);
	}
	return layer;
}

bool live_is_chain(const char *arg, char **name)
{
	struct dm_device dev;
	struct stat st;
	bool exists = !stat(arg, &st);
	bool chain;
	int ret;

	*name = exists && S_ISBLK(st.st_mode) ? devno_dm_name(st.st_rdev) : NULL;
	if (!*name && !strchr(dm_name(arg), '/'))
		*name = xstrdup(dm_name(arg));
	if (!*name)
		return false;
	ret = dm_find(*name, &dev);
	if (ret) {
		if (!exists && ret != -ENXIO && geteuid())
			cc_note("%s: if it is a device, that can be seen by root only", *name);
		return false;
	}
	chain = dm_is_chain(&dev) || dm_is_ours(&dev) || !exists;
	dm_close(&dev);
	return chain;
}
