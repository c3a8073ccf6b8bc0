// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: a prepared qcow2 image that dm-cowchain has written, and what must hold for it at
 * any time. The rules are those of on-disk.rst.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "image.h"

#define COPIED		(1ULL << 63)
#define OFFSET_MASK	0x00fffffffffffe00ULL
#define L2_BLOCK	4096u
#define EXT_FORMAT	0xe2792acau
#define EXT_IDENT	0x43774964u
#define IDENT_MAGIC	0x6377696du
#define SLOT_LEN	160u
#define SLOTS		3u

/* ---- geometry ---- */

static void map_tables(struct top *t)
{
	uint32_t per_table = (1u << t->cluster_bits) / 16;
	uint64_t l1 = be_get(t->img + 40, 8);
	uint32_t c;

	for (c = 0; c < t->clusters; c++) {
		uint64_t table = be_get(t->img + l1 + c / per_table * 8, 8) & OFFSET_MASK;

		if (!table)
			die("%s: not prepared: cluster %u has no table", t->meta->file, c);
		t->l2[c] = table + c % per_table * 16;
		t->is_l2[t->l2[c] / L2_BLOCK] = 1;
	}
}

static void map_data(struct top *t, const struct slice *data)
{
	uint32_t per_cluster = (1u << t->cluster_bits) / SECTOR;
	uint32_t sectors = t->size / SECTOR;
	uint32_t c, g;

	t->guest = xalloc(data->sectors * sizeof(*t->guest));
	memset(t->guest, 0xff, data->sectors * sizeof(*t->guest));
	for (c = 0; c < t->clusters; c++) {
		t->host[c] = (uint64_t)c << t->cluster_bits;
		if (!t->data)
			t->host[c] = be_get(t->img + t->l2[c], 8) & OFFSET_MASK;
		for (g = c * per_cluster; g < (c + 1) * per_cluster && g < sectors; g++)
			t->guest[t->host[c] / SECTOR + g % per_cluster] = g;
	}
}

void top_open(struct top *t, const uint8_t *img, const struct slice *meta,
	      const struct slice *data)
{
	t->meta = meta;
	t->data = data;
	t->img = img;
	t->cluster_bits = be_get(img + 20, 4);
	t->size = be_get(img + 24, 8);
	if (be_get(img, 4) != 0x514649fbu || t->cluster_bits < 17 || t->cluster_bits > 21 ||
	    be_get(img + 72, 8) != (data ? 0x14 : 0x10))
		die("%s: no prepared image", meta->file);
	t->clusters = (t->size + (1u << t->cluster_bits) - 1) >> t->cluster_bits;
	t->first_header = xalloc(1u << t->cluster_bits);
	memcpy(t->first_header, img, 1u << t->cluster_bits);
	t->l2 = xalloc(t->clusters * sizeof(*t->l2));
	t->host = xalloc(t->clusters * sizeof(*t->host));
	t->is_l2 = xalloc(meta->sectors * SECTOR / L2_BLOCK + 1);
	map_tables(t);
	map_data(t, data ? data : meta);
}

const char *top_may_write(const struct top *t, uint64_t sector)
{
	if (sector < (1u << t->cluster_bits) / SECTOR || t->is_l2[sector * SECTOR / L2_BLOCK] ||
	    (!t->data && t->guest[sector] != NO_GUEST))
		return NULL;
	return "neither header, nor L2 table, nor data";
}

/* ---- the header ---- */

static void read_slot(const uint8_t *p, struct ident *id)
{
	uint32_t flags = be_get(p + 64, 4);

	id->present = true;
	id->sequence = be_get(p + 8, 8);
	memcpy(id->uuid, p + 16, UUID_LEN);
	memcpy(id->parent, p + 32, UUID_LEN);
	id->generation = be_get(p + 48, 8);
	id->parent_generation = be_get(p + 56, 8);
	id->sealed = flags & 1;
	id->copied = flags & 4;
	id->other = flags & 8;
	id->job = be_get(p + 68, 4);
	memcpy(id->job_uuid, p + 88, UUID_LEN);
	id->job_generation = be_get(p + 104, 8);
	memcpy(id->other_uuid, p + 124, UUID_LEN);
	id->other_generation = be_get(p + 140, 8);
	id->job_top_generation = be_get(p + 148, 8);
}

static void read_ident(const uint8_t *p, uint32_t len, struct ident *id)
{
	unsigned int i;

	for (i = 0; i < SLOTS && (i + 1) * SLOT_LEN <= len; i++, p += SLOT_LEN)
		if (be_get(p, 4) == IDENT_MAGIC && be_get(p + 156, 4) == crc32c(p, 156) &&
		    (!id->present || be_get(p + 8, 8) > id->sequence))
			read_slot(p, id);
}

/* Walks the extensions; the format of the backing file goes to @format. */
static const char *read_extensions(const struct top *t, struct head *head, char *format)
{
	uint64_t end = 1u << t->cluster_bits;
	uint64_t off = be_get(t->img + 100, 4);

	if (be_get(t->img + 8, 8) && be_get(t->img + 8, 8) < end)
		end = be_get(t->img + 8, 8);
	while (off + 8 <= end) {
		uint32_t type = be_get(t->img + off, 4);
		uint32_t len = be_get(t->img + off + 4, 4);

		if (!type)
			return len ? "end marker with a length" : NULL;
		if (len > end - off - 8)
			return "extension that is too long";
		if (type == EXT_FORMAT && len < 16)
			memcpy(format, t->img + off + 8, len);
		if (type == EXT_IDENT) {
			read_ident(t->img + off + 8, len, &head->ident);
			if (!head->ident.present)
				return "identity without a valid slot";
		}
		off += 8 + (len + 7) / 8 * 8;
	}
	return "extensions without an end";
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);

	return n >= k && !strcmp(s + n - k, tail);
}

const char *top_head(const struct top *t, struct head *head)
{
	uint64_t off = be_get(t->img + 8, 8);
	uint32_t len = be_get(t->img + 16, 4);
	char format[16] = "";
	const char *bad;

	memset(head, 0, sizeof(*head));
	/* only the offset and length of the name, and the extensions, change */
	if (memcmp(t->img, t->first_header, 8) ||
	    memcmp(t->img + 20, t->first_header + 20, be_get(t->first_header + 100, 4) - 20))
		return "a header field has changed";
	if (!off != !len || len >= NAME_LEN || off + len > 1u << t->cluster_bits)
		return "unusable backing file name";
	memcpy(head->name, t->img + off, len);
	if (strlen(head->name) != len)
		return "a zero byte in the backing file name";
	bad = read_extensions(t, head, format);
	if (bad)
		return bad;
	if (len && strcmp(format, ends_with(head->name, ".raw") ? "raw" : "qcow2"))
		return "backing file name and format do not match";
	return NULL;
}

static bool is_layer(const uint8_t *uuid, uint64_t generation, const struct ident *layer)
{
	static const uint8_t none[UUID_LEN];

	if (!layer || !layer->present)
		return !memcmp(uuid, none, UUID_LEN);
	return !memcmp(uuid, layer->uuid, UUID_LEN) && generation == layer->generation;
}

static bool is_parent(const struct ident *id, const struct ident *parent)
{
	return is_layer(id->parent, id->parent_generation, parent) ||
	       (id->other && is_layer(id->other_uuid, id->other_generation, parent));
}

bool ident_shadows(const struct ident *id, const struct ident *target)
{
	return id->present && target->job == JOB_TARGET &&
	       !memcmp(target->job_uuid, id->uuid, UUID_LEN) &&
	       id->generation >= target->job_top_generation;
}

bool ident_may_be_top(const struct ident *id)
{
	return !id->sealed && id->job != JOB_PIVOTED && (id->job != JOB_TARGET || id->copied);
}

bool ident_stands_on(const struct ident *id, const struct ident *parent, bool shadowed)
{
	struct ident before;

	if (!parent || !parent->present || parent->job != JOB_TARGET)
		return !id->present || is_parent(id, parent);
	if (id->present && is_parent(id, parent))
		return true;
	if (!shadowed)
		return !id->present && parent->copied;
	before = *parent;
	before.generation = parent->job_generation;
	before.present = before.generation;
	return !id->present || is_parent(id, &before);
}

bool head_equal(const struct head *a, const struct head *b)
{
	return !strcmp(a->name, b->name) && !memcmp(&a->ident, &b->ident, sizeof(a->ident));
}

/* ---- entries ---- */

const char *top_entry(const struct top *t, uint32_t cluster, uint64_t *bitmap)
{
	const uint8_t *p = t->img + t->l2[cluster];
	uint64_t want = t->host[cluster] | COPIED;
	uint64_t desc = be_get(p, 8);

	*bitmap = be_get(p + 8, 8);
	if ((uint32_t)*bitmap & (uint32_t)(*bitmap >> 32))
		return "allocated and zero at once";
	if (desc == want)
		return NULL;
	if (!t->data || desc)
		return "descriptor of another cluster";
	return (uint32_t)*bitmap ? "allocated without a descriptor" : NULL;
}
