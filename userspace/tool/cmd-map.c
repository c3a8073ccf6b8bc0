// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain map: shows which parts of the disk have data, and which layer has them.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "live.h"
#include "map-image.h"
#include "map-live.h"
#include "map-picture.h"
#include "map-print.h"
#include "options.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "NAME|IMAGE [--layer LAYER | --between A B] [--json | --picture | --svg]", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE_OR_FILE },
	{ 0 },
};

enum { OPT_LAYER = OPT_OWN, OPT_BETWEEN, OPT_PICTURE, OPT_SVG };

static const struct opt opt_layer = {
	.id = OPT_LAYER,
	.name = "layer",
	.value = "LAYER",
	.complete = COMPLETE_FILE,
	.help = "what the chain up to this layer reads like; a number or a file",
};

static const struct opt opt_between = {
	.id = OPT_BETWEEN,
	.name = "between",
	.value = "A B",
	.complete = COMPLETE_FILE,
	.help = "what has changed from layer A to layer B: only what the layers\n"
		"above A, up to B, have",
};

static const struct opt opt_picture = {
	.id = OPT_PICTURE,
	.name = "picture",
	.help = "a row for each layer, with the parts of the disk that it provides",
};

static const struct opt opt_svg = {
	.id = OPT_SVG,
	.name = "svg",
	.help = "the same as a file of graphics, for light and dark pages",
};

static const struct opt *const options[] = {
	&opt_layer, &opt_between, &opt_picture, &opt_svg, &opt_json, &opt_noheadings, &opt_allow_dir, &opt_backing_format, &opt_format,
	&opt_no_lock, NULL,
};

static const char *const examples[] = {
	"cowchain map disk.qcow2",
	"cowchain map vm --between 1 2 --json",
	NULL,
};

/*
 * struct args - the command line
 * @argc, @argv: of the verb: an option takes two words.
 * @above: A; NULL: all.
 * @layer: B or LAYER; NULL: the top.
 */
struct args {
	int argc;
	char **argv;
	struct layer_options opt;
	struct out_options out;
	enum layer_kind kind;
	const char *above;
	const char *layer;
	bool whole;			/* --layer was given */
	enum map_picture_kind picture;
};

/* getopt_long() goes on behind what is taken here. */
static int take_between(struct args *args, const char *above)
{
	if (optind >= args->argc || args->argv[optind][0] == '-')
		return cc_usage("map", "--between needs two layers, the lower one first");
	args->above = above;
	args->layer = args->argv[optind++];
	return 0;
}

static int take_option(int id, const char *value, void *data)
{
	struct args *args = data;

	switch (id) {
	case OPT_LAYER:
		args->whole = true;
		args->layer = value;
		return 0;
	case OPT_BETWEEN:
		return take_between(args, value);
	case OPT_PICTURE:
		args->picture = MAP_PICTURE_TEXT;
		return 0;
	case OPT_SVG:
		args->picture = MAP_PICTURE_SVG;
		return 0;
	case OPT_NO_LOCK:
		args->opt.no_lock = true;
		return 0;
	case OPT_ALLOW_DIR:
		return allow_dirs_add(&args->opt.allow, value) ? CC_FAILED : 0;
	case OPT_BACKING_FORMAT:
		args->opt.have_backing_format = true;
		return take_kind("map", "backing-format", value, &args->opt.backing_format);
	case OPT_FORMAT:
		return take_kind("map", "format", value, &args->kind);
	default:
		return out_option(id, value, &args->out);
	}
}

/* A and B by number; found are those that the words mean, or -1 after a message. */
static int check_layers(const struct args *args, int above, int layer)
{
	if ((args->above && above < 0) || layer < 0)
		return -1;
	if (above < layer)
		return 0;
	cc_error("layer %d is not below layer %d: --between takes the lower one first", above, layer);
	return -1;
}

/* What a chain writes has not all arrived in the file. No lock tells its top from a layer that is sealed. */
static int check_not_live(const struct layer *layer)
{
	struct stat st;
	char *name;

	if (fstat(layer->file.fd, &st))
		return 0;
	name = live_of_top(&st);
	if (!name)
		return 0;
	cc_error("%s: is the top of %s, which has not written all to it yet: 'cowchain map %s' shows that, too; --no-lock maps what is in the file",
		 layer->file.path, name, shell_word(name));
	free(name);
	return -1;
}

static int lock_chain(const struct chain *chain, const struct layer_options *opt)
{
	unsigned int i;

	for (i = 0; i < chain->nr && !opt->no_lock; i++)
		if (layer_lock(&chain->layers[i]) || check_not_live(&chain->layers[i]))
			return -1;
	return 0;
}

static int print(struct map_chain *map, const struct args *args)
{
	return args->picture ? map_picture(map, args->picture) : map_print(map, &args->out);
}

static int map_found(const struct chain *chain, struct args *args)
{
	int layer = args->layer ? chain_find(chain, args->layer) : (int)chain->nr - 1;
	int above = args->above ? chain_find(chain, args->above) : -1;
	struct map_chain map;
	int ret;

	if (check_layers(args, above, layer) || lock_chain(chain, &args->opt))
		return -1;
	map_open_image(&map, chain, (unsigned int)layer + 1);
	map.above = above;
	ret = print(&map, args);
	map_chain_close(&map);
	return ret;
}

static int map_image(const char *path, struct args *args)
{
	struct chain chain;
	int ret;

	/* Only tables are read, and holes looked for. */
	args->opt.read_only = true;
	ret = chain_follow(&chain, path, args->kind, &args->opt);
	if (!ret) {
		ret = map_found(&chain, args);
		chain_close(&chain);
	}
	return ret;
}

static int map_live(const char *name, const struct args *args)
{
	struct map_chain map;
	struct live live;
	int layer, above, ret = -1;

	if (live_open(&live, name))
		return -1;
	layer = args->layer ? live_find(&live, args->layer) : (int)live_top(&live);
	above = args->above ? live_find(&live, args->above) : -1;
	if (!check_layers(args, above, layer)) {
		ret = map_open_live(&map, &live, (unsigned int)layer + 1);
		map.above = above;
		if (!ret)
			ret = print(&map, args);
		map_chain_close(&map);
	}
	live_close(&live);
	return ret;
}

static int run(int argc, char **argv)
{
	struct args args = { .argc = argc, .argv = argv, .kind = KIND_QCOW2 };
	int ret = verb_parse(&cmd_map, argc, argv, take_option, &args);
	char *name = NULL;

	if (!ret && argc - optind != 1)
		ret = cc_usage("map", "one device or image is needed");
	if (!ret && args.above && args.whole)
		ret = cc_usage("map", "--layer and --between do not go together");
	if (!ret && args.picture && args.out.json)
		ret = cc_usage("map", "a picture is no JSON: give --json alone");
	if (!ret && live_is_chain(argv[optind], &name))
		ret = map_live(name, &args) ? CC_FAILED : CC_OK;
	else if (!ret)
		ret = map_image(argv[optind], &args) ? CC_FAILED : CC_OK;
	allow_dirs_free(&args.opt.allow);
	free(name);
	return ret;
}

const struct verb cmd_map = {
	.name = "map",
	.usage = usage,
	.summary = "show where a disk has data, and in which layer",
	.operands = operands,
	.options = options,
	.details =
		"\n  For an image only: --allow-dir, --backing-format, --format, --no-lock.\n",
	.examples = examples,
	.run = run,
};
