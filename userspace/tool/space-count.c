// SPDX-License-Identifier: GPL-2.0-only
/*
 * Estimates what a stream will write, from the tables of the layers and the holes of a raw base.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "space-count.h"
#include "util.h"

/* Units that are processed at a time. */
#define WINDOW_UNITS 32768U

/* What is known of a unit, from the top downwards: UNIT_OPEN until a layer decides it. */
enum unit { UNIT_OPEN, UNIT_SKIP, UNIT_NEEDED, UNIT_UNKNOWN };

struct span {
	uint8_t unit[WINDOW_UNITS];
	unsigned int bits;
	uint64_t start;		/* bytes */
	uint64_t end;
	uint64_t skip_from;	/* pending: clusters may be smaller than a unit */
	uint64_t skip_to;
};

/* ---- layers ---- */

int space_layer_open(struct space_layer *layer, int fd, const char *path, enum layer_kind kind,
		     uint64_t size, uint64_t data_size, const struct tail *tail)
{
	struct image image;

	memset(layer, 0, sizeof(*layer));
	layer->kind = kind;
	layer->fd = fd;
	layer->size = size + tail->len;
	layer->data_size = data_size;
	if (kind == KIND_RAW)
		return 0;
	if (image_read(fd, path, layer->size, &image)) {
		space_layer_close(layer);
		return -1;
	}
	layer->image.file = (struct readable){ .fd = fd, .path = path, .size = size, .tail = *tail };
	layer->image.info = image.info;
	image_free(&image);
	if (!l2_check(&layer->image))
		return 0;
	space_layer_close(layer);
	return -1;
}

void space_layer_close(struct space_layer *layer)
{
	if (layer->fd >= 0)
		close(layer->fd);
	l2_forget(&layer->image);
	memset(layer, 0, sizeof(*layer));
	layer->fd = -1;
}

static uint64_t guest_size(const struct space_layer *layer)
{
	return layer->kind == KIND_RAW ? layer->size : layer->image.info.size;
}

/* ---- the state of units ---- */

/* Bytes [from, to) hold data: every unit they touch is copied as a whole. */
static void mark_data(struct span *w, uint64_t from, uint64_t to, enum unit state)
{
	uint64_t i;

	if (from < w->start)
		from = w->start;
	if (to > w->end)
		to = w->end;
	for (i = (from - w->start) >> w->bits; from < to && w->start + (i << w->bits) < to; i++)
		if (w->unit[i] == UNIT_OPEN)
			w->unit[i] = (uint8_t)state;
}

/*
 * Bytes [from, to) need no copy. The first and the last unit may also contain other bytes, so only
 * whole units count.
 */
static void mark_skip(struct span *w, uint64_t from, uint64_t to)
{
	uint64_t unit = 1ULL << w->bits;

	from = (from + unit - 1) & ~(unit - 1);
	if (to < w->end)
		to &= ~(unit - 1);
	mark_data(w, from, to, UNIT_SKIP);
}

static void end_skip(struct span *w)
{
	mark_skip(w, w->skip_from, w->skip_to);
	w->skip_from = w->skip_to = 0;
}

static void add_skip(struct span *w, uint64_t from, uint64_t to)
{
	if (from != w->skip_to) {
		end_skip(w);
		w->skip_from = from;
	}
	w->skip_to = to;
}

static void mark_raw(struct span *w, const struct space_layer *layer)
{
	uint64_t end = layer->size < w->end ? layer->size : w->end;
	off_t data = (off_t)w->start, hole;

	if (!layer->holes) {
		mark_data(w, w->start, end, UNIT_UNKNOWN);
		return;
	}
	while ((uint64_t)data < end) {
		data = lseek(layer->fd, data, SEEK_DATA);
		if (data < 0)
			break;
		hole = lseek(layer->fd, data, SEEK_HOLE);
		/* The file was truncated meanwhile, or does not show its holes. */
		if (hole <= data)
			hole = (off_t)end;
		mark_data(w, (uint64_t)data, (uint64_t)hole, UNIT_NEEDED);
		data = hole;
	}
	/* A raw disk is the base: holes in it need no copy. */
	mark_skip(w, w->start, w->end);
}

/* Mark the subclusters of a cluster; without extended L2 entries they are all alike. */
static void mark_cluster(struct span *w, const struct q2_info *info, uint64_t cluster,
			 const struct q2_cluster *c, bool is_top)
{
	uint64_t start = cluster << info->cluster_bits;
	uint64_t sub = 1ULL << info->sub_bits;
	unsigned int i, nr = 1U << (info->cluster_bits - info->sub_bits);

	for (i = 0; i < nr; i++, start += sub) {
		if (c->zero >> i & 1 || (is_top && c->alloc >> i & 1))
			add_skip(w, start, start + sub);
		else if (c->alloc >> i & 1)
			mark_data(w, start, start + sub, UNIT_NEEDED);
	}
}

/* Invalid entries are ignored here: the kernel reports them. */
static int mark_qcow2(struct span *w, struct space_layer *layer, bool is_top)
{
	const struct q2_info *info = &layer->image.info;
	uint64_t end = info->size < w->end ? info->size : w->end;
	uint64_t cluster = w->start >> info->cluster_bits;
	struct q2_cluster c;
	enum l2_found found;
	const char *why;
	__be64 e[2];

	while (cluster << info->cluster_bits < end) {
		found = l2_find(&layer->image, cluster, e, &why);
		if (found == L2_FAILED)
			return -1;
		if (found != L2_ENTRY) {
			cluster += l2_rest_of_table(info, cluster);
			continue;
		}
		if (!q2_decode(info, cluster, e[0], e[1], layer->data_size, &c))
			mark_cluster(w, info, cluster, &c, is_top);
		cluster++;
	}
	end_skip(w);
	return 0;
}

static int mark_layer(struct span *w, struct space_layer *layer, bool is_top)
{
	int ret = 0;

	if (layer->kind == KIND_RAW)
		mark_raw(w, layer);
	else
		ret = mark_qcow2(w, layer, is_top);
	/* Beyond its end a layer reads as zeros and hides the layers below. */
	if (guest_size(layer) < w->end)
		mark_skip(w, guest_size(layer) > w->start ? guest_size(layer) : w->start, w->end);
	return ret;
}

static void add_up(const struct span *w, unsigned int group_bits, struct space_need *need)
{
	unsigned int units = (unsigned int)((w->end - w->start + (1ULL << w->bits) - 1) >> w->bits);
	unsigned int per_group = group_bits > w->bits ? 1U << (group_bits - w->bits) : 1;
	uint64_t group = (uint64_t)per_group << w->bits;
	unsigned int i, j;
	bool data, unknown;

	for (i = 0; i < units; i += per_group) {
		data = unknown = false;
		for (j = i; j < i + per_group && j < units; j++) {
			data |= w->unit[j] == UNIT_NEEDED;
			unknown |= w->unit[j] == UNIT_UNKNOWN;
		}
		if (data)
			need->data += group;
		else if (unknown)
			need->unknown += group;
	}
}

int space_count(struct space_layer *layers, unsigned int nr, struct space_layer *top, uint64_t size,
		unsigned int unit_bits, unsigned int group_bits, struct space_need *need)
{
	struct span *w = xcalloc(1, sizeof(*w));
	uint64_t step = (uint64_t)WINDOW_UNITS << unit_bits;
	unsigned int i;
	int ret = 0;

	memset(need, 0, sizeof(*need));
	w->bits = unit_bits;
	/* A group must not exceed a window. */
	if (group_bits > unit_bits + 15)
		group_bits = unit_bits + 15;
	for (w->start = 0; w->start < size && !ret; w->start += step) {
		w->end = size - w->start < step ? size : w->start + step;
		memset(w->unit, UNIT_OPEN, sizeof(w->unit));
		if (top)
			ret = mark_layer(w, top, true);
		for (i = nr; i-- && !ret;)
			ret = mark_layer(w, &layers[i], false);
		add_up(w, group_bits, need);
	}
	free(w);
	return ret;
}
