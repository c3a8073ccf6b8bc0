/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A layer as a map shows it: what it has at a place of the disk.
 */
#ifndef COWCHAIN_MAP_LAYER_H
#define COWCHAIN_MAP_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "holes.h"
#include "l2-table.h"
#include "target.h"

/*
 * What a layer has of [start, end) of the disk, in bytes. With neither data nor zero, the layer below provides it;
 * then an offset is that of space which is preallocated.
 */
struct map_status {
	uint64_t start;
	uint64_t end;
	uint64_t offset;	/* of start, in the file with the data; only if has_offset */
	bool data;
	bool zero;
	bool compressed;
	bool has_offset;
};

/*
 * struct map_layer - a layer that is open
 * @name: for messages; the same as image.file.path.
 * @image: of a raw layer, the file only.
 * @size: bytes of its disk, in whole sectors.
 * @data_size: bytes of the file or device with the data.
 * @holes: of the same.
 * @look: look for holes under data.
 * @written: it may change meanwhile.
 * @fds: what map_layer_close() closes; -1: none.
 */
struct map_layer {
	enum layer_kind kind;
	char *name;
	struct l2_image image;
	uint64_t size;
	uint64_t data_size;
	struct holes holes;
	bool look;
	bool written;
	struct map_status last;
	int fds[2];
};

/*
 * What the layer has from pos on, as bdrv_co_block_status() of QEMU would say without the layers below: the answer
 * is about len bytes or fewer. pos + len is not behind the end of the layer. Returns 0, or -1 after a message.
 */
int map_layer_status(struct map_layer *layer, uint64_t pos, uint64_t len, struct map_status *status);
void map_layer_init(struct map_layer *layer);
void map_layer_close(struct map_layer *layer);

#endif
