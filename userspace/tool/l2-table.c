// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the tables of an image: L1, L2 and, for the question whether it is preallocated, refcounts.
 */
#include "l2-table.h"
#include "util.h"

uint64_t l2_rest_of_table(const struct q2_info *info, uint64_t cluster)
{
	uint64_t per_table = 1ULL << info->l2_bits;

	return per_table - (cluster & (per_table - 1));
}

static const __be64 *l1_entry(struct l2_image *image, uint64_t index)
{
	return window_read(&image->l1, &image->file, image->info.l1_offset + index * sizeof(__be64), "L1 table");
}

int l2_check(struct l2_image *image)
{
	return image->info.l1_entries && !l1_entry(image, 0) ? -1 : 0;
}

enum l2_found l2_find(struct l2_image *image, uint64_t cluster, __be64 w[2], const char **why)
{
	const struct q2_info *info = &image->info;
	uint64_t table, in_table = cluster & ((1ULL << info->l2_bits) - 1);
	const __be64 *entry;

	/* The L1 table covers the disk: q2_parse_header(). */
	entry = l1_entry(image, cluster >> info->l2_bits);
	if (!entry)
		return L2_FAILED;
	*why = q2_l2_offset(info, *entry, readable_size(&image->file), &table);
	if (*why)
		return L2_BAD_TABLE;
	if (!table)
		return L2_NO_TABLE;
	entry = window_read(&image->l2, &image->file, table + in_table * q2_l2_entry_size(info), "L2 table");
	if (!entry)
		return L2_FAILED;
	w[0] = entry[0];
	w[1] = info->ext_l2 ? entry[1] : 0;
	return L2_ENTRY;
}

void l2_forget(struct l2_image *image)
{
	window_forget(&image->l1);
	window_forget(&image->l2);
}

/* ---- preallocation ---- */

struct refcounts {
	const struct l2_image *image;
	unsigned int order;		/* log2 of the bits of one */
	struct window table;
	struct window block;
};

static int find_order(struct refcounts *refs)
{
	const struct qcow2_header *h = window_read(&refs->table, &refs->image->file, 0, "header");

	if (!h)
		return -1;
	refs->order = refs->image->info.version < 3 ? 4 : be32_to_cpu(h->refcount_order);
	return 0;
}

/* Is the cluster in use? Returns 1, 0, or -1 if that is not known. */
static int in_use(struct refcounts *refs, uint64_t cluster)
{
	const struct q2_info *info = &refs->image->info;
	unsigned int per_block_bits = info->cluster_bits + 3 - refs->order;
	uint64_t index = cluster >> per_block_bits;
	uint64_t bit = (cluster & ((1ULL << per_block_bits) - 1)) << refs->order;
	const __be64 *entry;
	const uint8_t *bytes;
	uint64_t block;
	unsigned int i;

	if (index >= info->rt_bytes / sizeof(*entry))
		return 0;
	entry = window_read(&refs->table, &refs->image->file, info->rt_offset + index * sizeof(*entry),
			    "refcount table");
	if (!entry)
		return -1;
	block = be64_to_cpu(*entry) & ~511ULL;
	if (!block)
		return 0;
	if (block & (q2_cluster_size(info) - 1))
		return -1;
	bytes = window_read(&refs->block, &refs->image->file, block + bit / 8, "refcount block");
	if (!bytes)
		return -1;
	if (refs->order < 3)
		return *bytes >> (bit & 7) & ((1U << (1U << refs->order)) - 1) ? 1 : 0;
	for (i = 0; i < 1U << (refs->order - 3); i++)
		if (bytes[i])
			return 1;
	return 0;
}

/* What cannot be read is no reason to fail: it decides only how closely it is looked. */
bool l2_is_preallocated(const struct l2_image *image, uint64_t allocated)
{
	struct refcounts refs = { .image = image };
	uint64_t size = q2_cluster_size(&image->info);
	uint64_t end = (readable_size(&image->file) + size - 1) / size, have = allocated / size;
	uint64_t limit = have * 10 / 9 > have + 2 ? have * 10 / 9 : have + 2;
	uint64_t cluster, used = 0;
	int ret = find_order(&refs);

	for (cluster = 0; ret >= 0 && cluster < end && used < limit; cluster++) {
		ret = in_use(&refs, cluster);
		used += ret > 0;
	}
	window_forget(&refs.table);
	window_forget(&refs.block);
	return ret >= 0 && used >= limit;
}
