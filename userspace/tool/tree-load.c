// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds what a tree shows: active chains, and images.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "devno.h"
#include "dm.h"
#include "live-image.h"
#include "live.h"
#include "loop.h"
#include "mounts.h"
#include "show.h"
#include "tree-load.h"
#include "util.h"

/* Look at a file by its name, unless its file system may not answer. */
static bool look(const char *path, struct stat *st)
{
	return path && !mounts_may_hang(path, 0) && !stat(path, st);
}

static void add_space(struct tree_layer *layer, const struct stat *st)
{
	layer->on_disk += (uint64_t)st->st_blocks * 512;
}

/* ---- active chains ---- */

/* The file of the layer. Without a name for it, it is the block device. */
static void identify_live(const struct table_layer *entry, struct tree_layer *layer)
{
	struct stat st;
	dev_t dev;

	if (devno_parse(entry->dev, &dev)) {
		layer->file = xstrdup(entry->dev);
		return;
	}
	layer->dev = dev;
	layer->file = devno_file(dev);
	if (!look(layer->file, &st) || !S_ISREG(st.st_mode))
		return;
	layer->dev = st.st_dev;
	layer->ino = st.st_ino;
	layer->has_on_disk = true;
	add_space(layer, &st);
}

static void add_live_data(const struct table_layer *entry, struct tree_layer *layer)
{
	struct stat st;
	dev_t dev;

	if (!entry->data)
		return;
	layer->data_file = devno_parse(entry->data, &dev) ? NULL : devno_file(dev);
	if (look(layer->data_file, &st) && S_ISREG(st.st_mode))
		add_space(layer, &st);
	else
		layer->has_on_disk = false;
}

static int add_live_layer(struct tree *tree, const struct live *live, unsigned int number, size_t *top)
{
	const struct table_layer *entry = &live->table.layers[number];
	struct tree_layer layer = { .below = *top, .kind = entry->kind };
	struct layer read;
	size_t known = tree->nr_layers;

	identify_live(entry, &layer);
	add_live_data(entry, &layer);
	*top = tree_add_layer(tree, &layer);
	/* The same golden image need not be read for each chain. */
	if (*top < known)
		return 0;
	if (live_read_layer(live, number, &read)) {
		cc_error("%s: layer %u cannot be read", live->dev.name, number);
		return -1;
	}
	tree->layers[*top].size = layer_disk_size(&read);
	tree->layers[*top].has_size = true;
	layer_close(&read);
	return 0;
}

static int add_live(struct tree *tree, const struct live *live, const struct target_status *status)
{
	struct tree_chain chain = {
		.name = xstrdup(live->dev.name),
		.top = TREE_NONE,
		.mode = xstrdup(live->dev.suspended ? "suspended" : status->mode),
		.size = live->dev.sectors * SECTOR_SIZE,
		.open_count = live->dev.open_count,
		.job = status->job,
	};
	unsigned int i;
	int ret = 0;

	for (i = 0; i < live->table.nr_layers; i++)
		if (add_live_layer(tree, live, i, &chain.top))
			ret = -1;
	tree_add_chain(tree, &chain);
	return ret;
}

static int add_broken(struct tree *tree, const struct dm_device *dev)
{
	struct tree_chain chain = {
		.name = xstrdup(dev->name),
		.top = TREE_NONE,
		.mode = xstrdup(show_no_chain(dev)),
		.size = dev->sectors * SECTOR_SIZE,
		.open_count = dev->open_count,
	};

	tree_add_chain(tree, &chain);
	return 0;
}

/* dev is taken over. */
static int add_device(struct tree *tree, struct dm_device *dev, const struct target_status *status)
{
	struct live live = { .dev = *dev, .turn = -1 };
	int ret;

	if (!dm_is_chain(dev)) {
		ret = add_broken(tree, dev);
		dm_close(dev);
		return ret;
	}
	ret = live_parse(&live.dev, &live.table);
	if (!ret)
		ret = add_live(tree, &live, status);
	live_close(&live);
	return ret;
}

int tree_load_chain(struct tree *tree, const char *name)
{
	struct target_status status;
	struct dm_device dev;

	if (tree_has_chain(tree, name))
		return 0;
	if (dm_open_ours(name, &dev))
		return -1;
	if (dm_is_chain(&dev) && dm_status(name, &status)) {
		dm_close(&dev);
		return -1;
	}
	return add_device(tree, &dev, &status);
}

/* One that is removed meanwhile is none. */
static int load_found(struct tree *tree, const char *name)
{
	struct target_status status;
	struct dm_device dev;
	int ret = tree_has_chain(tree, name) ? -ENXIO : dm_look(name, &dev, &status);

	return ret ? (ret == -ENXIO ? 0 : -1) : add_device(tree, &dev, &status);
}

int tree_load_all(struct tree *tree)
{
	char **names;
	size_t nr, i;
	int ret = 0;

	if (dm_names(&names, &nr))
		return -1;
	for (i = 0; i < nr; i++)
		if (load_found(tree, names[i]))
			ret = -1;
	dm_names_free(names, nr);
	return ret;
}

/* ---- images ---- */

static void add_source(const struct source *src, struct tree_layer *layer)
{
	struct stat st;

	if (!src->block && !fstat(src->fd, &st))
		add_space(layer, &st);
	else
		layer->has_on_disk = false;
}

static size_t add_image_layer(struct tree *tree, const struct layer *from, size_t below)
{
	struct tree_layer layer = {
		.below = below,
		.kind = from->kind,
		.file = xstrdup(from->file.real ? from->file.real : from->file.path),
		.data_file = from->data.path ? xstrdup(from->data.real ? from->data.real : from->data.path) : NULL,
		.dev = from->file.block ? from->file.dev : from->file.file_dev,
		.ino = from->file.block ? 0 : from->file.file_ino,
		.size = layer_disk_size(from),
		.has_size = true,
		.has_on_disk = true,
	};

	add_source(&from->file, &layer);
	if (from->data.path)
		add_source(&from->data, &layer);
	return tree_add_layer(tree, &layer);
}

/* Does the chain have that layer? */
static bool has_layer(const char *name, const struct layer *layer)
{
	struct live live;
	unsigned int i;
	bool has = false;

	if (live_open(&live, name))
		return false;
	for (i = 0; i < live.table.nr_layers && !has; i++) {
		struct tree_layer now = { 0 };

		identify_live(&live.table.layers[i], &now);
		has = layer->file.block ? !now.ino && now.dev == layer->file.dev :
					  now.ino == layer->file.file_ino && now.dev == layer->file.file_dev;
		free(now.file);
	}
	live_close(&live);
	return has;
}

static int add_readers(struct tree *tree, const struct layer *layer)
{
	char **names;
	size_t nr = 0, i;
	int ret = 0;

	/* Not everybody may look at devices, and where there is no device-mapper there are none. */
	cc_mute(true);
	if (dm_names(&names, &nr))
		nr = 0;
	for (i = 0; i < nr; i++) {
		cc_mute(true);
		if (!has_layer(names[i], layer))
			continue;
		cc_mute(false);
		if (load_found(tree, names[i]))
			ret = -1;
	}
	cc_mute(false);
	if (nr)
		dm_names_free(names, nr);
	return ret;
}

int tree_load_image(struct tree *tree, const char *path, enum layer_kind kind, struct layer_options *opt)
{
	size_t below = TREE_NONE;
	struct chain chain;
	unsigned int i;
	int ret;

	opt->peek = true;
	ret = chain_follow(&chain, path, kind, opt);
	for (i = 0; i < chain.nr; i++)
		below = add_image_layer(tree, &chain.layers[i], below);
	if (chain.nr && add_readers(tree, chain_top(&chain)))
		ret = -1;
	chain_close(&chain);
	return ret;
}
