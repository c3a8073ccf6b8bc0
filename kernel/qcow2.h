/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pure qcow2 code: validates headers and tables, decodes and encodes entries.
 *
 * It has no I/O, allocations or locks, so that the same code is a part of the kernel module, the
 * tool, the unit tests and the fuzzer. All functions may be called in any context.
 */
#ifndef COWCHAIN_QCOW2_H
#define COWCHAIN_QCOW2_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include "qcow2-user.h"
#endif
#include "qcow2-format.h"
#include "identity-format.h"

/* What is wrong with an image, for the user. */
struct q2_error {
	char text[160];
};

#define q2_fail(err, code, fmt, ...) \
	(snprintf((err)->text, sizeof((err)->text), fmt, ##__VA_ARGS__), (code))

/**
 * struct q2_info - a validated header, in host byte order.
 * @size: virtual size in bytes, a multiple of 512.
 * @l1_offset, @l1_entries: the active L1 table, in bytes and entries.
 * @rt_offset, @rt_bytes: the refcount table.
 * @ext_end: first byte after the end marker of the header extensions; 0 if the extensions have no
 *	end marker.
 * @backing_offset, @backing_len: the backing file name; 0 if there is none.
 * @format_offset, @format_len: data of the backing format extension, or 0.
 * @format_room: bytes of @format_offset's slot, with the padding.
 * @ident_offset, @ident_len: data of the identity extension (qcow2-ident.h), or 0.
 * @l2_bits: log2 of the number of entries of one L2 table.
 * @sub_bits: log2 of the subcluster size in bytes (extended L2), or @cluster_bits.
 * @compression: QCOW2_ZLIB or QCOW2_ZSTD, of all compressed clusters.
 */
struct q2_info {
	u32 version;
	u32 cluster_bits;
	u64 size;
	u64 l1_offset;
	u32 l1_entries;
	u64 rt_offset;
	u32 rt_bytes;
	u32 snapshots;
	u64 incompatible;
	u64 compatible;
	u64 autoclear;
	u32 crypt_method;
	u32 header_length;
	u32 ext_end;
	u32 backing_offset;
	u32 backing_len;
	u32 format_offset;
	u32 format_len;
	u32 format_room;
	u32 ident_offset;
	u32 ident_len;
	u32 l2_bits;
	u32 sub_bits;
	u8 compression;
	bool ext_l2;
	bool data_file;
};

/**
 * struct q2_cluster - what one L2 entry says.
 * @host: byte offset of the cluster on the layer's data device; only valid if @alloc is not 0.
 * @alloc: one bit per subcluster: data at @host. All or none without extended L2.
 * @zero: one bit per subcluster: reads as zeros.
 * @packed: not 0 if the cluster is compressed; see q2_packed_range(). All else is 0 then.
 *
 * Otherwise a subcluster with neither bit is provided by the layer below.
 */
struct q2_cluster {
	u64 host;
	u32 alloc;
	u32 zero;
	u64 packed;
};

/* Bytes of one L2 entry. */
static inline u32 q2_l2_entry_size(const struct q2_info *info)
{
	return info->ext_l2 ? 16 : 8;
}

static inline u64 q2_cluster_size(const struct q2_info *info)
{
	return 1ULL << info->cluster_bits;
}

/**
 * q2_header_bytes() - find out how large the header cluster is.
 * @sector: the first 512 bytes of the image.
 * @err: what is wrong.
 *
 * Return: size of the header cluster in bytes, or -EMEDIUMTYPE if this is not a qcow2 image.
 */
int q2_header_bytes(const void *sector, struct q2_error *err);

/**
 * q2_parse_header() - validate the header cluster.
 * @buf: the first @len bytes of the image.
 * @len: what q2_header_bytes() returned.
 * @dev_size: bytes of the device that holds the metadata.
 * @info: filled in on success.
 * @err: what is wrong.
 *
 * Limits are QEMU's: see "Limits" in on-disk.rst.
 *
 * Return: 0, -EMEDIUMTYPE (not an image that can be used), -EOPNOTSUPP (an unknown feature, named
 * in @err), -EFBIG or -EINVAL (fields contradict each other or the device).
 */
int q2_parse_header(const void *buf, u32 len, u64 dev_size,
		    struct q2_info *info, struct q2_error *err);

/**
 * q2_check_writable() - check that an image may be written.
 *
 * Return: 0 or -EMEDIUMTYPE with the reason in @err.
 */
int q2_check_writable(const struct q2_info *info, struct q2_error *err);

/**
 * q2_check_l1() - validate the L1 table of an image that is to be written.
 * @info: the image.
 * @l1: info->l1_entries entries as on disk.
 * @tables: info->l1_entries values; on success the offsets of all L2 tables in ascending order, and
 *	~0 for each entry without one.
 * @dev_size: bytes of the device that holds the metadata.
 * @err: what is wrong.
 *
 * Every table has to be present, COPIED, aligned, inside the device, distinct and clear of the
 * header, the L1 and the refcount table.
 *
 * Return: 0 or -EMEDIUMTYPE.
 */
int q2_check_l1(const struct q2_info *info, const __be64 *l1, u64 *tables,
		u64 dev_size, struct q2_error *err);

/**
 * q2_is_table() - is this cluster one of the image's own L2 tables?
 * @tables: from q2_check_l1().
 * @offset: byte offset of the cluster.
 */
bool q2_is_table(const struct q2_info *info, const u64 *tables, u64 offset);

/**
 * q2_l2_offset() - where the L2 table of an L1 entry lies.
 * @l1_entry: as on disk.
 * @offset: byte offset of the table, 0 if there is none.
 *
 * The table begins inside of the device. What it lacks at its end reads as zeros.
 *
 * Return: NULL, or what is wrong with the entry.
 */
const char *q2_l2_offset(const struct q2_info *info, __be64 l1_entry,
			 u64 dev_size, u64 *offset);

/**
 * q2_decode() - decode one L2 entry for reading, by QEMU's rules.
 * @info: the image.
 * @cluster: guest cluster number.
 * @w0: descriptor as on disk.
 * @w1: bitmap as on disk, 0 without extended L2.
 * @data_size: bytes of the device that holds the data.
 * @c: filled in on success.
 *
 * Return: NULL, or what is wrong with the entry (guest gets EIO).
 */
const char *q2_decode(const struct q2_info *info, u64 cluster, __be64 w0,
		      __be64 w1, u64 data_size, struct q2_cluster *c);

/**
 * q2_decode_top() - decode one L2 entry of a layer that is to be written.
 * @tables: from q2_check_l1().
 *
 * As q2_decode(), but accepts nothing that a writer could not keep: see "Rules for a writer" in
 * on-disk.rst, 1 to 3. c->host is valid on success even if nothing is allocated yet.
 *
 * Return: NULL, or what is wrong with the entry.
 */
const char *q2_decode_top(const struct q2_info *info, const u64 *tables, u64 cluster,
			  __be64 w0, __be64 w1, u64 data_size, struct q2_cluster *c);

/**
 * q2_packed_range() - where a compressed cluster lies.
 * @packed: from q2_decode().
 * @offset: byte offset on the layer's data device. No part of a sector is too small for one.
 *
 * The length of the data is known as a number of sectors only ("Compressed Clusters Descriptor" in
 * the specification): it may be less, and may seem to go on behind the end of the file.
 *
 * Return: bytes up to the end of its last sector, 1 to two clusters.
 */
u32 q2_packed_range(const struct q2_info *info, u64 packed, u64 *offset);

/* What q2_decode_top() returns for a cluster that QEMU has freed. */
extern const char * const q2_not_prepared;

/**
 * q2_sub_mask() - subclusters of a cluster that lie inside the image.
 *
 * The last cluster of an image need not be whole; bits beyond its end are neither counted nor set.
 */
u32 q2_sub_mask(const struct q2_info *info, u64 cluster);

/**
 * struct q2_header_update - two writes that change the backing file name.
 * @slot_offset, @slot_len: bytes of the header cluster to write first (and flush); 0 length if no
 *	name is to be written.
 *
 * After that the first 512 bytes are written at once. After a crash at any point the header names
 * the old or the new file and never a third one.
 */
struct q2_header_update {
	u32 slot_offset;
	u32 slot_len;
};

/**
 * q2_set_backing() - change the backing file in a copy of the header cluster.
 * @info: what q2_parse_header() said about @buf.
 * @buf: the whole header cluster; modified.
 * @name: the new name, or NULL to drop the backing file.
 * @format: format of the new backing file ("raw", "qcow2"), ignored if @name is NULL.
 * @up: what to write.
 * @err: what is wrong.
 *
 * Return: 0, -ENAMETOOLONG, -EMEDIUMTYPE or -ENOSPC (no room in the header); @buf is unchanged
 * then.
 */
int q2_set_backing(const struct q2_info *info, void *buf, const char *name,
		   const char *format, struct q2_header_update *up,
		   struct q2_error *err);

/**
 * q2_find_slot() - a place in the header cluster for a backing file name.
 * @bytes: length of the name.
 * @taken, @taken_bytes: a range that is in use otherwise; 0 for none.
 *
 * It is clear of the extensions (and of the identity, if that is not there yet), of the current
 * name and of the first sector, so that writing it changes nothing that is in use.
 *
 * Return: its offset, or 0 if there is no room.
 */
u32 q2_find_slot(const struct q2_info *info, u32 bytes, u32 taken, u32 taken_bytes);

#endif /* COWCHAIN_QCOW2_H */
