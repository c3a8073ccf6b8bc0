// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes extents of the L2 entries of one layer.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "map-layer.h"
#include "util.h"

/* Clusters, or tables without any, that one answer is made of at most. */
#define MAX_PIECES 4096

static int say_bad(const struct map_layer *layer, uint64_t cluster, const char *why)
{
	cc_error("%s: guest offset %" PRIu64 ": %s: 'qemu-img check' tells more", layer->image.file.path,
		 cluster << layer->image.info.cluster_bits, why);
	return -1;
}

/* Get the entry, and what it says. Returns 1, 0 if there is no table, or -1; *why is NULL after a message. */
static int decode(struct map_layer *layer, uint64_t cluster, __be64 w[2], struct q2_cluster *c, const char **why)
{
	struct l2_image *image = &layer->image;

	*why = NULL;
	switch (l2_find(image, cluster, w, why)) {
	case L2_NO_TABLE:
		return 0;
	case L2_ENTRY:
		*why = q2_decode(&image->info, cluster, w[0], w[1], layer->data_size, c);
		return *why ? -1 : 1;
	default:
		return -1;
	}
}

/*
 * The kernel writes to the top meanwhile: a sector at a time, but where it is read through a page cache, an entry may
 * come half old and half new. What is wrong with it is true if it is still wrong on a second look.
 */
static int decode_twice(struct map_layer *layer, uint64_t cluster, __be64 w[2], struct q2_cluster *c)
{
	const char *why;
	int ret = decode(layer, cluster, w, c, &why);

	if (ret < 0 && why && layer->written) {
		l2_forget(&layer->image);
		ret = decode(layer, cluster, w, c, &why);
	}
	if (ret < 0 && why)
		say_bad(layer, cluster, why);
	return ret;
}

/*
 * Does the entry have a place on the device, be it in use or not? That of guest cluster 0 in an external data file is
 * offset 0, which a standard zero cluster does not say.
 */
static bool has_place(const struct q2_info *info, uint64_t desc)
{
	if (desc & QCOW2_OFFSET_MASK)
		return true;
	return info->data_file && desc & QCOW2_COPIED && (info->ext_l2 || !(desc & QCOW2_ZERO));
}

/* The subclusters from pos on that are alike, up to the end of the cluster. */
static void take_subclusters(const struct q2_info *info, uint64_t pos, uint64_t desc, const struct q2_cluster *c,
			     struct map_status *st)
{
	uint64_t start = pos & ~(q2_cluster_size(info) - 1);
	unsigned int nr = 1U << (info->cluster_bits - info->sub_bits);
	unsigned int i = (unsigned int)((pos - start) >> info->sub_bits), first = i;

	st->data = c->alloc >> i & 1;
	st->zero = c->zero >> i & 1;
	while (i < nr && st->data == (c->alloc >> i & 1) && st->zero == (c->zero >> i & 1))
		i++;
	st->start = start + ((uint64_t)first << info->sub_bits);
	st->end = start + ((uint64_t)i << info->sub_bits);
	st->has_offset = has_place(info, desc);
	st->offset = (desc & QCOW2_OFFSET_MASK) + (st->start - start);
}

/* A piece with one answer, at most a cluster; or all that has no table. */
static int get_piece(struct map_layer *layer, uint64_t pos, struct map_status *st)
{
	const struct q2_info *info = &layer->image.info;
	uint64_t cluster = pos >> info->cluster_bits;
	struct q2_cluster c;
	__be64 w[2];
	int ret = decode_twice(layer, cluster, w, &c);

	if (ret < 0)
		return ret;
	memset(st, 0, sizeof(*st));
	st->start = cluster << info->cluster_bits;
	st->end = st->start + q2_cluster_size(info);
	if (!ret)
		st->end = (cluster + l2_rest_of_table(info, cluster)) << info->cluster_bits;
	else if (c.packed)
		st->data = st->compressed = true;
	else
		take_subclusters(info, pos, be64_to_cpu(w[0]), &c, st);
	return 0;
}

static bool joins(const struct map_status *a, const struct map_status *b)
{
	return a->data == b->data && a->zero == b->zero && a->compressed == b->compressed &&
	       a->has_offset == b->has_offset && (!a->has_offset || a->offset + (a->end - a->start) == b->offset);
}

/* Begin before pos, with what else is alike behind it. */
static int find_qcow2(struct map_layer *layer, uint64_t pos, uint64_t end, struct map_status *st)
{
	struct map_status next;
	unsigned int i;

	if (get_piece(layer, pos, st))
		return -1;
	for (i = 0; i < MAX_PIECES && st->end < end; i++) {
		if (get_piece(layer, st->end, &next))
			return -1;
		if (!joins(st, &next))
			break;
		st->end = next.end;
	}
	return 0;
}

/* The rest of it from pos on, and no more than up to end. */
static void cut(struct map_status *st, uint64_t pos, uint64_t end)
{
	st->offset += pos - st->start;
	st->start = pos;
	if (st->end > end)
		st->end = end;
}

/*
 * Data in a hole of the file reads as zeros, and so does what is behind the end of the file (bdrv_co_block_status(),
 * BDRV_BLOCK_RECURSE).
 */
static void look_below(struct map_layer *layer, struct map_status *st)
{
	uint64_t len = st->end - st->start;
	bool to_end, hole = holes_at(&layer->holes, st->offset, &len, &to_end);

	st->zero = hole || (to_end && !len);
	if (len && !(to_end && hole))
		st->end = st->start + len;
}

static void find_raw(struct map_layer *layer, uint64_t pos, uint64_t len, struct map_status *st)
{
	bool to_end;

	memset(st, 0, sizeof(*st));
	st->zero = holes_at(&layer->holes, pos, &len, &to_end);
	st->data = !st->zero;
	st->start = st->offset = pos;
	st->end = pos + len;
	st->has_offset = true;
}

int map_layer_status(struct map_layer *layer, uint64_t pos, uint64_t len, struct map_status *status)
{
	if (layer->kind == KIND_RAW) {
		find_raw(layer, pos, len, status);
		return 0;
	}
	/* The layers below may have many pieces where this one has one, so it is kept. */
	if ((pos < layer->last.start || pos >= layer->last.end) &&
	    find_qcow2(layer, pos, pos + len, &layer->last)) {
		layer->last.end = 0;
		return -1;
	}
	*status = layer->last;
	cut(status, pos, pos + len);
	if (layer->look && status->data && status->has_offset)
		look_below(layer, status);
	return 0;
}

void map_layer_init(struct map_layer *layer)
{
	size_t i;

	memset(layer, 0, sizeof(*layer));
	for (i = 0; i < ARRAY_SIZE(layer->fds); i++)
		layer->fds[i] = -1;
}

void map_layer_close(struct map_layer *layer)
{
	size_t i;

	l2_forget(&layer->image);
	for (i = 0; i < ARRAY_SIZE(layer->fds); i++)
		if (layer->fds[i] >= 0)
			close(layer->fds[i]);
	free(layer->name);
	memset(layer, 0, sizeof(*layer));
}
