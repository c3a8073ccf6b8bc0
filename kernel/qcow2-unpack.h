/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decompresses a cluster. Like qcow2.c it has no I/O, allocations or locks, and is built in
 * userspace, too.
 */
#ifndef COWCHAIN_QCOW2_UNPACK_H
#define COWCHAIN_QCOW2_UNPACK_H

#include "qcow2.h"

/* Bytes of memory that q2_unpack() works in. Context: any. */
size_t q2_unpack_workspace(void);

/**
 * q2_unpack() - decompress a cluster.
 * @compression: QCOW2_ZLIB or QCOW2_ZSTD.
 * @ws: q2_unpack_workspace() bytes, aligned to 8.
 * @src, @src_len: the compressed data, and maybe something else behind it.
 * @dst, @dst_len: the cluster.
 *
 * zlib data is a raw deflate stream with a window of 4 KiB, zstd data one or more frames
 * ("Compressed Clusters" in the specification).
 *
 * Context: any; may take a millisecond for 64 KiB. Return: 0, or -EIO if the data is damaged, or
 * would be less or more than the cluster. @dst is undefined then.
 */
int q2_unpack(u8 compression, void *ws, const void *src, size_t src_len, void *dst, size_t dst_len);

#endif /* COWCHAIN_QCOW2_UNPACK_H */
