// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decompresses a cluster; see qcow2-unpack.h.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/zlib.h>
#include <linux/zstd.h>

#define q2_zlib_set_workspace(strm, ws)	((strm)->workspace = (ws))
#else
#include "qcow2-unpack-user.h"
#endif
#include "qcow2-unpack.h"

/* ------------------------------------------------------------------- zlib */

/* Negative: a raw stream, without a header and a checksum. */
#define Q2_WINDOW_BITS	-12

/*
 * The cluster is full, but the stream has not ended. If there is more data in it, it is damaged.
 * If not, it has no end, which QEMU does not mind.
 */
static bool q2_zlib_has_more(z_stream *strm, u8 *more)
{
	strm->next_out = more;
	strm->avail_out = 1;
	zlib_inflate(strm, Z_SYNC_FLUSH);
	return !strm->avail_out;
}

static int q2_unpack_zlib(void *ws, const void *src, size_t src_len, void *dst, size_t dst_len)
{
	z_stream strm = {
		.next_in = (void *)src,
		.avail_in = src_len,
		.next_out = dst,
		.avail_out = dst_len,
	};
	bool full;
	u8 more;
	int r;

	q2_zlib_set_workspace(&strm, ws);
	if (zlib_inflateInit2(&strm, Q2_WINDOW_BITS) != Z_OK)
		return -EIO;
	r = zlib_inflate(&strm, Z_SYNC_FLUSH);
	full = !strm.avail_out &&
	       (r == Z_STREAM_END ||
		((r == Z_OK || r == Z_BUF_ERROR) && !q2_zlib_has_more(&strm, &more)));
	zlib_inflateEnd(&strm);
	return full ? 0 : -EIO;
}

/* ------------------------------------------------------------------- zstd */

/*
 * Frame by frame until the cluster is full. That way no frame needs a window of its own, however
 * large it claims to be: it is in @dst.
 */
static int q2_unpack_zstd(void *ws, const void *src, size_t src_len, void *dst, size_t dst_len)
{
	zstd_dctx *dctx = zstd_init_dctx(ws, zstd_dctx_workspace_bound());

	if (!dctx)
		return -EIO;
	while (dst_len) {
		size_t frame = zstd_find_frame_compressed_size(src, src_len);
		size_t n;

		if (zstd_is_error(frame) || !frame)
			return -EIO;
		n = zstd_decompress_dctx(dctx, dst, dst_len, src, frame);
		if (zstd_is_error(n))
			return -EIO;
		src += frame;
		src_len -= frame;
		dst += n;
		dst_len -= n;
	}
	return 0;
}

size_t q2_unpack_workspace(void)
{
	size_t zlib = zlib_inflate_workspacesize(), zstd = zstd_dctx_workspace_bound();

	return zlib > zstd ? zlib : zstd;
}

int q2_unpack(u8 compression, void *ws, const void *src, size_t src_len, void *dst, size_t dst_len)
{
	if (compression == QCOW2_ZSTD)
		return q2_unpack_zstd(ws, src, src_len, dst, dst_len);
	return q2_unpack_zlib(ws, src, src_len, dst, dst_len);
}
