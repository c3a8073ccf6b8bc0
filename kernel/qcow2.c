// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pure qcow2 code; see qcow2.h.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sort.h>
#include <linux/string.h>
#endif
#include "qcow2.h"

const char * const q2_not_prepared =
	"cluster is not preallocated, layer is not prepared for writing: put a prepared one on it";

int q2_header_bytes(const void *sector, struct q2_error *err)
{
	const struct qcow2_header *h = sector;
	u32 bits = be32_to_cpu(h->cluster_bits);

	if (be32_to_cpu(h->magic) != QCOW2_MAGIC)
		return q2_fail(err, -EMEDIUMTYPE, "not a qcow2 image");
	if (bits < QCOW2_MIN_CLUSTER_BITS || bits > QCOW2_MAX_CLUSTER_BITS)
		return q2_fail(err, -EMEDIUMTYPE, "unsupported cluster size 2^%u", bits);
	return 1 << bits;
}

/* Is [offset, offset + len) a cluster-aligned range inside the device? */
static bool q2_table_ok(const struct q2_info *info, u64 offset, u64 len, u64 dev_size)
{
	return !(offset & (q2_cluster_size(info) - 1)) && offset &&
	       len <= dev_size && offset <= dev_size - len;
}

/* The bit is set if, and only if, the type is another one than zlib. */
static int q2_parse_compression(const struct qcow2_header *h, struct q2_info *info,
				struct q2_error *err)
{
	bool bit = info->incompatible & QCOW2_INCOMPAT_COMPRESSION;
	bool zlib;

	if (info->header_length > offsetof(struct qcow2_header, compression_type))
		info->compression = h->compression_type;
	zlib = info->compression == QCOW2_ZLIB;
	if (bit == zlib)
		return q2_fail(err, -EINVAL, "compression type %u does not fit the feature bits",
			       info->compression);
	if (info->compression > QCOW2_ZSTD)
		return q2_fail(err, -EOPNOTSUPP, "unknown compression type %u", info->compression);
	return 0;
}

static int q2_parse_v3(const struct qcow2_header *h, u32 len, struct q2_info *info,
		       struct q2_error *err)
{
	u64 unknown;

	if (info->version == 2) {
		info->header_length = QCOW2_V2_HEADER_LENGTH;
		return 0;
	}
	info->incompatible = be64_to_cpu(h->incompatible_features);
	info->compatible = be64_to_cpu(h->compatible_features);
	info->autoclear = be64_to_cpu(h->autoclear_features);
	info->header_length = be32_to_cpu(h->header_length);
	if (info->header_length < QCOW2_V3_HEADER_LENGTH ||
	    info->header_length % 8 || info->header_length > len)
		return q2_fail(err, -EINVAL, "bad header length %u", info->header_length);
	unknown = info->incompatible & ~QCOW2_INCOMPAT_KNOWN;
	if (unknown) {
		u32 bit = 0;

		while (!(unknown & (1ULL << bit)))
			bit++;
		return q2_fail(err, -EOPNOTSUPP, "unknown incompatible feature bit %u", bit);
	}
	if (be32_to_cpu(h->refcount_order) > 6)
		return q2_fail(err, -EINVAL, "bad refcount order %u",
			       be32_to_cpu(h->refcount_order));
	info->ext_l2 = info->incompatible & QCOW2_INCOMPAT_EXTL2;
	info->data_file = info->incompatible & QCOW2_INCOMPAT_DATA_FILE;
	if (info->ext_l2 && info->cluster_bits < QCOW2_MIN_EXT_L2_CLUSTER_BITS)
		return q2_fail(err, -EINVAL, "cluster size 2^%u is too small for extended L2",
			       info->cluster_bits);
	return q2_parse_compression(h, info, err);
}

/*
 * Walk the header extensions. They end with an end marker, or where the backing file name begins
 * (specification, "Header extensions").
 */
static int q2_parse_extensions(const u8 *buf, u32 len, struct q2_info *info,
			       struct q2_error *err)
{
	u32 end = info->backing_offset ? info->backing_offset : len;
	u32 pos = info->header_length;

	while (pos <= end && end - pos >= sizeof(struct qcow2_ext_header)) {
		const struct qcow2_ext_header *e = (const void *)(buf + pos);
		u32 type = be32_to_cpu(e->type);
		u32 bytes = be32_to_cpu(e->length);
		u32 room;

		pos += sizeof(*e);
		if (type == QCOW2_EXT_END) {
			info->ext_end = pos;
			return 0;
		}
		if (bytes > end - pos)
			return q2_fail(err, -EINVAL, "header extension 0x%08x is too long", type);
		room = (bytes + 7) & ~7U;
		if (type == QCOW2_EXT_BACKING_FORMAT) {
			info->format_offset = pos;
			info->format_len = bytes;
			info->format_room = room;
		}
		if (type == QCOW2_EXT_IDENT && !info->ident_offset) {
			info->ident_offset = pos;
			info->ident_len = bytes;
		}
		if (room > end - pos)
			break;
		pos += room;
	}
	return 0;
}

static int q2_parse_backing(const struct qcow2_header *h, u32 len, struct q2_info *info,
			    struct q2_error *err)
{
	u64 offset = be64_to_cpu(h->backing_file_offset);
	u32 size = be32_to_cpu(h->backing_file_size);

	if (!offset)
		return 0;
	if (offset < info->header_length || offset > len || size > len - offset)
		return q2_fail(err, -EINVAL, "backing file name lies outside the header cluster");
	if (size > QCOW2_MAX_BACKING_NAME)
		return q2_fail(err, -EINVAL, "backing file name is too long (%u bytes)", size);
	info->backing_offset = offset;
	info->backing_len = size;
	return 0;
}

static int q2_parse_tables(const struct qcow2_header *h, u64 dev_size, struct q2_info *info,
			   struct q2_error *err)
{
	u64 rt_clusters = be32_to_cpu(h->refcount_table_clusters);
	u32 shift, need;

	info->l1_offset = be64_to_cpu(h->l1_table_offset);
	info->l1_entries = be32_to_cpu(h->l1_size);
	info->rt_offset = be64_to_cpu(h->refcount_table_offset);
	if (info->l1_entries > QCOW2_MAX_L1_BYTES / 8)
		return q2_fail(err, -EFBIG, "L1 table is too large (%u entries)", info->l1_entries);
	if (rt_clusters << info->cluster_bits > QCOW2_MAX_REFTABLE_BYTES)
		return q2_fail(err, -EFBIG, "refcount table is too large");
	info->rt_bytes = rt_clusters << info->cluster_bits;

	info->l2_bits = info->cluster_bits - (info->ext_l2 ? 4 : 3);
	info->sub_bits = info->cluster_bits - (info->ext_l2 ? QCOW2_SUBCLUSTER_BITS : 0);
	shift = info->cluster_bits + info->l2_bits;
	if (info->size >> 56)
		return q2_fail(err, -EFBIG, "virtual size is too large");
	need = min_t(u64, (info->size + (1ULL << shift) - 1) >> shift, 0xffffffffU);
	if (info->l1_entries < need)
		return q2_fail(err, -EINVAL, "L1 table is too small: %u of %u entries",
			       info->l1_entries, need);
	if (info->l1_entries &&
	    !q2_table_ok(info, info->l1_offset, info->l1_entries * 8ULL, dev_size))
		return q2_fail(err, -EINVAL,
			       "L1 table is not inside the device (image truncated?)");
	if (!rt_clusters || !q2_table_ok(info, info->rt_offset, info->rt_bytes, dev_size))
		return q2_fail(err, -EINVAL,
			       "refcount table is not inside the device (image truncated?)");
	return 0;
}

int q2_parse_header(const void *buf, u32 len, u64 dev_size,
		    struct q2_info *info, struct q2_error *err)
{
	const struct qcow2_header *h = buf;
	int r = q2_header_bytes(buf, err);

	memset(info, 0, sizeof(*info));
	if (r < 0)
		return r;
	if ((u32)r > len)
		return q2_fail(err, -EINVAL, "image is smaller than its header cluster");
	len = r;
	info->version = be32_to_cpu(h->version);
	if (info->version != 2 && info->version != 3)
		return q2_fail(err, -EMEDIUMTYPE, "unsupported qcow2 version %u", info->version);
	info->cluster_bits = be32_to_cpu(h->cluster_bits);
	info->size = be64_to_cpu(h->size);
	info->crypt_method = be32_to_cpu(h->crypt_method);
	info->snapshots = be32_to_cpu(h->nb_snapshots);
	if (info->crypt_method)
		return q2_fail(err, -EOPNOTSUPP, "encrypted images are not supported (method %u)",
			       info->crypt_method);
	if (!info->size || info->size % 512)
		return q2_fail(err, -EINVAL, "virtual size %llu is not a multiple of 512",
			       (unsigned long long)info->size);
	r = q2_parse_v3(h, len, info, err);
	if (!r)
		r = q2_parse_tables(h, dev_size, info, err);
	if (!r)
		r = q2_parse_backing(h, len, info, err);
	if (!r)
		r = q2_parse_extensions(buf, len, info, err);
	return r;
}

int q2_check_writable(const struct q2_info *info, struct q2_error *err)
{
	u64 want = QCOW2_INCOMPAT_EXTL2;

	if (info->incompatible & QCOW2_INCOMPAT_DIRTY)
		return q2_fail(err, -EMEDIUMTYPE, "image is dirty, run qemu-img check -r all");
	if (info->incompatible & QCOW2_INCOMPAT_CORRUPT)
		return q2_fail(err, -EMEDIUMTYPE,
			       "image is marked corrupt, run qemu-img check -r all");
	if (info->version != 3 || (info->incompatible & ~QCOW2_INCOMPAT_DATA_FILE) != want)
		return q2_fail(err, -EMEDIUMTYPE,
			       "not prepared for writing: no extended L2 (version %u, features 0x%llx)",
			       info->version, (unsigned long long)info->incompatible);
	if (info->autoclear)
		return q2_fail(err, -EMEDIUMTYPE,
			       "not prepared for writing: autoclear features 0x%llx are set",
			       (unsigned long long)info->autoclear);
	if (info->snapshots)
		return q2_fail(err, -EMEDIUMTYPE,
			       "not prepared for writing: image has %u internal snapshots",
			       info->snapshots);
	if (info->cluster_bits < 17)
		return q2_fail(err, -EMEDIUMTYPE,
			       "not prepared for writing: cluster size must be 128 KiB to 2 MiB, is 2^%u",
			       info->cluster_bits);
	return 0;
}

static bool q2_overlaps(u64 a, u64 a_len, u64 b, u64 b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* Does a cluster at @offset overlap the header, the L1 or the refcount table? */
static bool q2_is_metadata(const struct q2_info *info, u64 offset)
{
	u64 size = q2_cluster_size(info);

	return offset < size ||
	       q2_overlaps(offset, size, info->l1_offset, info->l1_entries * 8ULL) ||
	       q2_overlaps(offset, size, info->rt_offset, info->rt_bytes);
}

static int q2_cmp_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* L1 entries that the virtual size needs; the table itself may be longer. */
static u32 q2_l1_used(const struct q2_info *info)
{
	u32 shift = info->cluster_bits + info->l2_bits;

	return (info->size + (1ULL << shift) - 1) >> shift;
}

int q2_check_l1(const struct q2_info *info, const __be64 *l1, u64 *tables,
		u64 dev_size, struct q2_error *err)
{
	u32 i, n = 0, used = q2_l1_used(info);

	for (i = 0; i < info->l1_entries; i++) {
		u64 entry = be64_to_cpu(l1[i]);
		u64 offset = entry & QCOW2_OFFSET_MASK;

		if (!entry && i >= used)
			continue;
		if (!entry)
			return q2_fail(err, -EMEDIUMTYPE,
				       "not prepared for writing: L1 entry %u has no L2 table", i);
		if (entry != (offset | QCOW2_COPIED) ||
		    !q2_table_ok(info, offset, q2_cluster_size(info), dev_size) ||
		    q2_is_metadata(info, offset))
			return q2_fail(err, -EMEDIUMTYPE, "L1 entry %u is bad: 0x%llx", i,
				       (unsigned long long)entry);
		tables[n++] = offset;
	}
	sort(tables, n, sizeof(*tables), q2_cmp_u64, NULL);
	for (i = 1; i < n; i++)
		if (tables[i] == tables[i - 1])
			return q2_fail(err, -EMEDIUMTYPE,
				       "two L1 entries share the L2 table at 0x%llx",
				       (unsigned long long)tables[i]);
	while (n < info->l1_entries)
		tables[n++] = ~0ULL;
	return 0;
}

bool q2_is_table(const struct q2_info *info, const u64 *tables, u64 offset)
{
	u32 lo = 0, hi = info->l1_entries;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (tables[mid] == offset)
			return true;
		if (tables[mid] < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

const char *q2_l2_offset(const struct q2_info *info, __be64 l1_entry,
			 u64 dev_size, u64 *offset)
{
	*offset = be64_to_cpu(l1_entry) & QCOW2_OFFSET_MASK;
	if (!*offset)
		return NULL;
	if (*offset & (q2_cluster_size(info) - 1))
		return "L2 table is not aligned";
	/* QEMU reads zeros behind the end of a file. */
	if (*offset >= dev_size)
		return "L2 table lies outside the device";
	return NULL;
}

/*
 * Check the host cluster of an entry of either kind. One without data is never read: a file may
 * well end before a cluster that was preallocated in it.
 */
static const char *q2_check_host(const struct q2_info *info, u64 cluster, u64 host,
				 const struct q2_cluster *c, u64 data_size)
{
	if (host & (q2_cluster_size(info) - 1))
		return "cluster offset is not aligned";
	if (info->data_file && host != cluster << info->cluster_bits)
		return "cluster offset in the data file is not the guest offset";
	if (c->alloc && host >= data_size)
		return "cluster lies outside the device";
	return NULL;
}

static const char *q2_decode_std(const struct q2_info *info, u64 cluster, u64 w0,
				 u64 data_size, struct q2_cluster *c)
{
	u64 host = w0 & QCOW2_OFFSET_MASK;

	if (w0 & QCOW2_ZERO) {
		if (info->version < 3)
			return "zero cluster in a version 2 image";
		c->zero = ~0U;
		return host ? q2_check_host(info, cluster, host, c, data_size) : NULL;
	}
	/* Guest cluster 0 of an external data file lies at offset 0. */
	if (!host && !(info->data_file && (w0 & QCOW2_COPIED)))
		return NULL;
	c->alloc = ~0U;
	c->host = host;
	return q2_check_host(info, cluster, host, c, data_size);
}

u32 q2_packed_range(const struct q2_info *info, u64 packed, u64 *offset)
{
	u32 size_bits = info->cluster_bits - 8;
	u32 shift = 62 - size_bits;
	u32 sectors = ((packed >> shift) & ((1U << size_bits) - 1)) + 1;

	*offset = packed & ((1ULL << shift) - 1);
	return sectors * 512 - (*offset & 511);
}

static const char *q2_decode_packed(const struct q2_info *info, u64 desc, u64 data_size,
				    struct q2_cluster *c)
{
	u64 offset;

	if (info->data_file)
		return "compressed cluster in an image with an external data file";
	c->packed = desc & ~QCOW2_COPIED;
	q2_packed_range(info, c->packed, &offset);
	return offset < data_size ? NULL : "compressed cluster lies outside the device";
}

const char *q2_decode(const struct q2_info *info, u64 cluster, __be64 w0,
		      __be64 w1, u64 data_size, struct q2_cluster *c)
{
	u64 desc = be64_to_cpu(w0), bitmap = be64_to_cpu(w1);
	u64 host = desc & QCOW2_OFFSET_MASK;

	c->host = 0;
	c->alloc = 0;
	c->zero = 0;
	c->packed = 0;
	if (desc & QCOW2_COMPRESSED)
		return q2_decode_packed(info, desc, data_size, c);
	if (!info->ext_l2)
		return q2_decode_std(info, cluster, desc, data_size, c);

	c->alloc = bitmap;
	c->zero = bitmap >> 32;
	if (c->alloc & c->zero)
		return "subcluster is both allocated and zero";
	if (!host && !(info->data_file && (desc & QCOW2_COPIED)))
		return c->alloc ? "subclusters allocated in a cluster without offset" : NULL;
	c->host = host;
	return q2_check_host(info, cluster, host, c, data_size);
}

const char *q2_decode_top(const struct q2_info *info, const u64 *tables, u64 cluster,
			  __be64 w0, __be64 w1, u64 data_size, struct q2_cluster *c)
{
	u64 guest = cluster << info->cluster_bits;
	u64 desc = be64_to_cpu(w0);
	u64 host = desc & QCOW2_OFFSET_MASK;
	u64 need = min_t(u64, q2_cluster_size(info), info->size - guest);
	const char *why;

	if (!desc && !info->data_file)
		return q2_not_prepared;
	if (desc & QCOW2_COMPRESSED)
		return "compressed cluster in a layer that is written";
	if (desc && desc != (host | QCOW2_COPIED))
		return "reserved or missing bits in the cluster descriptor";
	why = q2_decode(info, cluster, w0, w1, data_size, c);
	if (why)
		return why;
	if (info->data_file)
		host = guest;
	c->host = host;
	if (need > data_size || host > data_size - need)
		return "cluster reaches beyond the device";
	if (!info->data_file &&
	    (q2_is_metadata(info, host) || q2_is_table(info, tables, host)))
		return "cluster lies on the image's own metadata";
	return NULL;
}

u32 q2_sub_mask(const struct q2_info *info, u64 cluster)
{
	u64 guest = cluster << info->cluster_bits;
	u64 left, subs;

	if (guest >= info->size)
		return 0;
	left = info->size - guest;
	subs = (left + (1ULL << info->sub_bits) - 1) >> info->sub_bits;
	return subs >= 32 ? ~0U : (1U << subs) - 1;
}

/* What q2_ident_update() inserts: two extensions, one with data of 8 bytes. */
#define Q2_IDENT_ROOM	(2 * sizeof(struct qcow2_ext_header) + 8 + QCOW2_IDENT_BYTES)

u32 q2_find_slot(const struct q2_info *info, u32 bytes, u32 taken, u32 taken_bytes)
{
	u32 size = q2_cluster_size(info);
	u32 end = info->ext_end + (info->ident_offset ? 0 : Q2_IDENT_ROOM);
	u32 pos;

	for (pos = 1024; pos + 1024 <= size; pos += 1024) {
		if (pos < end)
			continue;
		if (info->backing_offset &&
		    q2_overlaps(pos, bytes, info->backing_offset, info->backing_len))
			continue;
		if (taken && q2_overlaps(pos, bytes, taken, taken_bytes))
			continue;
		return pos;
	}
	return 0;
}

/*
 * Change the format extension in place, or insert one in front of the end marker. Both change the
 * first sector only, which is written at once. The old name may be overwritten, since the same
 * write replaces it.
 */
static int q2_set_format(const struct q2_info *info, u8 *buf, const char *format,
			 struct q2_error *err)
{
	u32 len = strlen(format);
	u32 room = (len + 7) & ~7U;
	struct qcow2_ext_header *e;

	if (info->format_offset && info->format_len == len &&
	    !memcmp(buf + info->format_offset, format, len))
		return 0;
	if (info->format_offset) {
		/* Another size would shift the extensions behind it. */
		if (room != info->format_room || info->format_offset + room > 512)
			return q2_fail(err, -ENOSPC, "no room for backing format %s in the header",
				       format);
		e = (void *)(buf + info->format_offset - sizeof(*e));
		e->length = cpu_to_be32(len);
		memset(buf + info->format_offset, 0, room);
		memcpy(buf + info->format_offset, format, len);
		return 0;
	}
	if (info->ext_end + sizeof(*e) + room > 512)
		return q2_fail(err, -ENOSPC, "no room for a backing format in the header");
	e = (void *)(buf + info->ext_end - sizeof(*e));
	e->type = cpu_to_be32(QCOW2_EXT_BACKING_FORMAT);
	e->length = cpu_to_be32(len);
	memset(e + 1, 0, room + sizeof(*e));
	memcpy(e + 1, format, len);
	return 0;
}

int q2_set_backing(const struct q2_info *info, void *buf, const char *name,
		   const char *format, struct q2_header_update *up,
		   struct q2_error *err)
{
	struct qcow2_header *h = buf;
	u32 len = name ? strlen(name) : 0;
	u32 slot = 0;
	int r;

	up->slot_offset = 0;
	up->slot_len = 0;
	if (!info->ext_end)
		return q2_fail(err, -EMEDIUMTYPE, "header extensions have no end marker");
	if (!name) {
		h->backing_file_offset = 0;
		h->backing_file_size = 0;
		return 0;
	}
	if (!len || len > QCOW2_MAX_BACKING_NAME)
		return q2_fail(err, -ENAMETOOLONG, "backing file name must have 1 to %u bytes",
			       QCOW2_MAX_BACKING_NAME);
	slot = q2_find_slot(info, len, 0, 0);
	if (!slot)
		return q2_fail(err, -ENOSPC, "no room for a backing file name in the header");
	r = q2_set_format(info, buf, format, err);
	if (r)
		return r;
	memcpy((u8 *)buf + slot, name, len);
	h->backing_file_offset = cpu_to_be64(slot);
	h->backing_file_size = cpu_to_be32(len);
	up->slot_offset = slot;
	up->slot_len = len;
	return 0;
}
