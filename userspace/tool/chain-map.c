// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks the layers of a chain, from the last one down, and merges the answers. The result is that of qemu-img map:
 * get_block_status() and entry_mergeable() there.
 */
#include <stdlib.h>
#include <string.h>

#include "chain-map.h"
#include "util.h"

/* What find() found: an extent, or a range that is not shown. */
struct found {
	struct map_extent extent;
	bool hidden;
};

static void take(const struct map_status *st, unsigned int depth, bool zero, struct map_extent *e)
{
	e->start = st->start;
	e->length = st->end - st->start;
	e->offset = st->offset;
	e->depth = depth;
	e->present = st->data || st->zero;
	e->zero = st->zero || zero;
	e->data = st->data;
	e->compressed = st->compressed;
	e->has_offset = st->has_offset;
}

/* Does the layer end the search where it has nothing? Behind the end of the one below it there are zeros. */
static bool ends_here(const struct map_chain *chain, unsigned int number, uint64_t pos)
{
	return !number || pos >= chain->layers[number - 1].size;
}

/* What the chain has from pos on. */
static int find(const struct map_chain *chain, uint64_t pos, struct found *found)
{
	uint64_t len = chain->size - pos;
	unsigned int i = chain->nr - 1;
	struct map_status st;
	bool present, last;

	for (;; i--) {
		if (len > chain->layers[i].size - pos)
			len = chain->layers[i].size - pos;
		if (map_layer_status(&chain->layers[i], pos, len, &st))
			return -1;
		len = st.end - st.start;
		present = st.data || st.zero;
		last = !present && ends_here(chain, i, pos);
		if (present || last || (int)i - 1 == chain->above)
			break;
	}
	take(&st, chain->nr - 1 - i, last, &found->extent);
	found->hidden = !present && !last;
	/* If the layer that provides it ends within the range, there are zeros behind that. */
	if (found->hidden && len > chain->layers[i - 1].size - pos)
		found->extent.length = chain->layers[i - 1].size - pos;
	return 0;
}

static bool mergeable(const struct map_extent *a, const struct map_extent *b)
{
	return a->start + a->length == b->start && a->depth == b->depth && a->present == b->present &&
	       a->zero == b->zero && a->data == b->data && a->compressed == b->compressed &&
	       a->has_offset == b->has_offset && (!a->has_offset || a->offset + a->length == b->offset);
}

int map_chain_walk(struct map_chain *chain, map_extent_fn emit, void *data)
{
	struct map_extent whole = { 0 };
	struct found found;
	uint64_t pos;
	int ret = 0;

	for (pos = 0; pos < chain->size && !ret; pos += found.extent.length) {
		ret = find(chain, pos, &found);
		if (ret)
			return ret;
		if (found.hidden)
			continue;
		if (whole.length && mergeable(&whole, &found.extent)) {
			whole.length += found.extent.length;
			continue;
		}
		if (whole.length)
			ret = emit(&whole, data);
		whole = found.extent;
	}
	return ret || !whole.length ? ret : emit(&whole, data);
}

void map_chain_init(struct map_chain *chain, unsigned int nr)
{
	memset(chain, 0, sizeof(*chain));
	chain->above = -1;
	chain->layers = xcalloc(nr, sizeof(*chain->layers));
}

void map_chain_close(struct map_chain *chain)
{
	while (chain->nr)
		map_layer_close(&chain->layers[--chain->nr]);
	free(chain->layers);
	chain->layers = NULL;
}
