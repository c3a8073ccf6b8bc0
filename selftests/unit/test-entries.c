// SPDX-License-Identifier: GPL-2.0-only
/*
 * L1 and L2 entries: section 2 of the design, line by line.
 */
#include "test.h"

#define COPIED	QCOW2_COPIED
#define HOST	(10ull * CLUSTER)	/* a sound host offset */

static char buf[CLUSTER];
static struct q2_info info;
static u64 tables[64];		/* L2 tables, as q2_check_l1() leaves them */

static void setup(u64 incompat)
{
	make_header(buf);
	put64(buf, H_INCOMPAT, incompat);
	if (parse(buf, &info) || info.l1_entries > 64)
		abort();
	memset(tables, 0xff, sizeof(tables));
	tables[0] = 4ull * CLUSTER;
}

static const char *decode(u64 cluster, u64 w0, u64 w1, struct q2_cluster *c)
{
	memset(c, 0xee, sizeof(*c));
	return q2_decode(&info, cluster, htobe64(w0), htobe64(w1), DEV_SIZE, c);
}

static const char *decode_top(u64 cluster, u64 w0, u64 w1, struct q2_cluster *c)
{
	memset(c, 0xee, sizeof(*c));
	return q2_decode_top(&info, tables, cluster, htobe64(w0), htobe64(w1), DEV_SIZE, c);
}

static void extended_good(void)
{
	struct q2_cluster c;

	setup(0x10);
	CHECK(!decode(3, 0, 0, &c) && !c.alloc && !c.zero);
	CHECK(!decode(3, HOST | COPIED, 0, &c) && !c.alloc && !c.zero);
	CHECK(!decode(3, HOST | COPIED, 0x5, &c) && c.alloc == 5 && !c.zero && c.host == HOST);
	CHECK(!decode(3, HOST | COPIED, 0x3ull << 32 | 0x10, &c));
	CHECK(c.alloc == 0x10 && c.zero == 3 && c.host == HOST);
	CHECK(!decode(3, HOST | COPIED, 0xffffffff, &c) && c.alloc == 0xffffffff);
	/* zeros need no offset */
	CHECK(!decode(3, 0, 0xffffffffull << 32, &c) && c.zero == 0xffffffff && !c.alloc);
	CHECK(!decode(3, HOST, 0x1, &c) && c.alloc == 1 && c.host == HOST, "not COPIED");
	CHECK(!decode(3, HOST | COPIED | 1, 0x1, &c) && c.alloc == 1 && !c.zero, "bit 0");
	CHECK(!decode(3, HOST | COPIED | 0x102, 0x1, &c) && c.alloc == 1 && c.host == HOST);
	CHECK(!decode(3, HOST | COPIED | 1ull << 57, 0x1, &c) && c.host == HOST, "reserved");
}

/* A file need not reach to what is preallocated in it; nothing is read there. */
static void nothing_outside(void)
{
	struct q2_cluster c;

	setup(0x10);
	CHECK(!decode(3, DEV_SIZE | COPIED, 0, &c) && !c.alloc && !c.zero);
	CHECK(!decode(3, DEV_SIZE | COPIED, 3ull << 32, &c) && !c.alloc && c.zero == 3);
	CHECK(decode(3, (DEV_SIZE + 512) | COPIED, 3ull << 32, &c), "unaligned");
	CHECK(decode(3, DEV_SIZE | COPIED, 3ull << 32 | 4, &c), "data, too");
	CHECK(decode_top(3, DEV_SIZE | COPIED, 0, &c), "a writer would put data there");
	CHECK(decode_top(3, DEV_SIZE | COPIED, 3ull << 32, &c), "zeros in a top");
	setup(0);
	CHECK(!decode(3, DEV_SIZE | COPIED | 1, 0, &c) && !c.alloc && !~c.zero);
	CHECK(decode(3, (DEV_SIZE + 512) | COPIED | 1, 0, &c), "unaligned");
	setup(0x14);
	CHECK(!q2_decode(&info, 3, htobe64(3 * CLUSTER | COPIED), htobe64(3ull << 32),
			 2 * CLUSTER, &c) && c.zero == 3);
	CHECK(q2_decode(&info, 3, htobe64(4 * CLUSTER | COPIED), htobe64(3ull << 32),
			2 * CLUSTER, &c), "another cluster's place");
	CHECK(q2_decode_top(&info, tables, 3, htobe64(3 * CLUSTER | COPIED), htobe64(3ull << 32),
			    2 * CLUSTER, &c), "zeros in a top");
}

static void extended_bad(void)
{
	struct q2_cluster c;
	unsigned int bit;

	setup(0x10);
	for (bit = 0; bit < 32; bit++)
		CHECK(decode(3, HOST | COPIED, 0x100000001ull << bit, &c), "bit %u in both", bit);
	CHECK(decode(3, 0, 1, &c), "allocated without an offset");
	CHECK(decode(3, COPIED, 1, &c), "allocated at 0");
	CHECK(decode(3, (HOST + 512) | COPIED, 1, &c), "unaligned");
	CHECK(decode(3, (HOST + CLUSTER / 2) | COPIED, 1, &c), "unaligned");
	CHECK(decode(3, DEV_SIZE | COPIED, 1, &c), "beyond the device");
	CHECK(decode(3, QCOW2_OFFSET_MASK / CLUSTER * CLUSTER | COPIED, 1, &c), "far beyond");
}

static void standard(void)
{
	struct q2_cluster c;

	setup(0);
	CHECK(!decode(3, 0, 0, &c) && !c.alloc && !c.zero);
	CHECK(!decode(3, HOST | COPIED, 0, &c) && c.alloc && !c.zero && c.host == HOST);
	CHECK(c.alloc == 0xffffffff, "all or none");
	CHECK(!decode(3, HOST, 0, &c) && c.alloc, "shared by a snapshot");
	CHECK(!decode(3, 1, 0, &c) && !c.alloc && c.zero == 0xffffffff, "zero cluster");
	CHECK(!decode(3, HOST | COPIED | 1, 0, &c) && !c.alloc && c.zero, "preallocated zero");
	CHECK(decode(3, (HOST + 512) | COPIED, 0, &c), "unaligned");
	CHECK(decode(3, DEV_SIZE | COPIED, 0, &c), "beyond the device");
	CHECK(decode(3, (HOST + 512) | COPIED | 1, 0, &c), "unaligned, and zero");
	info.version = 2;
	CHECK(decode(3, HOST | COPIED | 1, 0, &c), "a zero cluster in version 2");
}

/* A descriptor of a compressed cluster. */
static u64 packed(u64 offset, u64 more_sectors)
{
	return QCOW2_COMPRESSED | more_sectors << (62 - (info.cluster_bits - 8)) | offset;
}

static void compressed(void)
{
	struct q2_cluster c;
	u64 at;
	int ext;

	for (ext = 0; ext < 2; ext++) {
		setup(ext ? 0x10 : 0);
		CHECK(!decode(3, packed(HOST + 77, 5), ext ? ~0ull : 0, &c), "whatever the bitmap says");
		CHECK(c.packed == packed(HOST + 77, 5) && !c.alloc && !c.zero && !c.host);
		CHECK(q2_packed_range(&info, c.packed, &at) == 6 * 512 - 77 && at == HOST + 77);
		CHECK(!decode(3, packed(HOST, 0) | COPIED, 0, &c) && c.packed == packed(HOST, 0));
		CHECK(!decode(3, packed(DEV_SIZE - 1, 511), 0, &c), "its length is an upper bound");
		CHECK(q2_packed_range(&info, c.packed, &at) == 512 * 512 - 511);
		CHECK(decode(3, packed(DEV_SIZE, 0), 0, &c), "beyond the device");
		CHECK(decode(3, packed((1ull << 53) - 1, 0), 0, &c), "far beyond");
		CHECK(decode_top(3, packed(HOST, 0), 0, &c), "not in a top");
	}
	setup(0x14);
	CHECK(decode(3, packed(3 * CLUSTER, 0), 0, &c), "with an external data file");
	setup(0);
	for (info.cluster_bits = 9; info.cluster_bits <= 21; info.cluster_bits++) {
		u64 most = (1ull << (info.cluster_bits - 8)) - 1;

		CHECK(q2_packed_range(&info, packed(512, most), &at) == 2u << info.cluster_bits);
		CHECK(q2_packed_range(&info, packed(1023, most) | COPIED, &at) ==
		      (2u << info.cluster_bits) - 511 && at == 1023);
	}
}

static void external(void)
{
	struct q2_cluster c;

	setup(0x14);
	CHECK(!decode(3, 3 * CLUSTER | COPIED, 1, &c) && c.alloc == 1 && c.host == 3 * CLUSTER);
	CHECK(!decode(0, COPIED, 1, &c) && c.alloc == 1 && !c.host, "guest cluster 0");
	CHECK(decode(3, 4 * CLUSTER | COPIED, 1, &c), "another cluster's place");
	CHECK(decode(3, COPIED, 1, &c), "cluster 0's place");
	/* for a writer: nothing, or the guest's own offset */
	CHECK(!decode_top(3, 0, 0, &c) && c.host == 3 * CLUSTER);
	CHECK(!decode_top(3, 3 * CLUSTER | COPIED, 1, &c) && c.host == 3 * CLUSTER);
	CHECK(!decode_top(0, COPIED, 0, &c) && !c.host);
	CHECK(decode_top(3, 3 * CLUSTER, 1, &c), "not COPIED");
	CHECK(decode_top(3, 4 * CLUSTER | COPIED, 0, &c), "wrong even if nothing is allocated");
	CHECK(decode_top(3, 3 * CLUSTER | COPIED | 2, 0, &c), "reserved bit");
}

static void top(void)
{
	struct q2_cluster c;

	setup(0x10);
	CHECK(!decode_top(3, HOST | COPIED, 0, &c) && !c.alloc && c.host == HOST);
	CHECK(!decode_top(3, HOST | COPIED, 0x300000004ull, &c) && c.alloc == 4 && c.zero == 3);
	CHECK(decode_top(3, 0, 0, &c) == q2_not_prepared, "freed by QEMU");
	CHECK(decode_top(3, 0, 0xffffffffull << 32, &c) == q2_not_prepared, "freed and zeroed");
	CHECK(decode_top(3, HOST, 0, &c), "not COPIED");
	CHECK(decode_top(3, HOST | COPIED, 0x100000001ull, &c), "allocated and zero");
	CHECK(decode_top(3, HOST | COPIED | QCOW2_COMPRESSED, 0, &c));
	CHECK(decode_top(3, (HOST + 4096) | COPIED, 0, &c), "unaligned");
	CHECK(decode_top(3, DEV_SIZE | COPIED, 0, &c), "beyond the device");
	CHECK(decode_top(3, (DEV_SIZE - CLUSTER / 2) | COPIED, 0, &c), "half of it beyond");
	CHECK(decode_top(3, HOST | COPIED | 2, 0, &c), "reserved bit");
	CHECK(decode_top(3, CLUSTER | COPIED, 0, &c), "onto the refcount table");
	CHECK(decode_top(3, 3 * CLUSTER | COPIED, 0, &c), "onto the L1 table");
	CHECK(decode_top(3, COPIED, 0, &c), "onto the header");
	CHECK(decode_top(3, 4 * CLUSTER | COPIED, 0, &c), "onto an L2 table");
}

static void masks(void)
{
	u64 last = GUEST_SIZE / CLUSTER - 1;

	setup(0x10);
	CHECK(q2_sub_mask(&info, 0) == 0xffffffff);
	CHECK(q2_sub_mask(&info, last) == 0xffffffff);
	CHECK(!q2_sub_mask(&info, last + 1), "beyond the end");
	make_header(buf);
	put64(buf, H_SIZE, GUEST_SIZE - CLUSTER + 512);
	CHECK(!parse(buf, &info));
	CHECK(q2_sub_mask(&info, last) == 1, "a part of one subcluster");
	put64(buf, H_SIZE, GUEST_SIZE - 4096);
	CHECK(!parse(buf, &info));
	CHECK(q2_sub_mask(&info, last) == 0x7fffffff);
	put64(buf, H_SIZE, GUEST_SIZE - 4096 + 512);
	CHECK(!parse(buf, &info));
	CHECK(q2_sub_mask(&info, last) == 0xffffffff);
}

static void l2_offsets(void)
{
	u64 off;

	setup(0x10);
	CHECK(!q2_l2_offset(&info, 0, DEV_SIZE, &off) && !off);
	CHECK(!q2_l2_offset(&info, htobe64(HOST | COPIED), DEV_SIZE, &off) && off == HOST);
	CHECK(!q2_l2_offset(&info, htobe64(HOST), DEV_SIZE, &off) && off == HOST);
	CHECK(q2_l2_offset(&info, htobe64((HOST + 512) | COPIED), DEV_SIZE, &off));
	CHECK(q2_l2_offset(&info, htobe64(DEV_SIZE | COPIED), DEV_SIZE, &off));
	CHECK(q2_l2_offset(&info, htobe64((DEV_SIZE - 512) | COPIED), DEV_SIZE, &off));
	CHECK(!q2_l2_offset(&info, htobe64((DEV_SIZE - CLUSTER) | COPIED), DEV_SIZE - 512, &off),
	      "without its end");
}

/* Every table is found, and nothing beside it, however many there are. */
static void own_tables(void)
{
	u32 i, n;

	setup(0x10);
	for (n = 0; n <= 64; n++) {
		info.l1_entries = n;
		for (i = 0; i < n; i++)
			tables[i] = (10 + 2 * i) * (u64)CLUSTER;
		for (i = 0; i < n; i++)
			CHECK(q2_is_table(&info, tables, tables[i]), "%u of %u", i, n);
		for (i = 0; i <= n; i++)
			CHECK(!q2_is_table(&info, tables, (9 + 2 * i) * (u64)CLUSTER));
	}
}

static int check_l1(u64 e0, u64 e1)
{
	__be64 l1[2] = { htobe64(e0), htobe64(e1) };

	last_error.text[0] = 0;
	return q2_check_l1(&info, l1, tables, DEV_SIZE, &last_error);
}

static void l1_tables(void)
{
	const u64 a = 8ull * CLUSTER | COPIED;
	const u64 b = 9ull * CLUSTER | COPIED;

	make_header(buf);
	put32(buf, H_L1_SIZE, 2);
	put64(buf, H_SIZE, (1ull << 30) + CLUSTER);
	CHECK(!parse(buf, &info));
	CHECK(!check_l1(a, b));
	CHECK(!check_l1(b, a), "in any order");
	CHECK(tables[0] == 8ull * CLUSTER && tables[1] == 9ull * CLUSTER);
	CHECK(check_l1(a, a), "one table twice");
	CHECK(check_l1(a, 0), "missing");
	CHECK(check_l1(a, 9ull * CLUSTER), "not COPIED");
	CHECK(check_l1(a, b + 512), "unaligned");
	CHECK(check_l1(a, DEV_SIZE | COPIED), "beyond the device");
	CHECK(check_l1(a, COPIED), "onto the header");
	CHECK(check_l1(a, CLUSTER | COPIED), "onto the refcount table");
	CHECK(check_l1(a, 3ull * CLUSTER | COPIED), "onto the L1 table");
	CHECK(check_l1(a, ~0ull), "nonsense");
	CHECK(last_error.text[0], "without a reason");
	/* an entry that the size does not need may be empty, but not bad */
	put64(buf, H_SIZE, 1ull << 30);
	CHECK(!parse(buf, &info) && info.l1_entries == 2);
	CHECK(!check_l1(a, 0));
	CHECK(tables[0] == 8ull * CLUSTER && !~tables[1]);
	CHECK(check_l1(0, a), "the one that is needed");
	CHECK(check_l1(a, a), "one table twice");
	CHECK(check_l1(a, DEV_SIZE | COPIED), "beyond the device");
}

const struct test entry_tests[] = {
	{ "extended entries that QEMU reads", extended_good },
	{ "extended entries that get EIO", extended_bad },
	{ "entries without data behind the end", nothing_outside },
	{ "standard entries", standard },
	{ "entries of compressed clusters", compressed },
	{ "entries with an external data file", external },
	{ "entries of a writable layer", top },
	{ "subclusters of the last cluster", masks },
	{ "an image's own L2 tables", own_tables },
	{ "L1 entries", l2_offsets },
	{ "the L1 table of a writable layer", l1_tables },
	{ NULL, NULL },
};
