// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the new top for the verb attach, and the commands that recommend that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "number.h"
#include "options.h"
#include "overlay.h"
#include "util.h"

int overlay_option(int id, const char *value, struct overlay *overlay)
{
	switch (id) {
	case OPT_DATA_FILE:
		overlay->data_file = value;
		return 0;
	case OPT_CLUSTER_SIZE:
		return take_cluster_size("attach", value, &overlay->cluster_size);
	case OPT_SIZE:
		overlay->size = value;
		return take_disk_size("attach", value, NULL);
	case OPT_RESERVE:
		overlay->reserve = true;
		return 0;
	default:			/* OPT_FORCE */
		overlay->force = true;
		return 0;
	}
}

int overlay_check(const struct overlay *overlay)
{
	if (overlay->image || !(overlay->data_file || overlay->cluster_size || overlay->size ||
				overlay->reserve || overlay->force))
		return 0;
	return cc_usage("attach", "--data-file, --cluster-size, --size, --reserve and --force are about a new top: give --overlay NEW, too");
}

/* None of the files of the chain is overwritten, under whatever name. */
static void add_files(struct create_request *req, const struct chain *chain)
{
	unsigned int i;

	req->below = xcalloc(2 * chain->nr, sizeof(*req->below));
	for (i = 0; i < chain->nr; i++) {
		req->below[req->nr_below++] = chain->layers[i].file.path;
		if (chain->layers[i].data.path)
			req->below[req->nr_below++] = chain->layers[i].data.path;
	}
}

static int make(const struct overlay *overlay, const struct chain *chain, struct created *made)
{
	const struct layer *top = chain_top(chain);
	char *backing = source_lasting_name(top->file.path);
	struct create_request req = {
		.path = overlay->image,
		.data_file = overlay->data_file,
		.backing = backing,
		.backing_kind = top->kind,
		.backing_size = layer_size(top),
		.size = layer_disk_size(top),
		.cluster_size = overlay->cluster_size ? overlay->cluster_size : DEFAULT_CLUSTER_SIZE,
		.overwrite = overlay->force,
		.can_overwrite = true,
		.reserve = overlay->reserve,
	};
	int ret = -1;

	if (overlay->size)
		parse_size(overlay->size, &req.size);
	add_files(&req, chain);
	if (!backing)
		cc_error("%s: %s", top->file.path, strerror(errno));
	else if (!req.size)
		cc_error("%s: is empty: give --size", top->file.path);
	else
		ret = create_image(&req, made);
	free(req.below);
	free(backing);
	return ret;
}

/* Open it as it is on disk, as one that the user had made. */
static int add(const struct overlay *overlay, struct chain *chain, const struct layer_options *opt,
	       const struct created *made)
{
	struct layer layer;

	if (create_open(made, overlay->image, overlay->data_file, opt, &layer))
		return -1;
	return chain_push(chain, &layer);
}

int overlay_make(const struct overlay *overlay, struct chain *chain, const struct layer_options *opt,
		 struct created *made)
{
	if (make(overlay, chain, made))
		return -1;
	/* From its activation on, flushes are promises about these files. */
	if (!add(overlay, chain, opt, made) && !create_sync(made)) {
		create_let_go(made);
		return 0;
	}
	create_undo(made);
	return -1;
}

static void add_words(struct strbuf *sb, char *const *words, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		strbuf_addf(sb, " %s", shell_word(words[i]));
}

char *overlay_command(char *const *argv, int nr_options, int nr, const char *more)
{
	char *const *operands = argv + 1 + nr_options;
	struct strbuf sb = { 0 };
	bool dashes = false;
	int i;

	for (i = 0; i < nr; i++)
		dashes = dashes || operands[i][0] == '-';
	if (nr_options && !strcmp(argv[nr_options], "--"))
		nr_options--;
	strbuf_add(&sb, "cowchain attach");
	if (!dashes)
		add_words(&sb, operands, nr);
	add_words(&sb, argv + 1, nr_options);
	strbuf_addf(&sb, " %s", more);
	if (dashes) {
		strbuf_add(&sb, " --");
		add_words(&sb, operands, nr);
	}
	return sb.text;
}

char *overlay_words(const char *top)
{
	char *new = format_new_name(top, "-top.qcow2");
	char *words = xasprintf("--overlay %s", shell_word(new));

	free(new);
	return words;
}
