// SPDX-License-Identifier: GPL-2.0-only
/*
 * Headers: what is accepted, and every way to be wrong.
 */
#include "test.h"

static char buf[1 << 21];

static void good_v3(void)
{
	struct q2_info i;

	make_header(buf);
	CHECK(!parse(buf, &i));
	CHECK(i.version == 3 && i.cluster_bits == 17 && i.size == GUEST_SIZE);
	CHECK(i.l1_offset == 3 * CLUSTER && i.l1_entries == 1);
	CHECK(i.rt_offset == CLUSTER && i.rt_bytes == CLUSTER);
	CHECK(i.backing_len == 5 && !memcmp(buf + i.backing_offset, "a.raw", 5));
	CHECK(i.format_len == 3 && !memcmp(buf + i.format_offset, "raw", 3));
	CHECK(i.format_room == 8, "room %u", i.format_room);
	CHECK(i.ext_end == 152, "extensions end at %u", i.ext_end);
	CHECK(i.ext_l2 && !i.data_file);
	CHECK(i.l2_bits == 13 && i.sub_bits == 12);
	CHECK(q2_l2_entry_size(&i) == 16 && q2_cluster_size(&i) == CLUSTER);
	CHECK(!q2_check_writable(&i, &last_error));
}

static void good_v2(void)
{
	struct q2_info i;

	make_header(buf);
	put32(buf, H_VERSION, 2);
	put32(buf, H_CLUSTER_BITS, 16);
	/* what version 2 has no fields for belongs to extensions there */
	memset(buf + 72, 0, 1000);
	put64(buf, H_BACKING, 0);
	put32(buf, H_BACKING_LEN, 0);
	CHECK(!parse(buf, &i));
	CHECK(i.version == 2 && i.header_length == 72 && !i.incompatible && !i.ext_l2);
	CHECK(i.l2_bits == 13 && i.sub_bits == 16);
	CHECK(q2_check_writable(&i, &last_error), "version 2 is never writable");
	CHECK(last_error.text[0]);
}

/* One changed field; the header has to be refused with a reason. */
static bool refused(size_t off, unsigned int bytes, u64 v)
{
	struct q2_info i;

	make_header(buf);
	if (bytes == 4)
		put32(buf, off, v);
	else
		put64(buf, off, v);
	return parse(buf, &i) < 0 && last_error.text[0];
}

static void bad_fields(void)
{
	static const struct {
		unsigned int off;
		unsigned int bytes;
		u64 v;
	} t[] = {
		{ 0, 4, 0x514649fa }, { H_VERSION, 4, 0 }, { H_VERSION, 4, 1 }, { H_VERSION, 4, 4 },
		{ H_CLUSTER_BITS, 4, 8 }, { H_CLUSTER_BITS, 4, 22 }, { H_CLUSTER_BITS, 4, 0 },
		{ H_CLUSTER_BITS, 4, 0xffffffff }, { H_CLUSTER_BITS, 4, 13 /* extended L2: 14 */ },
		{ H_REFCOUNT_ORDER, 4, 7 }, { H_REFCOUNT_ORDER, 4, ~0u },
		{ H_SIZE, 8, 0 }, { H_SIZE, 8, GUEST_SIZE + 100 }, { H_SIZE, 8, 1ull << 56 },
		{ H_CRYPT, 4, 3 }, { H_SIZE, 8, 1ull << 62 }, { H_SIZE, 8, ~0ull },
		{ H_SIZE, 8, (1ull << 30) + 512 /* beyond the L1 table's reach */ },
		{ H_L1_SIZE, 4, 0 }, { H_L1_SIZE, 4, (32u << 20) / 8 + 1 }, { H_L1_SIZE, 4, ~0u },
		{ H_L1, 8, 0 }, { H_L1, 8, 3 * CLUSTER + 512 }, { H_L1, 8, DEV_SIZE },
		{ H_L1, 8, 1ull << 63 }, { H_L1, 8, ~0ull << 17 },
		{ H_RT, 8, CLUSTER + 512 }, { H_RT, 8, DEV_SIZE }, { H_RT, 8, ~0ull << 17 },
		{ H_RT_CLUSTERS, 4, 0 }, { H_RT_CLUSTERS, 4, (8u << 20) / CLUSTER + 1 }, { H_RT_CLUSTERS, 4, ~0u },
		{ H_LENGTH, 4, 0 }, { H_LENGTH, 4, 96 }, { H_LENGTH, 4, 108 },
		{ H_LENGTH, 4, CLUSTER + 8 }, { H_LENGTH, 4, 0xfffffff8 },
		{ H_BACKING_LEN, 4, 1024 }, { H_BACKING_LEN, 4, ~0u },
		{ H_BACKING, 8, 4 }, { H_BACKING, 8, 108 }, { H_BACKING, 8, CLUSTER - 2 }, { H_BACKING, 8, CLUSTER }, { H_BACKING, 8, ~0ull },
		{ H_INCOMPAT, 8, 0x30 }, { H_INCOMPAT, 8, 1ull << 63 | 0x10 },
		{ 116, 4, CLUSTER }, { 116, 4, ~0u }, { 132, 4, CLUSTER - 136 }, { 132, 4, ~0u - 6 },
		/* one byte too long: the name of the backing file begins there */
		{ 116, 4, 33 }, { 132, 4, 17 },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(*t); i++)
		CHECK(refused(t[i].off, t[i].bytes, t[i].v), "field at %u = %#llx", t[i].off,
		      (unsigned long long)t[i].v);
}

static void unknown_feature_is_named(void)
{
	struct q2_info i;
	unsigned int bit;
	char text[8];

	for (bit = 5; bit < 64; bit++) {
		make_header(buf);
		put64(buf, H_INCOMPAT, 0x10 | 1ull << bit);
		CHECK(parse(buf, &i) == -EOPNOTSUPP);
		snprintf(text, sizeof(text), "%u", bit);
		CHECK(strstr(last_error.text, text), "bit %u", bit);
	}
}

/* What may be read need not be writable. */
static void writable(void)
{
	static const struct {
		unsigned int off;
		unsigned int bytes;
		u64 v;
	} t[] = {
		{ H_INCOMPAT, 8, 0 }, { H_INCOMPAT, 8, 0x11 }, { H_INCOMPAT, 8, 0x12 },
		{ H_INCOMPAT, 8, 0x04 }, { H_AUTOCLEAR, 8, 1 }, { H_AUTOCLEAR, 8, 2 },
		{ H_AUTOCLEAR, 8, 1ull << 63 }, { H_CLUSTER_BITS, 4, 16 },
	};
	struct q2_info i;
	size_t n;
	int err;

	for (n = 0; n < sizeof(t) / sizeof(*t); n++) {
		make_header(buf);
		if (t[n].bytes == 4)
			put32(buf, t[n].off, t[n].v);
		else
			put64(buf, t[n].off, t[n].v);
		err = parse(buf, &i);
		if (!err)
			err = q2_check_writable(&i, &last_error);
		CHECK(err < 0 && last_error.text[0], "case %zu", n);
	}
	/* the reason is the true one */
	make_header(buf);
	put64(buf, H_INCOMPAT, 0x11);
	CHECK(!parse(buf, &i) && q2_check_writable(&i, &last_error));
	CHECK(strstr(last_error.text, "dirty"));
	put64(buf, H_INCOMPAT, 0x12);
	CHECK(!parse(buf, &i) && q2_check_writable(&i, &last_error));
	CHECK(strstr(last_error.text, "corrupt"));
	/* with snapshots in it an image can only be read */
	make_header(buf);
	put32(buf, H_SNAPSHOTS, 1);
	put64(buf, H_SNAP_OFFSET, 5 * CLUSTER);
	CHECK(!parse(buf, &i) && i.snapshots == 1);
	CHECK(q2_check_writable(&i, &last_error) < 0);
	/* an external data file is fine */
	make_header(buf);
	put64(buf, H_INCOMPAT, 0x14);
	CHECK(!parse(buf, &i) && i.data_file);
	CHECK(!q2_check_writable(&i, &last_error));
	/* unknown compatible features are ignored */
	make_header(buf);
	put64(buf, H_COMPAT, ~0ull);
	CHECK(!parse(buf, &i));
	CHECK(!q2_check_writable(&i, &last_error));
}

static void cluster_sizes(void)
{
	struct q2_info i;
	unsigned int bits;

	for (bits = 17; bits <= 21; bits++) {
		make_header(buf);
		put32(buf, H_CLUSTER_BITS, bits);
		put64(buf, H_L1, 3ull << bits);
		put64(buf, H_RT, 1ull << bits);
		last_error.text[0] = 0;
		CHECK(q2_header_bytes(buf, &last_error) > 0);
		CHECK(!q2_parse_header(buf, 1 << bits, DEV_SIZE, &i, &last_error), "%u", bits);
		CHECK(i.sub_bits == bits - 5 && i.l2_bits == bits - 4);
		CHECK(!q2_check_writable(&i, &last_error), "%u", bits);
	}
}

static u64 rnd;

static u64 next(void)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd;
}

/* What is accepted is within the limits; the sanitizers watch the rest. */
static void damaged(void)
{
	char *copy = malloc(CLUSTER);
	struct q2_info i;
	int n, k, err = 0;

	rnd = 1;
	for (n = 0; n < 20000 && copy && !err; n++) {
		make_header(copy);
		for (k = next() % 4; k >= 0; k--)
			copy[next() % (next() & 1 ? 112 : 200)] = next();
		if (parse(copy, &i))
			continue;
		if (i.l1_entries > (32u << 20) / 8 || i.rt_bytes > 8u << 20 ||
		    i.cluster_bits < 9 || i.cluster_bits > 21 || i.backing_len > 1023 ||
		    i.backing_offset + i.backing_len > CLUSTER ||
		    i.l1_offset + 8ull * i.l1_entries > DEV_SIZE ||
		    i.rt_offset + i.rt_bytes > DEV_SIZE || i.size % 512 ||
		    i.format_offset + i.format_len > CLUSTER || i.header_length % 8)
			err = n + 1;
	}
	free(copy);
	CHECK(!err, "round %d", err);
}

const struct test header_tests[] = {
	{ "a header of version 3", good_v3 },
	{ "a header of version 2", good_v2 },
	{ "wrong fields are refused with a reason", bad_fields },
	{ "unknown incompatible features are refused by their number", unknown_feature_is_named },
	{ "what may be written", writable },
	{ "every writable cluster size", cluster_sizes },
	{ "damaged headers never pass the limits", damaged },
	{ NULL, NULL },
};
