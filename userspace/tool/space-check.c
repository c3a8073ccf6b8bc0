// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compares what a job will write with the free space, before it starts.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devno.h"
#include "live-layer.h"
#include "loop.h"
#include "number.h"
#include "space-check.h"
#include "space-count.h"
#include "space-room.h"
#include "util.h"

/* A job writes several pieces of 1 MiB at a time, so it can fail before all space is used. */
#define ALMOST_FULL (16U << 20)
/* Parts of a raw disk that are counted one by one. */
#define RAW_UNIT_BITS 12

/* ---- the layers of a live chain ---- */

/* Returns -1 without a message if it cannot be opened: nothing can be estimated then. */
static int open_layer(const struct table *table, unsigned int number, struct space_layer *layer)
{
	const struct table_layer *t = &table->layers[number];
	struct live_layer live;
	int file;
	dev_t dev;
	char *path;

	layer->fd = -1;
	if (live_layer_open(table, number, &live) ||
	    space_layer_open(layer, live.fd, t->dev, t->kind, live.size, live.data_size, &live.tail))
		return -1;
	/* Only files, not block devices, show where their holes are. */
	file = t->kind == KIND_RAW && !devno_parse(t->dev, &dev) ? loop_open_file(dev, &path) : -1;
	if (file >= 0) {
		close(layer->fd);
		free(path);
		layer->fd = file;
		layer->holes = true;
	}
	return 0;
}

static void close_layers(struct space_layer *layers, unsigned int nr)
{
	while (nr)
		space_layer_close(&layers[--nr]);
	free(layers);
}

/* Open the layers first to last. Returns NULL if one of them cannot be read. */
static struct space_layer *open_layers(const struct live *live, unsigned int first,
				       unsigned int last)
{
	struct space_layer *layers = xcalloc(last - first + 1, sizeof(*layers));
	unsigned int i;

	for (i = first; i <= last; i++) {
		if (!open_layer(&live->table, i, &layers[i - first]))
			continue;
		close_layers(layers, i - first);
		return NULL;
	}
	return layers;
}

/* ---- the verdict ---- */

static unsigned int log2_of(uint64_t v)
{
	unsigned int bits = 0;

	while (v >> (bits + 1))
		bits++;
	return bits;
}

/* Returns 0 if it fits or might fit (with a note), -1 after a message. */
static int judge(const char *name, const struct space_need *count, const struct space_room *room,
		 const char *remedy)
{
	struct space_need need = *count;
	char want[HUMAN_LEN], have[HUMAN_LEN];

	/* No more than the holes of the file can be allocated: its space may be reserved. */
	if (need.data > room->holes)
		need.data = room->holes;
	if (need.unknown > room->holes - need.data)
		need.unknown = room->holes - need.data;
	human_size(room->bytes, have);
	if (need.data > room->bytes) {
		cc_error("%s: up to %s will be written, but %s has %s free: make room there, %s--force starts it nevertheless",
			 name, human_size(need.data, want), room->where, have, remedy);
		return -1;
	}
	if (need.data + need.unknown > room->bytes)
		cc_note("%s: up to %s will be written, if all of the raw layer is in use, but %s has %s free",
			name, human_size(need.data + need.unknown, want), room->where, have);
	else
		cc_debug("%s: up to %s will be written, %s has %s free", name,
			 human_size(need.data + need.unknown, want), room->where, have);
	return 0;
}

/* Does it fit whatever is written? Then the tables need not be read. */
static bool fits_anyway(const struct space_room *room)
{
	return !room->known || room->holes <= room->bytes;
}

/*
 * An external data file has to contain the zeros of the whole disk. In a file they take space if they
 * must not be holes.
 */
static void add_zeros(const struct live *live, bool data_file, const struct space_room *room,
		      struct space_need *need)
{
	if (data_file && room->zeros && table_has_feature(&live->table, "no_discard_passdown"))
		need->data = room->holes;
}

static void note_unknown(const char *name)
{
	cc_note("%s: cannot find out how much will be written and whether it fits", name);
}

int space_check_stream(const struct live *live, int base, unsigned int last, bool chosen)
{
	const struct table_layer *top = &live->table.layers[last];
	struct space_layer *layers;
	struct space_room room;
	struct space_need need;
	unsigned int first = (unsigned int)(base + 1);
	unsigned int nr = last - first;
	int ret = 0;
	dev_t dev;

	if (first >= last || devno_parse(top->data ? top->data : top->dev, &dev))
		return 0;
	space_room_device(dev, &room);
	layers = fits_anyway(&room) ? NULL : open_layers(live, first, last);
	if (layers) {
		ret = space_count(layers, nr, &layers[nr], layers[nr].image.info.size,
				  layers[nr].image.info.sub_bits, log2_of(room.group), &need);
		close_layers(layers, nr + 1);
		if (!ret && base < 0)
			add_zeros(live, top->data, &room, &need);
		ret = ret ? 0 : judge(live->dev.name, &need, &room,
				      chosen ? "" : "or name a base by --base; ");
	} else if (!fits_anyway(&room)) {
		note_unknown(live->dev.name);
	}
	space_room_free(&room);
	return ret;
}

int space_check_commit(const struct live *live, unsigned int base, unsigned int last)
{
	const struct table_layer *target = &live->table.layers[base];
	bool raw = target->kind == KIND_RAW;
	struct space_layer *layers;
	struct space_room room;
	struct space_need need;
	int ret = 0;
	dev_t dev;

	if (devno_parse(target->data ? target->data : target->dev, &dev))
		return 0;
	space_room_device(dev, &room);
	layers = fits_anyway(&room) ? NULL : open_layers(live, base, last);
	if (layers) {
		/* Of a raw disk, what it has in use is not known: judge() counts its holes. */
		ret = space_count(layers + 1, last - base, raw ? NULL : layers,
				  layers[last - base].image.info.size,
				  raw ? RAW_UNIT_BITS : layers[0].image.info.sub_bits, log2_of(room.group), &need);
		close_layers(layers, last - base + 1);
		ret = ret ? 0 : judge(live->dev.name, &need, &room, "");
	} else if (!fits_anyway(&room)) {
		note_unknown(live->dev.name);
	}
	space_room_free(&room);
	return ret;
}

int space_check_copy(const struct live *live, const struct layer *top)
{
	const struct source *src = top->data.path ? &top->data : &top->file;
	unsigned int nr = live->table.nr_layers;
	struct space_layer *layers;
	struct space_room room;
	struct space_need need;
	int ret = 0;

	if (src->block)
		space_room_device(src->dev, &room);
	else
		space_room_file(src->fd, src->path, &room);
	layers = fits_anyway(&room) ? NULL : open_layers(live, 0, nr - 1);
	if (layers) {
		ret = space_count(layers, nr, NULL, top->image.info.size, top->image.info.sub_bits,
				  log2_of(room.group), &need);
		close_layers(layers, nr);
		if (!ret)
			add_zeros(live, top->data.path, &room, &need);
		ret = ret ? 0 : judge(live->dev.name, &need, &room, "");
	} else if (!fits_anyway(&room)) {
		note_unknown(live->dev.name);
	}
	space_room_free(&room);
	return ret;
}

void space_note_full(const char *name)
{
	const struct table_layer *top;
	struct space_room room;
	char have[HUMAN_LEN];
	struct live live;
	dev_t dev;

	if (live_open(&live, name))
		return;
	top = &live.table.layers[live_top(&live)];
	if (!devno_parse(top->data ? top->data : top->dev, &dev)) {
		space_room_device(dev, &room);
		if (room.known && room.bytes < ALMOST_FULL)
			cc_note("%s: %s has %s free", name, room.where,
				human_size(room.bytes, have));
		space_room_free(&room);
	}
	live_close(&live);
}
