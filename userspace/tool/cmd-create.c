// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain create
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "commands.h"
#include "create.h"
#include "number.h"
#include "util.h"

static const struct option options[] = {
	{ "backing", required_argument, NULL, 'b' },
	{ "format", required_argument, NULL, 'F' },
	{ "backing-format", required_argument, NULL, 'F' },
	{ "size", required_argument, NULL, 's' },
	{ "data-file", required_argument, NULL, 'd' },
	{ "cluster-size", required_argument, NULL, 'c' },
	{ "force", no_argument, NULL, 'f' },
	{ "reserve", no_argument, NULL, 'r' },
	{ 0 },
};

struct args {
	struct create_request req;
	const char *backing;
	const char *format;
	const char *size;
};

static int parse_option(int c, struct args *args)
{
	switch (c) {
	case 'b':
		args->backing = optarg;
		return 0;
	case 'F':
		args->format = optarg;
		return 0;
	case 's':
		args->size = optarg;
		return 0;
	case 'd':
		args->req.data_file = optarg;
		return 0;
	case 'c':
		if (!parse_cluster_size(optarg, &args->req.cluster_size))
			return 0;
		return cc_usage("create", "--cluster-size %s: must be 128K, 256K, 512K, 1M or 2M",
				optarg);
	case 'r':
		args->req.reserve = true;
		return 0;
	case 'f':
		args->req.overwrite = true;
		return 0;
	default:
		return cc_usage("create", "see the options of create");
	}
}

static int parse(int argc, char **argv, struct args *args)
{
	int c, ret;

	args->req.cluster_size = DEFAULT_CLUSTER_SIZE;
	while ((c = getopt_long(argc, argv, "b:F:s:", options, NULL)) != -1) {
		ret = parse_option(c, args);
		if (ret)
			return ret;
	}
	if (argc - optind != 1)
		return cc_usage("create", "one image to create is needed");
	args->req.path = argv[optind];
	if (args->size && (parse_size(args->size, &args->req.size) || !args->req.size ||
			   args->req.size % SECTOR_SIZE))
		return cc_usage("create", "--size %s: must be a multiple of %d bytes", args->size,
				SECTOR_SIZE);
	if (!args->backing && !args->size)
		return cc_usage("create", "--size is needed where there is no --backing");
	if (!args->backing != !args->format)
		return cc_usage("create", "--backing and --format go together: a format is never guessed");
	if (args->format && kind_parse(args->format, &args->req.backing_kind))
		return cc_usage("create", "--format %s: must be raw or qcow2", args->format);
	return 0;
}

/* The backing file must be what the user says; its size is the default for the new disk. */
static int look_at_backing(struct args *args, char **real)
{
	struct chain_options opt = { .peek = true, .no_data = true };
	struct layer layer;

	if (layer_open(&layer, args->req.backing_kind, args->backing, false, &opt))
		return -1;
	if (!args->req.size)
		/* A raw file may end within a sector, a disk does not. */
		args->req.size = (layer_size(&layer) + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
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

/*
 * All files of the chain that the new image will stand on, for --force. Nothing but their headers is
 * read, so any name may be followed.
 */
static int look_below(struct args *args)
{
	struct chain_options opt = {
		.peek = true, .have_backing_format = true, .backing_format = KIND_RAW,
	};
	struct chain chain;
	unsigned int i;
	int ret;

	if (!args->req.overwrite || args->req.backing_kind == KIND_RAW)
		return 0;
	ret = allow_dirs_add(&opt.allow, "/");
	if (!ret) {
		ret = chain_follow(&chain, args->backing, KIND_QCOW2, &opt);
		for (i = 0; i < chain.nr; i++) {
			add_below(&args->req, chain.layers[i].file.path);
			add_below(&args->req, chain.layers[i].data.path);
		}
		chain_close(&chain);
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

int cmd_create(int argc, char **argv)
{
	struct args args = { .req.can_overwrite = true };
	struct created made;
	char *real = NULL;
	int ret = parse(argc, argv, &args);

	if (ret)
		return ret;
	if (args.backing && (look_at_backing(&args, &real) || look_below(&args))) {
		ret = CC_FAILED;
	} else {
		ret = create_image(&args.req, &made) ? CC_FAILED : CC_OK;
		create_done(&made);
	}
	free_below(&args.req);
	free(real);
	return ret;
}
