// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the header of a layer of an active chain.
 */
#include <stdlib.h>
#include <string.h>

#include "devno.h"
#include "live-image.h"

int live_read_layer(const struct live *live, unsigned int number, struct layer *layer)
{
	const struct table_layer *entry = &live->table.layers[number];
	struct tail tail;
	char *node;
	dev_t dev;
	int ret;

	memset(layer, 0, sizeof(*layer));
	layer->kind = entry->kind;
	node = devno_parse(entry->dev, &dev) ? NULL : devno_node(dev);
	if (!node)
		return -1;
	ret = source_open(&layer->file, node, NULL, false);
	free(node);
	tail_find(&live->table, number, false, &tail);
	layer->file.size += tail.len;
	if (!ret && layer->kind == KIND_QCOW2)
		ret = image_read(layer->file.fd, layer->file.path, layer->file.size, &layer->image);
	if (ret)
		layer_close(layer);
	return ret;
}
