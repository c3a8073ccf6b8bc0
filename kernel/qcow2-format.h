/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The qcow2 on-disk format, as far as dm-cowchain needs it.
 *
 * The source is docs/interop/qcow2.txt of QEMU, called "the specification" in this directory.
 * Everything on disk is big endian. Shared with userspace.
 */
#ifndef COWCHAIN_QCOW2_FORMAT_H
#define COWCHAIN_QCOW2_FORMAT_H

#include <linux/types.h>

#define QCOW2_MAGIC			0x514649fbU	/* "QFI\xfb" */

#define QCOW2_MIN_CLUSTER_BITS		9
#define QCOW2_MAX_CLUSTER_BITS		21
#define QCOW2_MIN_EXT_L2_CLUSTER_BITS	14
#define QCOW2_SUBCLUSTERS		32		/* per extended L2 entry */
#define QCOW2_SUBCLUSTER_BITS		5

#define QCOW2_V2_HEADER_LENGTH		72
#define QCOW2_V3_HEADER_LENGTH		104
#define QCOW2_MAX_L1_BYTES		(32U << 20)
#define QCOW2_MAX_REFTABLE_BYTES	(8U << 20)
#define QCOW2_MAX_BACKING_NAME		1023

/* Incompatible feature bits */
#define QCOW2_INCOMPAT_DIRTY		(1ULL << 0)
#define QCOW2_INCOMPAT_CORRUPT		(1ULL << 1)
#define QCOW2_INCOMPAT_DATA_FILE	(1ULL << 2)
#define QCOW2_INCOMPAT_COMPRESSION	(1ULL << 3)
#define QCOW2_INCOMPAT_EXTL2		(1ULL << 4)
#define QCOW2_INCOMPAT_KNOWN		0x1fULL

/* Header extension types */
#define QCOW2_EXT_END			0x00000000U
#define QCOW2_EXT_BACKING_FORMAT	0xe2792acaU
#define QCOW2_EXT_DATA_FILE		0x44415441U

/* L1 and L2 entries */
#define QCOW2_COPIED			(1ULL << 63)
#define QCOW2_COMPRESSED		(1ULL << 62)
#define QCOW2_ZERO			(1ULL << 0)	/* standard L2 only */
#define QCOW2_OFFSET_MASK		0x00fffffffffffe00ULL

/* Compression types */
#define QCOW2_ZLIB			0
#define QCOW2_ZSTD			1

struct qcow2_header {
	__be32 magic;
	__be32 version;
	__be64 backing_file_offset;
	__be32 backing_file_size;
	__be32 cluster_bits;
	__be64 size;			/* virtual size, bytes */
	__be32 crypt_method;
	__be32 l1_size;			/* entries */
	__be64 l1_table_offset;
	__be64 refcount_table_offset;
	__be32 refcount_table_clusters;
	__be32 nb_snapshots;
	__be64 snapshots_offset;
	/* version 3 and later */
	__be64 incompatible_features;
	__be64 compatible_features;
	__be64 autoclear_features;
	__be32 refcount_order;
	__be32 header_length;
	/* header_length > 104 */
	__u8 compression_type;
	__u8 padding[7];
} __attribute__((packed));

struct qcow2_ext_header {
	__be32 type;
	__be32 length;			/* without the padding to 8 bytes */
} __attribute__((packed));

/* Extended L2 entry: "L2 table entry" of the specification. */
struct qcow2_l2_ext_entry {
	__be64 descriptor;
	__be64 bitmap;			/* 0-31 allocated, 32-63 reads as zeros */
} __attribute__((packed));

#endif /* COWCHAIN_QCOW2_FORMAT_H */
