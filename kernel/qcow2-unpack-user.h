/* SPDX-License-Identifier: GPL-2.0-only */
/* What qcow2-unpack.c uses of the kernel, for builds in userspace: libz and libzstd. */
#ifndef COWCHAIN_QCOW2_UNPACK_USER_H
#define COWCHAIN_QCOW2_UNPACK_USER_H

#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#define zlib_inflateInit2(strm, bits)	inflateInit2(strm, bits)
#define zlib_inflate(strm, flush)	inflate(strm, flush)
#define zlib_inflateEnd(strm)		inflateEnd(strm)
#define zlib_inflate_workspacesize()	((size_t)0)

#define zstd_dctx			ZSTD_DCtx
#define zstd_is_error(code)		ZSTD_isError(code)
#define zstd_dctx_workspace_bound()	((size_t)ZSTD_estimateDCtxSize())
#define zstd_init_dctx(ws, size)	ZSTD_initStaticDCtx(ws, size)
#define zstd_find_frame_compressed_size(src, len) ZSTD_findFrameCompressedSize(src, len)
#define zstd_decompress_dctx(dctx, dst, dst_len, src, len) \
	ZSTD_decompressDCtx(dctx, dst, dst_len, src, len)

/* libz allocates its memory itself. */
static inline void q2_zlib_set_workspace(z_stream *strm, void *ws)
{
	(void)strm;
	(void)ws;
}

#endif /* COWCHAIN_QCOW2_UNPACK_USER_H */
