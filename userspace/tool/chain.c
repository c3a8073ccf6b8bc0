// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the layers of a chain, checks how they fit together, and makes a table of them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "chain.h"
#include "devno.h"
#include "format.h"
#include "loop-index.h"
#include "number.h"
#include "util.h"

/* What the backing file looks like, if it may be followed: see format_find(). */
static const struct format *look_below(const struct layer *layer, const struct layer_options *opt,
				       bool *opened)
{
	struct layer_options peek = { .allow = opt->allow, .peek = true, .no_data = true };
	const struct format *found = NULL;
	struct layer below;

	cc_mute(true);
	*opened = !layer_open_below(&below, KIND_RAW, layer, &peek);
	if (*opened) {
		found = format_find(below.file.fd, below.file.size);
		layer_close(&below);
	}
	cc_mute(false);
	return found;
}

/* A guest can write any header onto its raw disk, so what it looks like is only shown. */
static void say_no_format(const struct layer *layer, const struct layer_options *opt)
{
	const char *path = layer->file.path, *name = layer->image.backing_name;
	bool opened;
	const struct format *found = look_below(layer, opt, &opened);
	bool qcow2 = found && found->way == FORMAT_LAYER;
	char *command = found && !qcow2 ? format_remedy(found, name) :
			image_rebase_command(path, name, qcow2 ? "qcow2" : opened ? "raw" : NULL);

	if (qcow2)
		cc_error("%s: does not name the format of its backing file %s, which begins like a qcow2 image: if it is one, and no guest could write that, give --backing-format qcow2, or write it into the header: %s",
			 path, name, command);
	else if (found)
		cc_error("%s: does not name the format of its backing file %s, which %s like %s: if it is none, but a raw disk, give --backing-format raw, else %s",
			 path, name, found->at_end ? "ends" : "begins", found->what, command);
	else
		cc_error("%s: does not name the format of its backing file %s: give --backing-format %s, or write it into the header: %s",
			 path, name, opened ? "raw (it begins like no other format)" : "raw|qcow2", command);
	free(command);
}

/* The header names a format that cannot be a layer. */
static void say_bad_format(const struct layer *layer, const char *driver)
{
	const struct format *format = format_by_driver(driver);
	const char *name = layer->image.backing_name;
	char *dir = path_dir(layer->file.path), *path, *remedy;

	path = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
	remedy = format ? format_remedy(format, path) : xstrdup("convert it to raw or qcow2");
	cc_error("%s: its backing file %s has the format '%s', which cannot be a layer: name another one by qemu-img rebase -u after this: %s",
		 layer->file.path, name, driver, remedy);
	free(remedy);
	free(path);
	free(dir);
}

/* The kind of the layer below, from the header or from the user. */
static int backing_kind(const struct layer *layer, const struct layer_options *opt,
			enum layer_kind *kind)
{
	const char *format = layer->image.backing_format;

	if (!format) {
		if (!opt->have_backing_format) {
			say_no_format(layer, opt);
			return -1;
		}
		*kind = opt->backing_format;
		return 0;
	}
	if (!kind_parse(format, kind))
		return 0;
	say_bad_format(layer, format);
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

int chain_push(struct chain *chain, const struct layer *layer)
{
	struct layer *room = add_layer(chain);

	if (!room) {
		struct layer tmp = *layer;

		layer_close(&tmp);
		return -1;
	}
	*room = *layer;
	return check_new(chain);
}

static void say_layers(const struct chain *chain)
{
	struct strbuf sb = { 0 };
	unsigned int i;

	for (i = 0; i < chain->nr; i++)
		strbuf_addf(&sb, "%s%u %s", i ? ", " : "", i, chain->layers[i].file.path);
	cc_note("the layers of %s: %s", chain_top(chain)->file.path, sb.text);
	free(sb.text);
}

int chain_find(const struct chain *chain, const char *arg)
{
	uint64_t number;
	unsigned int i;
	struct stat st;

	if (!parse_u64(arg, &number) && number < chain->nr)
		return (int)number;
	if (!stat(arg, &st))
		for (i = 0; i < chain->nr; i++)
			if (source_is(&chain->layers[i].file, &st))
				return (int)i;
	cc_error("%s: '%s' is not one of its layers", chain_top(chain)->file.path, arg);
	say_layers(chain);
	return -1;
}

/* Is what a commit has changed in layer i - 1 shadowed by the layers above it? */
static bool is_shadowed(const struct chain *chain, unsigned int i)
{
	const struct q2_ident *target = &chain->layers[i - 1].image.ident;

	for (; i < chain->nr; i++)
		if (q2_ident_is_committed(target, &chain->layers[i].image.ident))
			return true;
	return false;
}

static bool is_link(const struct chain *chain, unsigned int i)
{
	const struct layer *child = &chain->layers[i];

	if (i)
		return q2_ident_is_link(&child->image.ident, &child[-1].image.ident, is_shadowed(chain, i));
	/* A layer without a backing file needs no parent. */
	return !child->image.backing_name || q2_ident_is_parent(&child->image.ident, NULL);
}

static void say_link(const struct chain *chain, unsigned int i)
{
	const char *path = chain->layers[i].file.path;
	const struct layer *below = i ? &chain->layers[i - 1] : NULL;

	if (below && q2_ident_unfinished(&below->image.ident))
		cc_error("%s: a commit into the layer below it, %s, has not ended: attach the chain that the commit was started in, and commit again, or give --ignore-identity if what is in that layer does not matter",
			 path, below->file.path);
	else
		cc_error("%s: the layer below it, %s, was replaced or written to since: restore it, or give --ignore-identity if that was intended",
			 path, below ? below->file.path : "which is missing");
}

/* The layer with that number is the one that has taken the place of the top, if the chain is what it was. */
static void say_pivoted(const struct chain *chain)
{
	const struct layer *top = chain_top(chain);
	int base = top->image.ident.job.base;

	cc_error("%s: all of it was committed into %s, which has become the top in its place: attach that; this one would mix old and new",
		 top->file.path,
		 base >= 0 && base < (int)chain->nr - 1 ? chain->layers[base].file.path : "a layer below it");
}

/* The kernel checks the same, but knows neither names of files nor options of the tool. */
static int check_identity(const struct chain *chain, const struct layer_options *opt)
{
	const struct layer *top = chain_top(chain);
	unsigned int i;

	if (q2_ident_unfinished(&top->image.ident) && !opt->ignore_identity) {
		cc_error("%s: a commit into it has not ended: attach the chain that the commit was started in, and commit again, or give --ignore-identity if what is in it does not matter",
			 top->file.path);
		return -1;
	}
	if (top->image.ident.job.type == QCOW2_IDENT_JOB_PIVOTED && !opt->ignore_identity) {
		say_pivoted(chain);
		return -1;
	}
	if (top->image.ident.sealed && !opt->allow_sealed) {
		cc_error("%s: has become the backing file of another image, which writes would break: give --allow-sealed if the other image is gone, or put a new top on it: %s",
			 top->file.path, opt->overlay);
		return -1;
	}
	if (top->image.ident.foreign && !opt->ignore_identity) {
		cc_error("%s: its identity was written by a later version of dm-cowchain: use that version, or give --ignore-identity to replace it",
			 top->file.path);
		return -1;
	}
	for (i = 0; i < chain->nr && !opt->ignore_identity; i++) {
		if (is_link(chain, i))
			continue;
		say_link(chain, i);
		return -1;
	}
	return 0;
}

/* Can the top be written? */
static int check_top(const struct chain *chain, const struct layer_options *opt)
{
	char *remedy = xasprintf("put a new top on it: %s", opt->overlay ? opt->overlay : "cowchain create");
	int ret = layer_check_writable(chain_top(chain), remedy);

	free(remedy);
	return ret ? ret : check_identity(chain, opt);
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
	if (!opt->read_only && check_top(chain, opt))
		return -1;
	for (i = 0; i < chain->nr; i++)
		if (layer_check_length(&chain->layers[i], opt))
			return -1;
	return 0;
}

static int lock_all_first(const struct chain *chain)
{
	unsigned int i;

	for (i = 0; i < chain->nr; i++)
		if (layer_lock_first(&chain->layers[i]))
			return -1;
	return 0;
}

static int make_devices(struct chain *chain, bool no_lock)
{
	unsigned int i;

	for (i = 0; i < chain->nr; i++)
		if (layer_make_devices(&chain->layers[i], no_lock))
			return -1;
	return 0;
}

int chain_attach(struct chain *chain, const struct layer_options *opt)
{
	int ret;

	if (opt->no_lock)
		return make_devices(chain, true);
	if (lock_all_first(chain))
		return -1;
	loop_index_begin();
	ret = make_devices(chain, false);
	loop_index_end();
	return ret;
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
		tail_add(table, i, false, &layer->file.tail);
		if (!layer->data.path)
			continue;
		table->layers[i].data = devno_format(layer->data.dev);
		tail_add(table, i, true, &layer->data.tail);
	}
}
