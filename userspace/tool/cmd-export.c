// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain export: makes a read-only device of the lower layers of a chain that is in use.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm-change.h"
#include "dm.h"
#include "image.h"
#include "live-layer.h"
#include "live.h"
#include "options.h"
#include "result.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "NAME LAYER --as BAK", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ "LAYER", .complete = COMPLETE_FILE,
	  .help = "a layer below the top, by number, file or block device" },
	{ 0 },
};

enum { OPT_AS = OPT_OWN };

static const struct opt opt_as = {
	.id = OPT_AS,
	.name = "as",
	.value = "BAK",
	.help = "the name of the new device",
};

static const struct opt *const options[] = { &opt_as, &opt_dry_run, &opt_json, NULL };

static const char *const examples[] = {
	"cowchain snapshot vm night2.qcow2",
	"cowchain export vm night1.qcow2 --as vm-backup",
	"cowchain detach vm-backup",
	NULL,
};

static int take_option(int id, const char *value, void *as)
{
	(void)id;
	*(const char **)as = value;
	return 0;
}

/* The number of a layer that does not change, or -1 after a message. */
static int find_sealed(const struct live *live, const char *arg)
{
	int layer = live_find(live, arg);

	if (layer < 0 || layer < (int)live_top(live) || live->dev.read_only)
		return layer;
	cc_error("%s: layer %d is the top, which is being written: take a snapshot first, 'cowchain snapshot %s NEW', after which that layer does not change any more",
		 live->dev.name, layer, shell_word(live->dev.name));
	return -1;
}

/* Bytes of the disk of a layer, in whole sectors; 0 after a message. */
static uint64_t disk_size(const struct live *live, unsigned int number)
{
	const struct table_layer *t = &live->table.layers[number];
	struct live_layer layer;
	struct image image;
	uint64_t size = 0;

	if (live_layer_open(&live->table, number, &layer)) {
		cc_error("%s: the device %s of layer %u cannot be opened", live->dev.name, t->dev, number);
		return 0;
	}
	if (t->kind == KIND_RAW) {
		size = layer.data_size;
	} else if (!image_read(layer.fd, t->dev, layer.size + layer.tail.len, &image)) {
		size = image.info.size;
		image_free(&image);
	}
	close(layer.fd);
	return (size + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
}

/* The first nr layers, with their tails. */
static void copy_layers(const struct live *live, unsigned int nr, struct table *table)
{
	struct tail tail;
	unsigned int i;

	memset(table, 0, sizeof(*table));
	table->layers = xcalloc(nr, sizeof(*table->layers));
	table->nr_layers = nr;
	for (i = 0; i < nr; i++) {
		const struct table_layer *from = &live->table.layers[i];

		table->layers[i].kind = from->kind;
		table->layers[i].dev = xstrdup(from->dev);
		table->layers[i].data = from->data ? xstrdup(from->data) : NULL;
		tail_find(&live->table, i, false, &tail);
		tail_add(table, i, false, &tail);
		tail_find(&live->table, i, true, &tail);
		tail_add(table, i, true, &tail);
	}
}

static int make(const struct live *live, unsigned int number, const char *as)
{
	uint64_t size = disk_size(live, number);
	struct dm_new new = { .name = as, .sectors = size / SECTOR_SIZE, .read_only = true };
	struct table table;
	char *line;
	int ret;

	if (!size)
		return -1;
	copy_layers(live, number + 1, &table);
	line = table_format(&table);
	new.params = line;
	ret = dm_create(&new);
	free(line);
	table_free(&table);
	return ret;
}

/*
 * A stream that ends meanwhile closes layers, so that loop devices vanish, and their numbers may become those of
 * other files. So all are held first. If they are still those of the chain then, they remain so.
 */
static int hold_and_make(const struct live *live, unsigned int number, const char *as)
{
	struct live_hold held;
	int ret;

	if (live_hold(&live->table, number + 1, &held)) {
		cc_error("%s: the devices of its layers cannot be opened: try again", live->dev.name);
		return -1;
	}
	ret = live_check_layers(live, number + 1);
	if (!ret)
		ret = make(live, number, as);
	live_unhold(&held);
	return ret;
}

static int run(int argc, char **argv)
{
	const char *as = NULL;
	struct live live;
	int layer, ret = verb_parse(&cmd_export, argc, argv, take_option, &as);

	if (ret)
		return ret;
	if (argc - optind != 2 || !as)
		return cc_usage("export", "a device, one of its layers and --as with a new name are needed");
	as = dm_name(as);
	ret = take_device_name("export", as);
	if (ret)
		return ret;
	result_text("name", dm_name(argv[optind]));
	result_text("as", as);
	if (dm_check_free(as) || live_open_alone(&live, argv[optind]))
		return CC_FAILED;
	layer = find_sealed(&live, argv[optind + 1]);
	ret = layer < 0 ? -1 : hold_and_make(&live, (unsigned int)layer, as);
	if (!ret)
		result_number("layer", (uint64_t)layer);
	live_close(&live);
	return ret ? CC_FAILED : CC_OK;
}

const struct verb cmd_export = {
	.name = "export",
	.usage = usage,
	.summary = "make a read-only device of a layer and those below it",
	.operands = operands,
	.options = options,
	.details =
		"\n  For a backup: the device shows the disk as it was when a snapshot was put on\n"
		"  that layer. 'cowchain detach BAK' ends it.\n",
	.examples = examples,
	.result = true,
	.run = run,
};
