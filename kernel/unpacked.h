/* SPDX-License-Identifier: GPL-2.0-only */
/* Compressed clusters of the layers: decompressed, and kept for a while. */
#ifndef COWCHAIN_UNPACKED_H
#define COWCHAIN_UNPACKED_H

#include "layer.h"

struct cc_unpacked;
struct cc_unpacker;

/**
 * struct cc_plain - a decompressed cluster, for its reader.
 * @cached: where it is, or
 * @unpacker: what it was decompressed with, if there was no memory to keep it.
 */
struct cc_plain {
	struct cc_unpacked *cached;
	struct cc_unpacker *unpacker;
};

/**
 * struct cc_source - a device with compressed clusters.
 * @list: of all.
 * @refs: layers that read it. Two chains on one golden image share what is decompressed.
 * @nr: its clusters in the cache.
 */
struct cc_source {
	struct list_head list;
	struct block_device *bdev;
	unsigned int cluster_bits;
	u8 compression;
	unsigned int refs;
	unsigned int nr;
};

/**
 * cc_source_get() - get ready to decompress clusters of a layer that is only read, or will be.
 *
 * If it was there before, only checks that nothing has changed. Context: process; makes nothing if
 * it was there before. Return: 0, -ENOMEM, or -EINVAL if the header has changed; logged.
 */
int cc_source_get(struct cc_layer *layer);

/* Tolerates a layer without. Nobody reads the layer. Context: process. */
void cc_source_put(struct cc_layer *layer);

/**
 * cc_unpacked_find() - a cluster that is in the cache.
 * @packed: its L2 entry, see q2_decode().
 *
 * Context: any. Return: false if it is not. After true it has to be put.
 */
bool cc_unpacked_find(struct cc_layer *layer, u64 packed, struct cc_plain *plain);

/**
 * cc_unpacked_get() - the same, or read and decompress it.
 *
 * Each cluster is decompressed once: others who want it meanwhile wait, and get the same result.
 * After success the caller may do nothing but copy from it until it is put.
 *
 * Context: process. Return: 0 or -errno, logged.
 */
int cc_unpacked_get(struct cc_layer *layer, u64 packed, struct cc_plain *plain);
void cc_unpacked_put(struct cc_plain *plain);

/* Copy from byte @offset of it. Context: any. */
void cc_unpacked_copy(const struct cc_plain *plain, u32 offset, void *to, u32 len);

/* Where sector @pos of the guest's disk is in its cluster, in bytes. Context: any. */
static inline u32 cc_packed_offset(const struct cc_layer *layer, sector_t pos)
{
	return (pos << SECTOR_SHIFT) & (q2_cluster_size(&layer->q2) - 1);
}

/* For the module. Context: process. Return: 0 or -errno. */
int cc_unpacked_init(void);
void cc_unpacked_exit(void);

#endif /* COWCHAIN_UNPACKED_H */
