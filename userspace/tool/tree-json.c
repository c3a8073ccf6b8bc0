// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shows a tree as JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "show.h"
#include "tree-json.h"

static void add_readers(struct json *json, const struct tree *tree, size_t layer)
{
	size_t i;

	json_array(json, "readers");
	for (i = 0; i < tree->nr_chains; i++)
		if (tree_reads(tree, &tree->chains[i], layer))
			json_text(json, NULL, tree->chains[i].name);
	json_end(json);
}

static void add_known(struct json *json, const char *key, bool known, uint64_t number)
{
	if (known)
		json_number(json, key, number);
	else
		json_null(json, key);
}

static void add_layer(struct json *json, const struct tree *tree, size_t number)
{
	const struct tree_layer *layer = &tree->layers[number];

	json_object(json, NULL);
	json_number(json, "id", number);
	add_known(json, "below", layer->below != TREE_NONE, layer->below);
	json_text(json, "kind", kind_name(layer->kind));
	json_text(json, "file", layer->file);
	json_text(json, "data-file", layer->data_file);
	add_known(json, "size", layer->has_size, layer->size);
	add_known(json, "on-disk", layer->has_on_disk, layer->on_disk);
	add_readers(json, tree, number);
	json_end(json);
}

static void add_chain(struct json *json, const struct tree_chain *chain)
{
	json_object(json, NULL);
	json_text(json, "name", chain->name);
	add_known(json, "top", chain->top != TREE_NONE, chain->top);
	json_number(json, "size", chain->size);
	json_text(json, "mode", chain->mode);
	json_number(json, "open", (uint64_t)chain->open_count);
	show_json_job(json, "job", &chain->job);
	json_end(json);
}

void tree_print_json(const struct tree *tree)
{
	struct json json = { 0 };
	size_t i;

	json_object(&json, NULL);
	json_array(&json, "layers");
	for (i = 0; i < tree->nr_layers; i++)
		add_layer(&json, tree, i);
	json_end(&json);
	json_array(&json, "chains");
	for (i = 0; i < tree->nr_chains; i++)
		add_chain(&json, &tree->chains[i]);
	json_end(&json);
	json_end(&json);
	json_print(&json);
}
