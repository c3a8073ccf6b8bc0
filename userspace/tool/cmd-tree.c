// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain tree: shows the layers of chains and images as a tree.
 */
#include <stdlib.h>
#include <unistd.h>

#include "live.h"
#include "options.h"
#include "tree-json.h"
#include "tree-load.h"
#include "tree-print.h"
#include "tree-svg.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "[NAME|IMAGE...] [--json | --svg]", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE_OR_FILE, .many = true },
	{ 0 },
};

enum { OPT_SVG = OPT_OWN };

static const struct opt opt_svg = {
	.id = OPT_SVG,
	.name = "svg",
	.help = "as a picture, for light and dark pages",
};

static const struct opt *const options[] = {
	TABLE_OPTIONS, &opt_svg, &opt_allow_dir, &opt_backing_format, &opt_format, NULL,
};

static const char *const examples[] = {
	"cowchain tree",
	"cowchain tree debian.qcow2",
	"cowchain tree vm1 vm2 --svg >chains.svg",
	NULL,
};

struct args {
	struct layer_options opt;
	struct out_options out;
	enum layer_kind kind;
	bool svg;
};

static int take_option(int id, const char *value, void *data)
{
	struct args *args = data;

	switch (id) {
	case OPT_SVG:
		args->svg = true;
		return 0;
	case OPT_ALLOW_DIR:
		return allow_dirs_add(&args->opt.allow, value) ? CC_FAILED : 0;
	case OPT_BACKING_FORMAT:
		args->opt.have_backing_format = true;
		return take_kind("tree", "backing-format", value, &args->opt.backing_format);
	case OPT_FORMAT:
		return take_kind("tree", "format", value, &args->kind);
	default:
		return out_option(id, value, &args->out);
	}
}

static int load(struct tree *tree, const char *arg, struct args *args)
{
	char *name = NULL;
	int ret;

	if (live_is_chain(arg, &name))
		ret = tree_load_chain(tree, name);
	else
		ret = tree_load_image(tree, arg, args->kind, &args->opt);
	free(name);
	return ret ? CC_FAILED : CC_OK;
}

static void print(const struct tree *tree, const struct args *args)
{
	if (args->svg)
		tree_print_svg(tree);
	else if (args->out.json)
		tree_print_json(tree);
	else
		tree_print(tree, &args->out);
}

static int show(int argc, char **argv, struct args *args)
{
	struct tree tree = { 0 };
	int ret = CC_OK;

	if (optind == argc)
		ret = tree_load_all(&tree) ? CC_FAILED : CC_OK;
	for (; optind < argc; optind++)
		if (load(&tree, argv[optind], args))
			ret = CC_FAILED;
	/* After a failure, do not print what shows nothing. */
	if (ret == CC_OK || tree.nr_layers || tree.nr_chains)
		print(&tree, args);
	tree_free(&tree);
	return ret;
}

static int run(int argc, char **argv)
{
	struct args args = { .kind = KIND_QCOW2 };
	int ret = verb_parse(&cmd_tree, argc, argv, take_option, &args);

	if (!ret && args.svg && args.out.json)
		ret = cc_usage("tree", "--json and --svg do not go together");
	if (!ret)
		ret = show(argc, argv, &args);
	allow_dirs_free(&args.opt.allow);
	return ret;
}

const struct verb cmd_tree = {
	.name = "tree",
	.usage = usage,
	.summary = "show layers as a tree, and which chains read them",
	.operands = operands,
	.options = options,
	.details =
		"\n  Without a name: all chains. Of an image: its layers, and the chains that read it.\n"
		"  For an image only: --allow-dir, --backing-format, --format.\n",
	.examples = examples,
	.run = run,
};
