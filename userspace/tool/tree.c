// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layers of several chains as a tree.
 */
#include <stdlib.h>
#include <string.h>

#include "tree.h"
#include "util.h"

static bool same(const struct tree_layer *a, const struct tree_layer *b)
{
	return a->below == b->below && a->kind == b->kind && a->dev == b->dev && a->ino == b->ino;
}

static void free_layer(struct tree_layer *layer)
{
	free(layer->file);
	free(layer->data_file);
}

size_t tree_add_layer(struct tree *tree, struct tree_layer *layer)
{
	size_t i;

	for (i = 0; i < tree->nr_layers; i++) {
		if (!same(&tree->layers[i], layer))
			continue;
		free_layer(layer);
		return i;
	}
	tree->layers = xrealloc(tree->layers, tree->nr_layers + 1, sizeof(*tree->layers));
	tree->layers[tree->nr_layers] = *layer;
	return tree->nr_layers++;
}

void tree_add_chain(struct tree *tree, const struct tree_chain *chain)
{
	tree->chains = xrealloc(tree->chains, tree->nr_chains + 1, sizeof(*tree->chains));
	tree->chains[tree->nr_chains++] = *chain;
}

bool tree_has_chain(const struct tree *tree, const char *name)
{
	size_t i;

	for (i = 0; i < tree->nr_chains; i++)
		if (!strcmp(tree->chains[i].name, name))
			return true;
	return false;
}

bool tree_reads(const struct tree *tree, const struct tree_chain *chain, size_t layer)
{
	size_t i;

	for (i = chain->top; i != TREE_NONE; i = tree->layers[i].below)
		if (i == layer)
			return true;
	return false;
}

size_t tree_nr_readers(const struct tree *tree, size_t layer)
{
	size_t i, nr = 0;

	for (i = 0; i < tree->nr_chains; i++)
		nr += tree_reads(tree, &tree->chains[i], layer);
	return nr;
}

char *tree_job(const struct target_job *job)
{
	if (!job->present)
		return NULL;
	return xasprintf("%s %.1f%% %s", job->type, job_percent(job), job->state);
}

void tree_free(struct tree *tree)
{
	while (tree->nr_layers)
		free_layer(&tree->layers[--tree->nr_layers]);
	while (tree->nr_chains) {
		free(tree->chains[--tree->nr_chains].name);
		free(tree->chains[tree->nr_chains].mode);
	}
	free(tree->layers);
	free(tree->chains);
	memset(tree, 0, sizeof(*tree));
}
