// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the layers of a chain, checks how they fit together, and makes a table of them.
 */
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "devno.h"
#include "util.h"

static void say_no_format(const struct layer *layer)
{
	const char *name = layer->image.backing_name;
	char *command = image_rebase_command(layer->file.path, name, NULL);

	cc_error("%s: does not name the format of its backing file %s: give --backing-format raw|qcow2, or write it into the header: %s",
		 layer->file.path, name, command);
	free(command);
}

/* The kind of the layer below, from the header or from the user. */
static int backing_kind(const struct layer *layer, const struct layer_options *opt,
			enum layer_kind *kind)
{
	const char *format = layer->image.backing_format;

	if (!format) {
		if (!opt->have_backing_format) {
			say_no_format(layer);
			return -1;
		}
		*kind = opt->backing_format;
		return 0;
	}
	if (!kind_parse(format, kind))
		return 0;
	cc_error("%s: its backing file %s has the format '%s', which cannot be a layer: convert it to raw or qcow2",
		 layer->file.path, layer->image.backing_name, format);
	return -1;
}

static struct layer *add_layer(struct chain *chain)
{
	struct layer *layer;

	if (chain->nr == TARGET_MAX_LAYERS) {
		cc_error("%s: more than %d layers", chain->layers[0].file.path, TARGET_MAX_LAYERS);
		return NULL;
	}
	chain->layers = xrealloc(chain->layers, chain->nr + 1, sizeof(*chain->layers));
	layer = &chain->layers[chain->nr++];
	memset(layer, 0, sizeof(*layer));
	return layer;
}

/* Refuse a file that occurs twice: a loop of backing files, or a mistake in a list of layers. */
static int check_new(const struct chain *chain)
{
	const struct layer *last = chain_top(chain);
	unsigned int i;

	for (i = 0; i + 1 < chain->nr; i++) {
		if (source_same(&chain->layers[i].file, &last->file)) {
			cc_error("%s: occurs twice in the chain", last->file.path);
			return -1;
		}
	}
	return 0;
}

static void reverse(struct chain *chain)
{
	unsigned int i;

	for (i = 0; i < chain->nr / 2; i++) {
		struct layer tmp = chain->layers[i];

		chain->layers[i] = chain->layers[chain->nr - 1 - i];
		chain->layers[chain->nr - 1 - i] = tmp;
	}
}

/* The next layer downwards: the last one names it. */
static int add_below(struct chain *chain, const struct layer_options *opt)
{
	enum layer_kind kind;
	int ret;

	if (backing_kind(chain_top(chain), opt, &kind) || !add_layer(chain))
		return -1;
	ret = layer_open_below(chain_top(chain), kind, chain_top(chain) - 1, opt);
	/* On failure it holds nothing. */
	chain->nr -= !!ret;
	return ret;
}

static int follow_down(struct chain *chain, const char *top, enum layer_kind kind,
		       const struct layer_options *opt)
{
	if (layer_open(add_layer(chain), kind, top, true, opt)) {
		chain->nr = 0;
		return -1;
	}
	while (chain_top(chain)->image.backing_name)
		if (add_below(chain, opt) || check_new(chain))
			return -1;
	return 0;
}

int chain_follow(struct chain *chain, const char *top, enum layer_kind kind,
		 const struct layer_options *opt)
{
	int ret;

	memset(chain, 0, sizeof(*chain));
	ret = follow_down(chain, top, kind, opt);
	reverse(chain);
	if (ret && !opt->peek)
		chain_close(chain);
	return ret;
}

int chain_split_spec(char *spec, enum layer_kind *kind, char **file, char **data)
{
	static const char data_key[] = ",data=";
	char *colon = strchr(spec, ':');

	if (!colon)
		return -1;
	*colon = '\0';
	*file = colon + 1;
	*data = strstr(*file, data_key);
	if (*data) {
		**data = '\0';
		*data += strlen(data_key);
		if (!**data)
			return -1;
	}
	return kind_parse(spec, kind) || !**file ? -1 : 0;
}

int chain_add_spec(struct chain *chain, const char *spec, bool is_top,
		   const struct layer_options *opt)
{
	char *copy = xstrdup(spec), *file, *data;
	struct layer *layer;
	enum layer_kind kind;
	int ret;

	if (chain_split_spec(copy, &kind, &file, &data) || (data && kind == KIND_RAW)) {
		free(copy);
		return cc_usage("attach", "--layer %s: must be raw:FILE or qcow2:FILE[,data=FILE]",
				spec);
	}
	layer = add_layer(chain);
	if (!layer)
		ret = -1;
	else if (data)
		ret = layer_open_with_data(layer, kind, file, data, is_top, opt);
	else
		ret = layer_open(layer, kind, file, is_top, opt);
	free(copy);
	return ret ? ret : check_new(chain);
}

static bool is_parent(const struct layer *child, const struct layer *parent)
{
	/* A layer without a backing file needs no parent. */
	if (!parent && !child->image.backing_name)
		return true;
	return q2_ident_is_parent(&child->image.ident, parent ? &parent->image.ident : NULL);
}

/* The kernel checks the same, but knows neither names of files nor options of the tool. */
static int check_identity(const struct chain *chain, const struct layer_options *opt)
{
	const struct layer *top = chain_top(chain), *layer, *below;
	unsigned int i;

	if (top->image.ident.sealed && !opt->allow_sealed) {
		cc_error("%s: has become the backing file of another image, which writes would break: put a new top on it with 'cowchain create', or give --allow-sealed if the other image is gone",
			 top->file.path);
		return -1;
	}
	if (top->image.ident.foreign && !opt->ignore_identity) {
		cc_error("%s: its identity was written by a later version of dm-cowchain: use that version, or give --ignore-identity to replace it",
			 top->file.path);
		return -1;
	}
	for (i = 0; i < chain->nr && !opt->ignore_identity; i++) {
		layer = &chain->layers[i];
		below = i ? layer - 1 : NULL;
		if (is_parent(layer, below))
			continue;
		cc_error("%s: the layer below it, %s, was replaced or written to since: restore it, or give --ignore-identity if that was intended",
			 layer->file.path, below ? below->file.path : "which is missing");
		return -1;
	}
	return 0;
}

int chain_check(const struct chain *chain, const struct layer_options *opt)
{
	const struct layer *top = chain_top(chain);
	unsigned int i;

	for (i = 1; i < chain->nr; i++) {
		if (chain->layers[i].kind == KIND_RAW) {
			cc_error("%s: a raw image can only be the base of a chain",
				 chain->layers[i].file.path);
			return -1;
		}
	}
	if (!layer_size(top)) {
		cc_error("%s: is empty", top->file.path);
		return -1;
	}
	if (opt->read_only)
		return 0;
	return layer_check_writable(top) ? -1 : check_identity(chain, opt);
}

int chain_attach(struct chain *chain, const struct layer_options *opt)
{
	unsigned int i;

	for (i = 0; i < chain->nr; i++)
		if (layer_attach(&chain->layers[i], opt->no_lock))
			return -1;
	return 0;
}

void chain_close(struct chain *chain)
{
	while (chain->nr)
		layer_close(&chain->layers[--chain->nr]);
	free(chain->layers);
	chain->layers = NULL;
}

void chain_to_table(const struct chain *chain, struct table *table)
{
	unsigned int i;

	table->layers = xcalloc(chain->nr, sizeof(*table->layers));
	table->nr_layers = chain->nr;
	for (i = 0; i < chain->nr; i++) {
		const struct layer *layer = &chain->layers[i];

		table->layers[i].kind = layer->kind;
		table->layers[i].dev = devno_format(layer->file.dev);
		if (layer->data.path)
			table->layers[i].data = devno_format(layer->data.dev);
	}
}
