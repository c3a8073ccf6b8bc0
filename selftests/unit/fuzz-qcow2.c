// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target over the kernel's pure qcow2 code: what must hold for a header, table or entry
 * that was accepted. An input is struct fuzz_input, L1 entries, L2 entries, the start of the header
 * cluster.
 *
 * The expected properties are computed independently, in wider integers and without the code's
 * helpers.
 */
#include "bytes.h"
#include "fuzz-image.h"
#include "fuzz-input.h"
#include "fuzz-update.h"

#define MAX_L1	4096u

typedef unsigned __int128 u128;

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void put_range(struct fuzz_image *img, u32 offset, const u8 *data, u32 len)
{
	len = min_t(u32, len, img->size - offset);
	image_touch(img, offset, len);
	memcpy(img->disk + offset, data, len);
}

static struct fuzz_image *make_image(const struct fuzz_input *in, const u8 *head, u32 len)
{
	struct fuzz_image *img;
	struct q2_error err;
	u8 sector[512] = { 0 };
	u32 half = len / 2 & ~7U;
	int r;

	memcpy(sector, head, min_t(u32, len, 512));
	r = q2_header_bytes(sector, &err);
	if (r < 0) {
		check(r == -EMEDIUMTYPE && err.text[0]);
		return NULL;
	}
	check(r >= 512 && r <= 1 << 21 && !(r & (r - 1)));
	img = image_get(__builtin_ctz(r));
	img->dev_size = in->dev_size;
	if (in->flags & F_TAIL) {
		put_range(img, 0, head, half);
		put_range(img, in->tail_at % img->size & ~7U, head + half, len - half);
	} else {
		put_range(img, 0, head, len);
	}
	return img;
}

/*
 * Most inputs would have a wrong checksum, and the code that comes after the check would not be
 * reached.
 */
static void fix_crcs(struct fuzz_image *img)
{
	struct q2_info info;
	struct q2_error err;
	u32 i, at, end;

	if (q2_parse_header(img->disk, img->size, img->dev_size, &info, &err) ||
	    !info.ident_offset || info.ident_len < QCOW2_IDENT_BYTES)
		return;
	image_touch(img, info.ident_offset, QCOW2_IDENT_BYTES);
	for (i = 0; i < QCOW2_IDENT_SLOTS; i++) {
		at = info.ident_offset + i * sizeof(struct qcow2_ident);
		end = at + sizeof(struct qcow2_ident) - 4;
		be_put(img->disk + end, 4, crc32c(img->disk + at, end - at));
	}
}

/* ------------------------------------------------------------------- the header */

static bool table_inside(const struct q2_info *info, u64 offset, u128 len, u64 dev_size)
{
	return offset && !(offset % (1ULL << info->cluster_bits)) &&
	       (u128)offset + len <= dev_size;
}

static void check_names(const struct fuzz_image *img, const struct q2_info *info)
{
	u32 size = img->size;
	u32 names = info->backing_offset ? info->backing_offset : size;

	check(info->backing_len <= QCOW2_MAX_BACKING_NAME);
	check(info->backing_offset <= size && info->backing_len <= size - info->backing_offset);
	check(!info->backing_offset || info->backing_offset >= info->header_length);
	check(info->ext_end <= names);
	check(!info->ext_end || info->ext_end >= info->header_length + 8);
	check(info->format_offset <= names && info->format_len <= names - info->format_offset);
	check(info->format_room >= info->format_len && info->format_room - info->format_len < 8);
	check(!info->format_offset || info->format_offset >= info->header_length + 8);
	check(info->ident_offset <= names && info->ident_len <= names - info->ident_offset);
	check(!info->ident_offset || info->ident_offset >= info->header_length + 8);
}

static void check_header(const struct fuzz_image *img, const struct q2_info *info)
{
	u64 cluster = 1ULL << info->cluster_bits;
	u128 per_table = (u128)(cluster / (info->ext_l2 ? 16 : 8)) << info->cluster_bits;

	check(cluster == img->size);
	check(info->version == 2 || info->version == 3);
	check(info->header_length >= (info->version == 2 ? 72 : 104));
	check(info->header_length % 8 == 0 && info->header_length <= img->size);
	check(info->size && info->size % 512 == 0);
	check(!(info->incompatible & ~0x1fULL) && !info->crypt_method);
	check((u128)info->l1_entries * per_table >= info->size);
	check(table_inside(info, info->l1_offset, (u128)info->l1_entries * 8, img->dev_size));
	check(table_inside(info, info->rt_offset, info->rt_bytes, img->dev_size));
	check(info->rt_bytes && info->rt_bytes <= 8U << 20 && info->l1_entries <= 4U << 20);
	check(info->l2_bits == info->cluster_bits - (info->ext_l2 ? 4 : 3));
	check(info->sub_bits == info->cluster_bits - (info->ext_l2 ? 5 : 0));
	check(!info->ext_l2 || info->sub_bits >= 9);
	check(!info->ext_l2 == !(info->incompatible & 0x10));
	check(!info->data_file == !(info->incompatible & 4));
	check_names(img, info);
}

static int parse_image(const struct fuzz_image *img, struct q2_info *info)
{
	struct q2_error err;
	struct q2_info again;
	int r;

	memset(&err, 0, sizeof(err));
	r = q2_parse_header(img->disk, img->size, img->dev_size, info, &err);
	if (r) {
		check(r == -EMEDIUMTYPE || r == -EOPNOTSUPP || r == -EINVAL || r == -EFBIG);
		check(err.text[0] && memchr(err.text, 0, sizeof(err.text)));
		return r;
	}
	check_header(img, info);
	/* The same bytes give the same result, and half of a header cluster is refused. */
	check(!q2_parse_header(img->disk, img->size, img->dev_size, &again, &err));
	check(!memcmp(&again, info, sizeof(again)));
	check(q2_parse_header(img->disk, img->size / 2, img->dev_size, &again, &err));
	return 0;
}

/* ----------------------------------------------------------------------- tables */

static bool meets(u128 a, u128 a_len, u128 b, u128 b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* Is it in the header, the L1 table or the refcount table, which must not be overwritten? */
static bool on_metadata(const struct q2_info *info, u64 offset)
{
	u64 size = 1ULL << info->cluster_bits;

	return meets(offset, size, 0, size) ||
	       meets(offset, size, info->l1_offset, (u128)info->l1_entries * 8) ||
	       meets(offset, size, info->rt_offset, info->rt_bytes);
}

static void check_l1(const struct q2_info *info, u64 dev_size, const __be64 *l1,
		     const u64 *sorted)
{
	u128 per_table = (u128)(1U << info->l2_bits) << info->cluster_bits;
	u32 i, n = 0;

	for (i = 0; i < info->l1_entries; i++) {
		u64 entry = be64_to_cpu(l1[i]);
		u64 offset = entry & 0x00fffffffffffe00ULL;

		if (!entry) {
			check(i * per_table >= info->size);
			continue;
		}
		check(entry == (offset | 1ULL << 63));
		check(table_inside(info, offset, 1ULL << info->cluster_bits, dev_size));
		check(!on_metadata(info, offset));
		n++;
	}
	for (i = 1; i < n; i++)
		check(sorted[i - 1] < sorted[i]);
}

/* The tables of an image that may be written, otherwise NULL. The caller frees them. */
static u64 *fuzz_l1(struct q2_info *info, const struct fuzz_input *in, const u8 *bytes)
{
	u32 i, nr = info->l1_entries;
	struct q2_error err;
	u64 offset, *tables;
	__be64 *l1;

	if (nr > MAX_L1)
		return NULL;
	l1 = calloc(nr, sizeof(*l1));
	tables = malloc(nr * sizeof(*tables));
	check(l1 && tables);
	memcpy(l1, bytes, min_t(u32, nr, in->nr_l1) * 8);
	for (i = 0; i < min_t(u32, nr, in->nr_l1); i++) {
		const char *why = q2_l2_offset(info, l1[i], in->dev_size, &offset);

		check(why || !offset || table_inside(info, offset, 1, in->dev_size));
	}
	if (!q2_check_l1(info, l1, tables, in->dev_size, &err)) {
		check_l1(info, in->dev_size, l1, tables);
	} else {
		check(err.text[0]);
		free(tables);
		tables = NULL;
	}
	free(l1);
	return tables;
}

/* ---------------------------------------------------------------------- entries */

/* By the words of the specification: bits 0 to x-1 are the offset, x to 61 the other sectors. */
static void check_packed(const struct q2_info *info, const struct q2_cluster *c, u64 data_size)
{
	u32 x = 62 - (info->cluster_bits - 8), bytes;
	u64 offset, want = 0, sectors = 0, bit;

	check(!c->alloc && !c->zero && !c->host && !info->data_file);
	for (bit = 0; bit < x; bit++)
		want |= c->packed & (1ULL << bit);
	for (bit = x; bit < 62; bit++)
		sectors += !!(c->packed & (1ULL << bit)) * (1ULL << (bit - x));
	bytes = q2_packed_range(info, c->packed, &offset);
	check(offset == want && offset < data_size);
	check(offset + bytes == (offset / 512 + sectors + 1) * 512);
	check(bytes && bytes <= 2ULL << info->cluster_bits);
}

static void check_entry(const struct q2_info *info, u64 cluster, const struct q2_cluster *c,
			u64 data_size)
{
	check(!(c->alloc & c->zero));
	check(info->ext_l2 || !c->alloc || !~c->alloc);
	if (c->packed)
		check_packed(info, c, data_size);
	if (!c->alloc)
		return;
	check(c->host % (1ULL << info->cluster_bits) == 0 && c->host < data_size);
	check(c->host || info->data_file);
	check(!info->data_file || c->host == cluster << info->cluster_bits);
}

static void check_top_entry(const struct q2_info *info, u64 cluster, u64 desc,
			    const struct q2_cluster *c, u64 data_size, const u64 *tables)
{
	u64 size = 1ULL << info->cluster_bits;
	u32 i;
	u64 left = info->size - cluster * size;

	check(c->host % size == 0);
	check((u128)c->host + (left < size ? left : size) <= data_size);
	if (info->data_file)
		check(c->host == cluster * size && (!desc || desc == (c->host | 1ULL << 63)));
	else
		check(desc == (c->host | 1ULL << 63) && !on_metadata(info, c->host));
	for (i = 0; !info->data_file && i < info->l1_entries; i++)
		check(tables[i] != c->host);
}

static void fuzz_entry(const struct q2_info *info, const u64 *tables, u64 cluster,
		       const __be64 *e, u64 data_size)
{
	struct q2_cluster c, top;
	const char *why = q2_decode(info, cluster, e[0], info->ext_l2 ? e[1] : 0, data_size, &c);
	const char *top_why;

	if (!why)
		check_entry(info, cluster, &c, data_size);
	if (!info->ext_l2 || !tables)
		return;
	top_why = q2_decode_top(info, tables, cluster, e[0], e[1], data_size, &top);
	if (top_why)
		return;
	/* A writer accepts nothing that a reader refuses, and decodes it to the same. */
	check(!why && c.alloc == top.alloc && c.zero == top.zero);
	check(!c.alloc || c.host == top.host);
	check_top_entry(info, cluster, be64_to_cpu(e[0]), &top, data_size, tables);
}

static void fuzz_entries(const struct q2_info *info, const u64 *tables,
			 const struct fuzz_input *in, const u8 *bytes)
{
	u64 size = 1ULL << info->cluster_bits;
	u64 clusters = info->size / size + !!(info->size % size);
	u64 cluster = in->cluster % clusters;
	u64 data_size = info->data_file ? in->data_size : in->dev_size;
	u32 i;

	for (i = 0; i < in->nr_l2; i++) {
		u64 at = (cluster + i) % clusters;
		u32 mask = q2_sub_mask(info, at);
		__be64 e[2];

		memcpy(e, bytes + 16 * i, 16);
		fuzz_entry(info, tables, at, e, data_size);
		check(mask && !(mask & (mask + 1)));
		check(!info->ext_l2 || at + 1 == clusters || !~mask);
	}
	check(!q2_sub_mask(info, clusters));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static unsigned int runs;
	struct fuzz_image *img;
	struct fuzz_input in;
	struct q2_error err;
	struct q2_info info;
	const u8 *l1, *l2;
	u64 *tables;

	if (size < sizeof(in))
		return -1;
	memcpy(&in, data, sizeof(in));
	l1 = data + sizeof(in);
	l2 = l1 + 8 * in.nr_l1;
	if (size < sizeof(in) + 8 * in.nr_l1 + 16 * in.nr_l2)
		return -1;
	size -= sizeof(in) + 8 * in.nr_l1 + 16 * in.nr_l2;
	img = make_image(&in, l2 + 16 * in.nr_l2, min_t(size_t, size, FUZZ_HEAD));
	if (!img)
		return 0;
	img->thorough = !(runs++ % 32);
	if (in.flags & F_CRC)
		fix_crcs(img);
	if (parse_image(img, &info))
		return 0;
	if (!q2_check_writable(&info, &err))
		check(info.version == 3 && info.ext_l2 && info.cluster_bits >= 17 &&
		      !info.snapshots && !info.autoclear && !(info.incompatible & 3));
	tables = fuzz_l1(&info, &in, l1);
	fuzz_entries(&info, tables, &in, l2);
	free(tables);
	fuzz_updates(img, &in, data);
	return 0;
}
