// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain info: the layers of a device, or of an image on disk. Columns and keys are stable: new ones
 * are added at the end.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "commands.h"
#include "devno.h"
#include "live.h"
#include "output.h"
#include "util.h"

static const struct option options[] = {
	{ "allow-dir", required_argument, NULL, 'a' },
	{ "backing-format", required_argument, NULL, 'F' },
	{ "format", required_argument, NULL, 'f' },
	OUT_LONG_OPTIONS,
	{ 0 },
};

static const struct out_column columns[] = {
	{ "LAYER", "layer", OUT_NUMBER },
	{ "KIND", "kind", OUT_TEXT },
	{ "SIZE", "size", OUT_SIZE },
	{ "DEVICE", "device", OUT_TEXT },
	{ "FILE", "file", OUT_TEXT },
	{ "DATA-DEVICE", "data-device", OUT_TEXT },
	{ "DATA-FILE", "data-file", OUT_TEXT },
	{ "BACKING", "backing-file", OUT_TEXT },
	{ "FORMAT", "backing-format", OUT_TEXT },
	{ "UUID", "uuid", OUT_TEXT },
	{ "GENERATION", "generation", OUT_NUMBER },
	{ "PARENT", "parent-uuid", OUT_TEXT },
	{ "SEALED", "sealed", OUT_TEXT },
	{ "JOB", "recorded-job", OUT_TEXT },
};

struct args {
	struct chain_options opt;
	struct out_options out;
	enum layer_kind kind;
};

static int parse_kind(const char *option, enum layer_kind *kind)
{
	if (!kind_parse(optarg, kind))
		return 0;
	return cc_usage("info", "%s %s: must be raw or qcow2", option, optarg);
}

static int parse_option(int c, struct args *args)
{
	if (out_option(c, &args->out))
		return 0;
	switch (c) {
	case 'a':
		return allow_dirs_add(&args->opt.allow, optarg) ? CC_FAILED : 0;
	case 'F':
		args->opt.have_backing_format = true;
		return parse_kind("--backing-format", &args->opt.backing_format);
	case 'f':
		return parse_kind("--format", &args->kind);
	default:
		return cc_usage("info", "see the options of info");
	}
}

/* What the header says; nothing for a raw layer or one that could not be read. */
static void add_names(struct out_table *out, const struct layer *layer)
{
	out_text(out, layer ? layer->image.backing_name : NULL);
	out_text(out, layer ? layer->image.backing_format : NULL);
}

static void add_uuid(struct out_table *out, const u8 *uuid)
{
	static const u8 nobody[QCOW2_UUID_BYTES];
	char text[2 * QCOW2_UUID_BYTES + 5], *p = text;
	unsigned int i;

	if (!memcmp(uuid, nobody, sizeof(nobody))) {
		out_none(out);
		return;
	}
	for (i = 0; i < QCOW2_UUID_BYTES; i++)
		p += sprintf(p, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
	out_text(out, text);
}

/* Who it is; see identity-format.h. The job may run or wait to be continued. */
static void add_identity(struct out_table *out, const struct layer *layer)
{
	const struct q2_ident *id = layer ? &layer->image.ident : NULL;
	int i;

	if (!id || !id->present) {
		for (i = 0; i < 5; i++)
			out_none(out);
		return;
	}
	add_uuid(out, id->uuid);
	out_number(out, id->generation);
	add_uuid(out, id->parent);
	out_text(out, id->sealed ? "yes" : "no");
	out_text(out, id->job.type == QCOW2_IDENT_JOB_STREAM ? "stream" : NULL);
}

static void add_image_layer(struct out_table *out, unsigned int number, const struct layer *layer)
{
	char *dev = layer->file.block ? devno_format(layer->file.dev) : NULL;
	char *data = layer->data.block ? devno_format(layer->data.dev) : NULL;

	out_number(out, number);
	out_text(out, kind_name(layer->kind));
	out_number(out, layer_size(layer));
	out_text(out, dev);
	out_text(out, layer->file.path);
	out_text(out, data);
	out_text(out, layer->data.path);
	add_names(out, layer);
	add_identity(out, layer);
	free(dev);
	free(data);
}

static int info_image(const char *path, struct args *args)
{
	struct out_table out;
	struct chain chain;
	unsigned int i;
	int ret;

	args->opt.peek = true;
	ret = chain_follow(&chain, path, args->kind, &args->opt);
	if (ret && !chain.nr) {
		chain_close(&chain);
		return CC_FAILED;
	}
	/*
	 * A chain that cannot be followed to its end is shown as far as it goes; numbers count from the
	 * base, which is the last one found then.
	 */
	out_init(&out, columns, ARRAY_SIZE(columns));
	for (i = 0; i < chain.nr; i++)
		add_image_layer(&out, i, &chain.layers[i]);
	out_print(&out, "layers", &args->out);
	out_free(&out);
	chain_close(&chain);
	return ret ? CC_FAILED : CC_OK;
}

/* The header of a layer in use, read from the block device the kernel has. NULL if that fails. */
static struct layer *read_live_layer(const struct table_layer *entry, struct layer *layer)
{
	char *node;
	dev_t dev;
	int ret;

	memset(layer, 0, sizeof(*layer));
	layer->kind = entry->kind;
	node = devno_parse(entry->dev, &dev) ? NULL : devno_node(dev);
	if (!node)
		return NULL;
	ret = source_open(&layer->file, node, NULL, SOURCE_PEEK);
	free(node);
	if (!ret && layer->kind == KIND_QCOW2)
		ret = image_read(layer->file.fd, layer->file.path, layer->file.size, &layer->image);
	if (!ret)
		return layer;
	layer_close(layer);
	return NULL;
}

static char *data_file(const struct table_layer *entry)
{
	dev_t dev;

	if (!entry->data || devno_parse(entry->data, &dev))
		return NULL;
	return devno_file(dev);
}

static int add_live_layer(struct out_table *out, const struct live *live, unsigned int number)
{
	const struct table_layer *entry = &live->table.layers[number];
	struct layer layer, *read = read_live_layer(entry, &layer);
	char *file = live_file(live, number), *data = data_file(entry);

	out_number(out, number);
	out_text(out, kind_name(entry->kind));
	if (read)
		out_number(out, layer_size(read));
	else
		out_none(out);
	out_text(out, entry->dev);
	out_text(out, file);
	out_text(out, entry->data);
	out_text(out, data);
	add_names(out, read);
	add_identity(out, read);
	if (read)
		layer_close(read);
	free(file);
	free(data);
	return read ? 0 : -1;
}

static int info_live(const struct live *live, const struct args *args)
{
	struct out_table out;
	unsigned int i;
	int ret = CC_OK;

	out_init(&out, columns, ARRAY_SIZE(columns));
	for (i = 0; i < live->table.nr_layers; i++)
		if (add_live_layer(&out, live, i))
			ret = CC_FAILED;
	out_print(&out, "layers", &args->out);
	out_free(&out);
	return ret;
}

/* A word without a slash that is the name of a device means the device. */
static bool is_device(const char *arg)
{
	struct dm_device dev;

	if (strchr(dm_name(arg), '/') || dm_find(dm_name(arg), &dev))
		return false;
	dm_close(&dev);
	return true;
}

int cmd_info(int argc, char **argv)
{
	struct args args = { .kind = KIND_QCOW2 };
	struct live live;
	int c, ret = 0;

	while (!ret && (c = getopt_long(argc, argv, "a:F:f:" OUT_SHORT_OPTIONS, options, NULL)) != -1)
		ret = parse_option(c, &args);
	if (!ret && argc - optind != 1)
		ret = cc_usage("info", "one device or image is needed");
	if (!ret && is_device(argv[optind])) {
		ret = live_open(&live, argv[optind]) ? CC_FAILED : CC_OK;
		if (!ret) {
			ret = info_live(&live, &args);
			live_close(&live);
		}
	} else if (!ret) {
		ret = info_image(argv[optind], &args);
	}
	allow_dirs_free(&args.opt.allow);
	return ret;
}
