// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests: compressed clusters.
 */
#include <zlib.h>
#include <zstd.h>

#include "qcow2-unpack.h"
#include "test.h"

#define MOST	(1u << QCOW2_MAX_CLUSTER_BITS)
#define ROOM	(2 * MOST + 65536)

static const u8 types[] = { QCOW2_ZLIB, QCOW2_ZSTD };
static u8 *plain, *data, *dst, *ws;

static void setup(void)
{
	u32 i;

	if (plain)
		return;
	plain = malloc(ROOM);
	data = malloc(ROOM);
	dst = malloc(MOST + 1);
	ws = malloc(q2_unpack_workspace() + 8);
	for (i = 0; i < ROOM; i++)
		plain[i] = (i * 7 + i / 4096) >> (i / 512 % 8);
}

/* Compresses @len bytes of @from to data[at]. Return: the end of it. */
static u32 pack(u8 type, const u8 *from, u32 len, u32 at)
{
	z_stream strm = { .next_in = (u8 *)from, .avail_in = len, .next_out = data + at,
			  .avail_out = ROOM - at };

	if (type == QCOW2_ZSTD)
		return at + ZSTD_compress(data + at, ROOM - at, from, len, 3);
	deflateInit2(&strm, Z_BEST_SPEED, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY);
	deflate(&strm, Z_FINISH);
	deflateEnd(&strm);
	return ROOM - strm.avail_out;
}

/* Decompresses data[0..len) to a cluster of @size bytes. It must not write behind that. */
static int unpack(u8 type, u32 len, u32 size)
{
	/* exactly as long as it is, so that AddressSanitizer sees what is read behind it */
	u8 *src = malloc(len ?: 1);
	int r;

	if (!src)
		abort();
	memcpy(src, data, len);
	memset(dst, 0x55, size + 1);
	r = q2_unpack(type, ws, src, len, dst, size);
	free(src);
	return dst[size] == 0x55 ? r : -EFAULT;
}

/* The same, and it has to be the first bytes of @plain. */
static bool good(u8 type, u32 len, u32 size)
{
	return !unpack(type, len, size) && !memcmp(dst, plain, size);
}

static void all_sizes(void)
{
	u32 t, bits;

	setup();
	for (t = 0; t < 2; t++) {
		for (bits = QCOW2_MIN_CLUSTER_BITS; bits <= QCOW2_MAX_CLUSTER_BITS; bits++)
			CHECK(good(types[t], pack(types[t], plain, 1u << bits, 0), 1u << bits),
			      "type %u, 2^%u bytes", t, bits);
	}
}

/* The length is known as a number of sectors: something else lies behind the data. */
static void behind(void)
{
	u32 t, len;

	setup();
	for (t = 0; t < 2; t++) {
		len = pack(types[t], plain, 65536, 0);
		memset(data + len, 0, 512);
		CHECK(good(types[t], len + 511, 65536), "zeros behind type %u", t);
		memset(data + len, 0xff, 512);
		CHECK(good(types[t], len + 511, 65536), "ones behind type %u", t);
		pack(types[t], plain + 65536, 65536, len);
		CHECK(good(types[t], len + 511, 65536), "half of the next cluster, type %u", t);
		CHECK(good(types[t], len + 65536, 65536), "the next cluster, type %u", t);
	}
}

static void too_short(void)
{
	u32 t, len, cut;

	setup();
	for (t = 0; t < 2; t++) {
		CHECK(unpack(types[t], 0, 65536) == -EIO, "nothing");
		len = pack(types[t], plain, 0, 0);
		CHECK(unpack(types[t], len, 65536) == -EIO, "an empty stream, type %u", t);
		len = pack(types[t], plain, 65535, 0);
		CHECK(unpack(types[t], len, 65536) == -EIO, "a byte is missing, type %u", t);
		memset(data + len, 0, 512);
		CHECK(unpack(types[t], len + 512, 65536) == -EIO, "and zeros, type %u", t);
		len = pack(types[t], plain, 4096, 0);
		for (cut = 0; cut < len - 8; cut++)
			CHECK(unpack(types[t], cut, 4096) == -EIO, "%u of %u, type %u", cut, len, t);
	}
}

static void too_long(void)
{
	u32 t, len;

	setup();
	for (t = 0; t < 2; t++) {
		len = pack(types[t], plain, 65537, 0);
		CHECK(unpack(types[t], len, 65536) == -EIO, "a byte, type %u", t);
		len = pack(types[t], plain, 2 * MOST, 0);
		CHECK(unpack(types[t], len, 512) == -EIO, "much, type %u", t);
		CHECK(unpack(types[t], len, MOST) == -EIO, "twice as much, type %u", t);
	}
}

/* Little data that would be 16 times the largest cluster. */
static void bombs(void)
{
	u32 t, len, n = 16 * MOST;
	bool short_enough = true, refused = true;
	u8 *zeros = calloc(1, n);

	setup();
	for (t = 0; t < 2; t++) {
		len = pack(types[t], zeros, n, 0);
		short_enough = short_enough && len < 2 * 131072;
		refused = refused && unpack(types[t], len, 131072) == -EIO &&
			  unpack(types[t], len, MOST) == -EIO;
	}
	free(zeros);
	CHECK(short_enough && refused);
}

/* Every bit of it, one by one: an error, or a cluster, and no access to other memory. */
static void damaged(void)
{
	u32 t, len, bit, bad, changed;
	int r;

	setup();
	for (t = 0; t < 2; t++) {
		len = pack(types[t], plain, 4096, 0);
		bad = 0;
		changed = 0;
		for (bit = 0; bit < len * 8; bit++) {
			data[bit / 8] ^= 1 << bit % 8;
			r = unpack(types[t], len, 4096);
			data[bit / 8] ^= 1 << bit % 8;
			CHECK(!r || r == -EIO, "%d for bit %u, type %u", r, bit, t);
			bad += !!r;
			changed += !r && memcmp(dst, plain, 4096);
		}
		CHECK(bad && changed, "%u errors, %u of other contents, type %u", bad, changed, t);
		CHECK(good(types[t], len, 4096));
	}
	memset(data, 0, 65536);
	for (t = 0; t < 2; t++)
		CHECK(unpack(types[t], 65536, 65536) == -EIO, "zeros, type %u", t);
	CHECK(unpack(QCOW2_ZLIB, pack(QCOW2_ZSTD, plain, 4096, 0), 4096) == -EIO, "the other type");
	CHECK(unpack(QCOW2_ZSTD, pack(QCOW2_ZLIB, plain, 4096, 0), 4096) == -EIO, "the other type");
}

/* Each frame may have any length, none as well. */
static void frames(void)
{
	u32 len = 0, done = 0, n;

	setup();
	for (n = 1; done + n < 65536; n *= 3) {
		len = pack(QCOW2_ZSTD, plain + done, n, len);
		len = pack(QCOW2_ZSTD, plain, 0, len);
		done += n;
	}
	CHECK(unpack(QCOW2_ZSTD, len, 65536) == -EIO, "one is missing");
	n = pack(QCOW2_ZSTD, plain + done, 65536 - done, len);
	CHECK(good(QCOW2_ZSTD, n, 65536));
	CHECK(unpack(QCOW2_ZSTD, n - 1, 65536) == -EIO, "the last is cut");
	n = pack(QCOW2_ZSTD, plain + done, 65537 - done, len);
	CHECK(unpack(QCOW2_ZSTD, n, 65536) == -EIO, "the last goes on behind the cluster");
}

/* What has filled the cluster and just has no end. QEMU reads it. */
static void no_end(void)
{
	z_stream strm = { .avail_in = 4096, .avail_out = ROOM };
	u32 len;

	setup();
	strm.next_in = plain;
	strm.next_out = data;
	deflateInit2(&strm, Z_BEST_SPEED, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY);
	deflate(&strm, Z_SYNC_FLUSH);
	len = ROOM - strm.avail_out;
	CHECK(good(QCOW2_ZLIB, len, 4096));
	strm.avail_in = 1;
	deflate(&strm, Z_SYNC_FLUSH);
	CHECK(unpack(QCOW2_ZLIB, ROOM - strm.avail_out, 4096) == -EIO, "a byte, and then no end");
	deflateEnd(&strm);
}

/* Distances of up to 32 KiB, which QEMU's window of 4 KiB does not hold, but the cluster does. */
static void far_back(void)
{
	z_stream strm = { .avail_in = 65536, .avail_out = ROOM };
	u32 i, x = 1;

	setup();
	for (i = 0; i < 20000; i++) {
		x = x * 1103515245 + 12345;
		dst[i] = x >> 16;
	}
	memcpy(plain, dst, 20000);
	memcpy(plain + 20000, dst, 20000);
	strm.next_in = plain;
	strm.next_out = data;
	deflateInit2(&strm, Z_BEST_COMPRESSION, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
	deflate(&strm, Z_FINISH);
	deflateEnd(&strm);
	CHECK(good(QCOW2_ZLIB, ROOM - strm.avail_out, 65536));
}

const struct test unpack_tests[] = {
	{ "compressed clusters of all sizes", all_sizes },
	{ "compressed data with something behind it", behind },
	{ "compressed data that is too short", too_short },
	{ "compressed data that is too long", too_long },
	{ "compressed data that is a bomb", bombs },
	{ "compressed data that is damaged", damaged },
	{ "zstd data in several frames", frames },
	{ "zlib data without an end", no_end },
	{ "zlib data with a larger window", far_back },
	{ NULL, NULL },
};
