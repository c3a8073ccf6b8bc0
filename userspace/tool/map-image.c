// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layers of an image: files and block devices that are open already.
 */
#include <sys/stat.h>

#include "map-image.h"
#include "util.h"

static void set_up(struct map_layer *map, const struct layer *layer)
{
	const struct source *data = layer->data.path ? &layer->data : &layer->file;

	map_layer_init(map);
	map->kind = layer->kind;
	map->name = xstrdup(layer->file.path);
	map->image.file = (struct readable){
		.fd = layer->file.fd, .path = map->name, .size = layer->file.size,
	};
	map->image.info = layer->image.info;
	map->size = layer_disk_size(layer);
	map->data_size = data->size;
	map->holes = (struct holes){ .fd = data->block ? -1 : data->fd, .size = data->size };
}

/* As QEMU does, which knows of no allocated space on a block device. */
static uint64_t allocated_space(const struct source *src)
{
	struct stat st;

	return src->block || fstat(src->fd, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

void map_open_image(struct map_chain *map, const struct chain *chain, unsigned int nr)
{
	unsigned int i;

	map_chain_init(map, nr);
	for (i = 0; i < nr; i++) {
		set_up(&map->layers[i], &chain->layers[i]);
		if (map->layers[i].kind == KIND_QCOW2)
			map->layers[i].look = l2_is_preallocated(&map->layers[i].image,
								 allocated_space(&chain->layers[i].file));
	}
	map->nr = nr;
	map->size = map->layers[nr - 1].size;
}
