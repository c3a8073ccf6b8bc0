// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target over compressed clusters: decoding their L2 entries, and decompressing them. An
 * input is struct unpack_input, then data: compressed, or to be compressed here, which reaches what
 * comes behind a good start.
 *
 * What has to come out is computed by other interfaces of the libraries, into more memory than a
 * cluster takes, and piece by piece.
 */
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "qcow2-unpack.h"

#define check(cond) \
	((cond) ? (void)0 : fuzz_fail(__LINE__, #cond))

/* The start of each input, in little endian; make-corpus-unpack writes the same. */
struct unpack_input {
	u64 desc;
	u64 data_size;
	u64 cluster;
	u32 at;			/* where the compressed data is damaged, with F_DAMAGE */
	__u16 more;		/* F_PACK: the plain data is so much too long ... */
	__u16 less;		/* ... or too short */
	u8 size;
	u8 flags;
	u8 level;
	u8 with;		/* what it is damaged with */
	u8 pad[4];
} __attribute__((packed));

#define F_ZSTD		0x01
#define F_EXT		0x02
#define F_V2		0x04
#define F_DATA_FILE	0x08
#define F_PACK		0x10	/* the data is plain: repeat it to a cluster, and compress that */
#define F_DAMAGE	0x20
#define F_BEHIND	0x40	/* put the first bytes of the data behind what was compressed */
#define F_FRAMES	0x80	/* zstd: several frames; zlib: flushed in between */

#define GUARD		64u
#define MOST_BITS	16
#define MOST		(4u << MOST_BITS)	/* of what comes out, and more */

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
const char *__asan_default_options(void);

/* What was freed takes less time to forget: most runs last some microseconds. */
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=2:thread_local_quarantine_size_kb=64";
}

static void fuzz_fail(int line, const char *cond)
{
	fprintf(stderr, "fuzz-unpack.c:%d: does not hold: %s\n", line, cond);
	abort();
}

static u8 *have(size_t len)
{
	u8 *p = malloc(len);

	check(p);
	return p;
}

/* Small clusters mostly, since they are quick; others have numbers that the fuzzer does not prefer. */
static u32 cluster_bits(u8 size)
{
	return size >= 101 && size <= 104 ? size - 88 : 9 + size % 4;
}

/* ------------------------------------------------------------------ the L2 entry */

/* By the words of the specification: bits 0 to x-1 are the offset, x to 61 the other sectors. */
static void fuzz_entry(const struct unpack_input *in)
{
	struct q2_info info = {
		.version = in->flags & F_V2 ? 2 : 3, .cluster_bits = cluster_bits(in->size),
		.ext_l2 = in->flags & F_EXT, .data_file = in->flags & F_DATA_FILE,
		.compression = in->flags & F_ZSTD,
	};
	u64 desc = in->desc | 1ULL << 62, said = ~0ULL;
	u32 x = 62 - (info.cluster_bits - 8), len;
	u64 offset = desc % (1ULL << x), sectors = 1 + desc % (1ULL << 62) / (1ULL << x);
	struct q2_cluster c;
	const char *why;

	info.l2_bits = info.cluster_bits - (info.ext_l2 ? 4 : 3);
	info.sub_bits = info.cluster_bits - (info.ext_l2 ? 5 : 0);
	why = q2_decode(&info, in->cluster & 0xffffffff, htobe64(desc), htobe64(in->data_size),
			in->data_size, &c);
	if (why) {
		check(info.data_file || offset >= in->data_size);
		return;
	}
	check(!info.data_file && offset < in->data_size);
	check(c.packed && !c.host && !c.alloc && !c.zero);
	/* two entries that differ in what "copied" says are one in the cache */
	check(c.packed == (desc & ~(1ULL << 63)));
	len = q2_packed_range(&info, c.packed, &said);
	check(said == offset && sectors <= 2ULL << info.cluster_bits >> 9);
	check(len && len <= 2U << info.cluster_bits);
	check((unsigned __int128)offset + len ==
	      ((unsigned __int128)(offset / 512) + sectors) * 512);
}

/* --------------------------------------------------------- what has to come out */

enum verdict {
	BAD,
	GOOD,		/* exactly one cluster */
	FULL,		/* a cluster, and then no end and no more data */
	LAX,		/* only one of the two ways to decompress minds */
};

/* In pieces, up to one byte behind the cluster. Return: bytes; @r: what zlib says. */
static u32 inflate_pieces(int window, const u8 *src, u32 len, u8 *out, u32 want, int *r)
{
	static z_stream streams[16];
	z_stream *strm = &streams[window];
	u32 done = 0, piece;

	/* made once: that takes longer than most runs */
	check((strm->state ? inflateReset(strm) : inflateInit2(strm, -window)) == Z_OK);
	strm->next_in = (u8 *)src;
	strm->avail_in = len;
	*r = Z_OK;
	while (*r == Z_OK && done <= want) {
		/* no piece goes on behind the end of the cluster */
		piece = done < want ? min_t(u32, want - done, 1009) : 1;
		strm->next_out = out + done;
		strm->avail_out = piece;
		*r = inflate(strm, Z_NO_FLUSH);
		done += piece - strm->avail_out;
	}
	return done;
}

static enum verdict expect_zlib(const u8 *src, u32 len, u8 *out, u32 want)
{
	static u8 other[MOST];
	int r;
	u32 done = inflate_pieces(15, src, len, out, want, &r);

	/* the byte behind the cluster may be too far from what it repeats: damaged, not too long */
	if (done > want)
		return inflate_pieces(12, src, len, other, want, &r) > want ? BAD : LAX;
	if (done != want)
		return BAD;
	/* what is damaged behind the last byte may be found in the call that writes that, or later */
	if (r == Z_DATA_ERROR)
		return LAX;
	return r == Z_STREAM_END ? GOOD : FULL;
}

/* The first frame; how long it is, or an error. */
static size_t one_frame(const u8 *src, u32 len, u8 *out, u32 room, u32 *done)
{
	static ZSTD_DCtx *dctx;
	ZSTD_inBuffer in = { .src = src, .size = len };
	ZSTD_outBuffer to = { .dst = out, .size = room };
	size_t r = 1;

	if (!dctx)
		dctx = ZSTD_createDCtx();
	check(dctx);
	ZSTD_DCtx_reset(dctx, ZSTD_reset_session_and_parameters);
	check(!ZSTD_isError(ZSTD_DCtx_setParameter(dctx, ZSTD_d_windowLogMax, 31)));
	/* otherwise it allocates what a frame claims to need */
	check(!ZSTD_isError(ZSTD_DCtx_setParameter(dctx, ZSTD_d_stableOutBuffer, 1)));
	while (r && !ZSTD_isError(r)) {
		size_t before = in.pos + to.pos;

		r = ZSTD_decompressStream(dctx, &to, &in);
		if (r && !ZSTD_isError(r) && in.pos + to.pos == before)
			break;
	}
	*done = to.pos;
	return r ? 0 : in.pos;
}

/* libzstd knows formats from before the first release, which the kernel and QEMU do not. */
static bool old_format(const u8 *src, u32 len)
{
	return len >= 4 && src[0] >= 0x1e && src[0] <= 0x28 && src[1] == 0xb5 && src[2] == 0x2f &&
	       src[3] == 0xfd && src[0] != 0x28;
}

static enum verdict expect_zstd(const u8 *src, u32 len, u8 *out, u32 want)
{
	enum verdict v = GOOD;
	u32 done = 0, n;

	while (done < want) {
		size_t used;

		if (old_format(src, len))
			return BAD;
		used = one_frame(src, len, out + done, MOST - done, &n);
		/* it is stricter about sizes of blocks and windows than the one that is used */
		if (!used) {
			size_t r;

			used = ZSTD_findFrameCompressedSize(src, len);
			if (ZSTD_isError(used))
				return BAD;
			r = ZSTD_decompress(out + done, MOST - done, src, used);
			if (ZSTD_isError(r))
				return BAD;
			n = r;
			v = LAX;
		}
		src += used;
		len -= used;
		done += n;
	}
	return done == want ? v : BAD;
}

/* ------------------------------------------------------------------- decompressing */

static void fuzz_unpack(u8 compression, const u8 *src, u32 len, u32 bits)
{
	static u8 *out, *ws, *dsts[MOST_BITS + 1], guard[GUARD];
	u32 want = 1U << bits;
	u8 *exact = have(len ?: 1), *dst;
	enum verdict v;
	int r;

	if (!out) {
		out = have(MOST);
		ws = have(q2_unpack_workspace() ?: 8);
	}
	if (!dsts[bits])
		dsts[bits] = have(want + 2 * GUARD);
	dst = dsts[bits];
	memcpy(exact, src, len);
	memset(guard, 0xa5, GUARD);
	memcpy(dst, guard, GUARD);
	memcpy(dst + GUARD + want, guard, GUARD);
	r = q2_unpack(compression, ws, exact, len, dst + GUARD, want);
	check(r == 0 || r == -EIO);
	check(!memcmp(exact, src, len));
	/* the libraries are built without sanitizers */
	check(!memcmp(dst, guard, GUARD) && !memcmp(dst + GUARD + want, guard, GUARD));
	v = compression == QCOW2_ZSTD ? expect_zstd(src, len, out, want) :
					expect_zlib(src, len, out, want);
	if (v == BAD)
		check(r == -EIO);
	if (v == GOOD || v == FULL)
		check(!r);
	if (!r)
		check(!memcmp(dst + GUARD, out, want));
	free(exact);
}

/* -------------------------------------------------------------- compressing first */

static u32 pack_zlib(const struct unpack_input *in, const u8 *plain, u32 n, u8 *to, u32 room)
{
	static z_stream streams[30];
	u32 kind = in->level % 30;
	z_stream *strm = &streams[kind];

	if (strm->state)
		check(deflateReset(strm) == Z_OK);
	else
		check(deflateInit2(strm, kind % 6, Z_DEFLATED, -12, 1 + kind % 3, kind / 6) == Z_OK);
	strm->next_in = (u8 *)plain;
	strm->avail_in = n;
	strm->next_out = to;
	strm->avail_out = room;
	if (in->flags & F_FRAMES) {
		strm->avail_in = n / 2;
		check(deflate(strm, in->at & 1 ? Z_SYNC_FLUSH : Z_PARTIAL_FLUSH) == Z_OK);
		strm->avail_in = n - n / 2;
	}
	check(deflate(strm, Z_FINISH) == Z_STREAM_END);
	return room - strm->avail_out;
}

static u32 pack_zstd(const struct unpack_input *in, const u8 *plain, u32 n, u8 *to, u32 room)
{
	static ZSTD_CCtx *cctx;
	u32 first = in->flags & F_FRAMES ? in->at % (n + 1) : 0, done = 0;
	size_t r;

	if (!cctx)
		cctx = ZSTD_createCCtx();
	check(cctx);
	ZSTD_CCtx_reset(cctx, ZSTD_reset_session_and_parameters);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, in->level % 6);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, in->level & 1);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, !(in->level & 8));
	if (first) {
		r = ZSTD_compress2(cctx, to, room, plain, first);
		check(!ZSTD_isError(r));
		done = r;
	}
	r = ZSTD_compress2(cctx, to + done, room - done, plain + first, n - first);
	check(!ZSTD_isError(r));
	return done + r;
}

/* A cluster of the data, or something near it, compressed, and then perhaps damaged. */
static void fuzz_packed(const struct unpack_input *in, const u8 *data, u32 size, u32 bits)
{
	u32 n = (1U << bits) + in->more % 600 - min_t(u32, in->less, 1U << bits);
	u32 room = n + n / 8 + 4096 + size, len, i;
	u8 *plain = have(n ?: 1), *to = have(room);

	memset(plain, 0, n);
	for (i = 0; size && i < n; i += size)
		memcpy(plain + i, data, min_t(u32, size, n - i));
	if (in->flags & F_ZSTD)
		len = pack_zstd(in, plain, n, to, room);
	else
		len = pack_zlib(in, plain, n, to, room);
	if (in->flags & F_DAMAGE)
		to[in->at % len] ^= in->with;
	if (in->flags & F_BEHIND) {
		u32 behind = min_t(u32, size, 512);

		memcpy(to + len, data, behind);
		len += behind;
	}
	fuzz_unpack(in->flags & F_ZSTD, to, len, bits);
	free(plain);
	free(to);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct unpack_input in;
	u32 bits;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	data += sizeof(in);
	size -= sizeof(in);
	bits = cluster_bits(in.size);
	fuzz_entry(&in);
	if (in.flags & F_PACK)
		fuzz_packed(&in, data, size, bits);
	else
		fuzz_unpack(in.flags & F_ZSTD, data, size, bits);
	return 0;
}
