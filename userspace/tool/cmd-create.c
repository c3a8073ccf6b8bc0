// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain create: makes an image that can be the top of a chain.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "create.h"
#include "number.h"
#include "options.h"
#include "result.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = {
	"NEW [--backing FILE --backing-format raw|qcow2] [--size SIZE] ...",
	NULL,
};

static const struct operand operands[] = {
	{ "NEW", .complete = COMPLETE_FILE },
	{ 0 },
};

enum { OPT_BACKING = OPT_OWN };

static const struct opt opt_backing = {
	.id = OPT_BACKING,
	.name = "backing",
	.letter = 'b',
	.value = "FILE",
	.complete = COMPLETE_FILE,
	.help = "the layer below",
};

static const struct opt opt_format_below = {
	.id = OPT_FORMAT,
	.name = "backing-format",
	.also = "format",
	.letter = 'F',
	.value = "FORMAT",
	.words = FORMAT_WORDS,
	.help = "format of FILE, never guessed: raw or qcow2",
};

static const struct opt *const options[] = {
	&opt_backing, &opt_format_below, &opt_size, NEW_IMAGE_OPTIONS, &opt_overwrite, &opt_json, NULL,
};

static const char *const examples[] = {
	"cowchain create vm.qcow2 --backing base.raw --backing-format raw",
	"cowchain create vm.qcow2 --size 20G --data-file vm.raw",
	NULL,
};

struct args {
	struct create_request req;
	const char *backing;
	const char *format;
};

static int take_option(int id, const char *value, void *data)
{
	struct args *args = data;

	switch (id) {
	case OPT_BACKING:
		args->backing = value;
		return 0;
	case OPT_FORMAT:
		args->format = value;
		return 0;
	case OPT_SIZE:
		return take_disk_size("create", value, &args->req.size);
	case OPT_DATA_FILE:
		args->req.data_file = value;
		return 0;
	case OPT_CLUSTER_SIZE:
		return take_cluster_size("create", value, &args->req.cluster_size);
	case OPT_RESERVE:
		args->req.reserve = true;
		return 0;
	default:			/* OPT_FORCE */
		args->req.overwrite = true;
		return 0;
	}
}

static int parse(int argc, char **argv, struct args *args)
{
	int ret;

	args->req.cluster_size = DEFAULT_CLUSTER_SIZE;
	ret = verb_parse(&cmd_create, argc, argv, take_option, args);
	if (ret)
		return ret;
	if (argc - optind != 1)
		return cc_usage("create", "the name of one image is needed");
	args->req.path = argv[optind];
	if (!args->backing && !args->req.size)
		return cc_usage("create", "--size is needed without --backing");
	if (!args->backing != !args->format)
		return cc_usage("create", "--backing and --backing-format go together: a format is never guessed");
	return args->format ? take_kind("create", "backing-format", args->format, &args->req.backing_kind) : 0;
}

/* Check that the backing file has the given format, and get its size for the new disk. */
static int look_at_backing(struct args *args, char **real)
{
	struct layer_options opt = { .peek = true, .no_data = true };
	struct layer layer;

	if (layer_open(&layer, args->req.backing_kind, args->backing, false, &opt))
		return -1;
	args->req.backing_size = layer_size(&layer);
	if (!args->req.size)
		args->req.size = layer_disk_size(&layer);
	layer_close(&layer);
	*real = source_lasting_name(args->backing);
	if (!*real) {
		cc_error("%s: %s", args->backing, strerror(errno));
		return -1;
	}
	args->req.backing = *real;
	if (args->req.size)
		return 0;
	cc_error("%s: is empty: give --size", args->backing);
	return -1;
}

static void add_below(struct create_request *req, const char *path)
{
	if (!path)
		return;
	req->below = xrealloc(req->below, req->nr_below + 1, sizeof(*req->below));
	req->below[req->nr_below++] = xstrdup(path);
}

static bool is_device(const char *path)
{
	struct stat st;

	return path && !stat(path, &st) && S_ISBLK(st.st_mode);
}

/* Files are overwritten with --force, block devices also without it, if they look empty. */
static bool may_overwrite(const struct create_request *req)
{
	return req->overwrite || is_device(req->path) || is_device(req->data_file);
}

/* May this be overwritten, which could be one of the layers that are not known? */
static int check_unknown(const struct args *args, const char *path)
{
	struct stat st;

	if (!path || stat(path, &st))
		return 0;
	if (S_ISBLK(st.st_mode) && args->req.overwrite) {
		cc_note("%s: not all layers below it can be found: %s is overwritten even if it is one of them",
			args->backing, path);
		return 0;
	}
	cc_error("%s: not all layers below it can be found, and %s may be one of them: if it is none, %s",
		 args->backing, path, S_ISBLK(st.st_mode) ? "give --force" : "remove it first");
	return -1;
}

/*
 * Find all files of the chain below the new image, so that none is overwritten. Only their headers are
 * read, so names are followed anywhere.
 */
static int look_below(struct args *args)
{
	struct layer_options opt = {
		.peek = true, .have_backing_format = true, .backing_format = KIND_RAW,
	};
	struct chain chain;
	unsigned int i;
	bool incomplete;
	int ret;

	if (!may_overwrite(&args->req) || args->req.backing_kind == KIND_RAW)
		return 0;
	ret = allow_dirs_add(&opt.allow, "/");
	if (!ret) {
		cc_mute(true);
		incomplete = chain_follow(&chain, args->backing, KIND_QCOW2, &opt);
		cc_mute(false);
		for (i = 0; i < chain.nr; i++) {
			add_below(&args->req, chain.layers[i].file.path);
			add_below(&args->req, chain.layers[i].data.path);
		}
		chain_close(&chain);
		if (incomplete)
			ret = check_unknown(args, args->req.path) ||
			      check_unknown(args, args->req.data_file) ? -1 : 0;
	}
	allow_dirs_free(&opt.allow);
	return ret;
}

static void free_below(struct create_request *req)
{
	while (req->nr_below)
		free(req->below[--req->nr_below]);
	free(req->below);
}

static int run(int argc, char **argv)
{
	struct args args = { .req.can_overwrite = true };
	struct created made;
	char *real = NULL;
	int ret = parse(argc, argv, &args);

	if (ret)
		return ret;
	result_text("image", args.req.path);
	result_text("data-file", args.req.data_file);
	result_text("backing-file", args.backing);
	if (args.backing && (look_at_backing(&args, &real) || look_below(&args))) {
		ret = CC_FAILED;
	} else {
		ret = create_image(&args.req, &made) ? CC_FAILED : CC_OK;
		create_done(&made);
	}
	if (ret == CC_OK)
		result_number("size", args.req.size);
	free_below(&args.req);
	free(real);
	return ret;
}

const struct verb cmd_create = {
	.name = "create",
	.usage = usage,
	.summary = "make an image that is prepared for writing",
	.operands = operands,
	.options = options,
	.examples = examples,
	.result = true,
	.run = run,
};
