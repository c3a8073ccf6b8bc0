// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shows a tree in the terminal.
 */
#include <stdlib.h>

#include "tree-print.h"
#include "util.h"

static const struct out_column columns[] = {
	{ "NAME", NULL, OUT_TEXT },
	{ "KIND", NULL, OUT_TEXT },
	{ "SIZE", NULL, OUT_SIZE },
	{ "ON-DISK", NULL, OUT_SIZE },
	{ "READERS", NULL, OUT_NUMBER },
	{ "MODE", NULL, OUT_TEXT },
	{ "OPEN", NULL, OUT_NUMBER },
	{ "JOB", NULL, OUT_TEXT },
};

/* What is printed so far. */
struct printer {
	const struct tree *tree;
	struct out_table out;
	size_t rows;
};

static void add_chain(struct printer *p, const struct tree_chain *chain, size_t parent)
{
	char *job = tree_job(&chain->job);

	out_branch(&p->out, parent);
	out_text(&p->out, chain->name);
	out_text(&p->out, "chain");
	out_number(&p->out, chain->size);
	out_none(&p->out);
	out_none(&p->out);
	out_text(&p->out, chain->mode);
	out_number(&p->out, (uint64_t)chain->open_count);
	out_text(&p->out, job);
	free(job);
	p->rows++;
}

static void add_chains(struct printer *p, size_t top, size_t parent)
{
	size_t i;

	for (i = 0; i < p->tree->nr_chains; i++)
		if (p->tree->chains[i].top == top)
			add_chain(p, &p->tree->chains[i], parent);
}

static void add_size(struct out_table *out, bool known, uint64_t size)
{
	if (known)
		out_number(out, size);
	else
		out_none(out);
}

static size_t add_layer(struct printer *p, size_t number, size_t parent)
{
	const struct tree_layer *layer = &p->tree->layers[number];

	out_branch(&p->out, parent);
	out_text(&p->out, layer->file);
	out_text(&p->out, kind_name(layer->kind));
	add_size(&p->out, layer->has_size, layer->size);
	add_size(&p->out, layer->has_on_disk, layer->on_disk);
	out_number(&p->out, tree_nr_readers(p->tree, number));
	out_none(&p->out);
	out_none(&p->out);
	out_none(&p->out);
	return p->rows++;
}

/* A chain has 255 layers at most. */
static void add_branches(struct printer *p, size_t below, size_t parent)
{
	size_t i, row;

	for (i = 0; i < p->tree->nr_layers; i++) {
		if (p->tree->layers[i].below != below)
			continue;
		row = add_layer(p, i, parent);
		add_chains(p, i, row);
		add_branches(p, i, row);
	}
}

void tree_print(const struct tree *tree, const struct out_options *opt)
{
	struct printer p = { .tree = tree };

	out_init(&p.out, columns, ARRAY_SIZE(columns));
	add_branches(&p, TREE_NONE, OUT_ROOT);
	add_chains(&p, TREE_NONE, OUT_ROOT);
	out_print(&p.out, NULL, opt);
	out_free(&p.out);
}
