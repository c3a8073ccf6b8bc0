// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain info: shows the layers of a device, or of an image on disk.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "devno.h"
#include "live-image.h"
#include "live.h"
#include "options.h"
#include "output.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "NAME|IMAGE", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE_OR_FILE },
	{ 0 },
};

static const struct opt *const options[] = {
	&opt_allow_dir, &opt_backing_format, &opt_format, TABLE_OPTIONS, NULL,
};

/* Columns and keys are stable: new ones are added at the end. */
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
	struct layer_options opt;
	struct out_options out;
	enum layer_kind kind;
};

static int take_option(int id, const char *value, void *data)
{
	struct args *args = data;

	switch (id) {
	case OPT_ALLOW_DIR:
		return allow_dirs_add(&args->opt.allow, value) ? CC_FAILED : 0;
	case OPT_BACKING_FORMAT:
		args->opt.have_backing_format = true;
		return take_kind("info", "backing-format", value, &args->opt.backing_format);
	case OPT_FORMAT:
		return take_kind("info", "format", value, &args->kind);
	default:
		return out_option(id, value, &args->out);
	}
}

/* Names from the header; none for a raw layer or one that cannot be read. */
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

/* The identity, see identity-format.h. A recorded job may be running or waiting. */
/* NULL for none. */
static const char *job_name(uint32_t type)
{
	switch (type) {
	case QCOW2_IDENT_JOB_STREAM:
		return "stream";
	case QCOW2_IDENT_JOB_COMMIT:
		return "commit";
	case QCOW2_IDENT_JOB_TARGET:
		return "target";
	case QCOW2_IDENT_JOB_PIVOTED:
		return "pivoted";
	default:
		return NULL;
	}
}

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
	out_text(out, job_name(id->job.type));
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
	 * Show a chain that cannot be followed to its end as far as it goes. Then the last layer
	 * found has number 0.
	 */
	out_init(&out, columns, ARRAY_SIZE(columns));
	for (i = 0; i < chain.nr; i++)
		add_image_layer(&out, i, &chain.layers[i]);
	out_print(&out, "layers", &args->out);
	out_free(&out);
	chain_close(&chain);
	return ret ? CC_FAILED : CC_OK;
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
	struct layer layer, *read = live_read_layer(live, number, &layer) ? NULL : &layer;
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

static int run(int argc, char **argv)
{
	struct args args = { .kind = KIND_QCOW2 };
	char *name = NULL;
	struct live live;
	int ret = verb_parse(&cmd_info, argc, argv, take_option, &args);

	if (!ret && argc - optind != 1)
		ret = cc_usage("info", "one device or image is needed");
	if (!ret && live_is_chain(argv[optind], &name)) {
		ret = live_open(&live, name) ? CC_FAILED : CC_OK;
		if (!ret) {
			ret = info_live(&live, &args);
			live_close(&live);
		}
	} else if (!ret) {
		ret = info_image(argv[optind], &args);
	}
	allow_dirs_free(&args.opt.allow);
	free(name);
	return ret;
}

const struct verb cmd_info = {
	.name = "info",
	.usage = usage,
	.summary = "show the layers of a device or of an image",
	.operands = operands,
	.options = options,
	.details = 
		"\n  For an image only: --allow-dir, --backing-format, --format.\n",
	.run = run,
};
