/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints; Documentation/dm-cowchain.rst lists them for users. trace.c makes them.
 *
 * A tracepoint that nobody uses is a nop, but what surrounds it may make the compiler arrange a
 * function otherwise. So cowchain_map, the only one on the way of each bio, is not there: its bios
 * go through cc_watched, see watch.h.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM cowchain

#if !defined(COWCHAIN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define COWCHAIN_TRACE_H

#include <linux/bio.h>
#include <linux/jump_label.h>
#include <linux/kdev_t.h>
#include <linux/tracepoint.h>

#include "cowchain.h"
#include "layer.h"

/* Somebody counts bios, or traces where they go; see watch.h. */
DECLARE_STATIC_KEY_FALSE(cc_watched);

#ifndef COWCHAIN_TRACE_ONCE
#define COWCHAIN_TRACE_ONCE
/* What becomes of a bio, or of a piece of it. */
enum cc_way {
	CC_WAY_DEVICE,	/* remapped to the device of the layer */
	CC_WAY_ZERO,	/* the layer has zeros there */
	CC_WAY_HOLE,	/* no layer provides it */
	CC_WAY_PACKED,	/* a compressed cluster of the layer */
	CC_WAY_TAIL,	/* the last sector of the layer's file */
	CC_WAY_BAD,	/* it fails */
	CC_WAY_WORKER,	/* a worker decides */
	CC_WAY_PAUSE,	/* waits for the end of a snapshot or of a commit of the top */
	CC_WAY_SYNC,	/* a flush that waits for a sync of the layer */
};

/* Numbers of its own: those of the kernel are of a type that cannot be printed by name. */
enum cc_op { CC_OP_READ, CC_OP_WRITE, CC_OP_DISCARD, CC_OP_WRITE_ZEROES };

static inline enum cc_op cc_trace_op(struct bio *bio)
{
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return CC_OP_READ;
	case REQ_OP_DISCARD:
		return CC_OP_DISCARD;
	case REQ_OP_WRITE_ZEROES:
		return CC_OP_WRITE_ZEROES;
	default:
		return CC_OP_WRITE;
	}
}
#endif

TRACE_DEFINE_ENUM(CC_OP_READ);
TRACE_DEFINE_ENUM(CC_OP_WRITE);
TRACE_DEFINE_ENUM(CC_OP_DISCARD);
TRACE_DEFINE_ENUM(CC_OP_WRITE_ZEROES);
TRACE_DEFINE_ENUM(CC_WAY_DEVICE);
TRACE_DEFINE_ENUM(CC_WAY_ZERO);
TRACE_DEFINE_ENUM(CC_WAY_HOLE);
TRACE_DEFINE_ENUM(CC_WAY_PACKED);
TRACE_DEFINE_ENUM(CC_WAY_TAIL);
TRACE_DEFINE_ENUM(CC_WAY_BAD);
TRACE_DEFINE_ENUM(CC_WAY_WORKER);
TRACE_DEFINE_ENUM(CC_WAY_PAUSE);
TRACE_DEFINE_ENUM(CC_WAY_SYNC);

#define cc_show_op(op) \
	__print_symbolic(op, \
		{ CC_OP_READ, "read" }, \
		{ CC_OP_WRITE, "write" }, \
		{ CC_OP_DISCARD, "discard" }, \
		{ CC_OP_WRITE_ZEROES, "write-zeroes" })

#define cc_show_way(way) \
	__print_symbolic(way, \
		{ CC_WAY_DEVICE, "device" }, \
		{ CC_WAY_ZERO, "zero" }, \
		{ CC_WAY_HOLE, "hole" }, \
		{ CC_WAY_PACKED, "packed" }, \
		{ CC_WAY_TAIL, "tail" }, \
		{ CC_WAY_BAD, "bad" }, \
		{ CC_WAY_WORKER, "worker" }, \
		{ CC_WAY_PAUSE, "pause" }, \
		{ CC_WAY_SYNC, "sync" })

/* @layer: its number in the chain, -1 if none is known, and its device. Sectors of the guest. */
TRACE_EVENT_FN(cowchain_map,
	TP_PROTO(const struct cowchain *cc, struct bio *bio, enum cc_way way, int layer,
		 dev_t layer_dev),
	TP_ARGS(cc, bio, way, layer, layer_dev),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(sector_t, sector)
		__field(unsigned int, nr_sectors)
		__field(unsigned int, op)
		__field(unsigned int, way)
		__field(int, layer)
		__field(dev_t, layer_dev)
	),
	TP_fast_assign(
		__entry->dev = disk_devt(dm_disk(cc->md));
		__entry->sector = bio->bi_iter.bi_sector;
		__entry->nr_sectors = bio_sectors(bio);
		__entry->op = cc_trace_op(bio);
		__entry->way = way;
		__entry->layer = layer;
		__entry->layer_dev = layer_dev;
	),
	TP_printk("%d,%d %s %llu + %u %s layer %d %d,%d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), cc_show_op(__entry->op),
		  (unsigned long long)__entry->sector, __entry->nr_sectors,
		  cc_show_way(__entry->way), __entry->layer,
		  MAJOR(__entry->layer_dev), MINOR(__entry->layer_dev)),
	cc_trace_map_reg, cc_trace_map_unreg
);

/* A part of a subcluster that a write leaves open was copied from the layers below. */
TRACE_EVENT(cowchain_fill,
	TP_PROTO(const struct cowchain *cc, sector_t sector, unsigned int nr_sectors, int error),
	TP_ARGS(cc, sector, nr_sectors, error),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(sector_t, sector)
		__field(unsigned int, nr_sectors)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->dev = disk_devt(dm_disk(cc->md));
		__entry->sector = sector;
		__entry->nr_sectors = nr_sectors;
		__entry->error = error;
	),
	TP_printk("%d,%d %llu + %u error %d", MAJOR(__entry->dev), MINOR(__entry->dev),
		  (unsigned long long)__entry->sector, __entry->nr_sectors, __entry->error)
);

/* A sync of a layer's writer: L2 blocks that were written, nanoseconds. */
TRACE_EVENT(cowchain_sync,
	TP_PROTO(const struct cowchain *cc, const struct cc_layer *layer, unsigned int blocks,
		 u64 ns, int error),
	TP_ARGS(cc, layer, blocks, ns, error),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(dev_t, layer_dev)
		__field(unsigned int, blocks)
		__field(u64, ns)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->dev = disk_devt(dm_disk(cc->md));
		__entry->layer_dev = layer->bdev->bd_dev;
		__entry->blocks = blocks;
		__entry->ns = ns;
		__entry->error = error;
	),
	TP_printk("%d,%d layer %d,%d blocks %u ns %llu error %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev),
		  MAJOR(__entry->layer_dev), MINOR(__entry->layer_dev), __entry->blocks,
		  (unsigned long long)__entry->ns, __entry->error)
);

/* A copy of a job has ended: bytes of the guest's disk; @written of them were written as data. */
TRACE_EVENT(cowchain_job,
	TP_PROTO(const struct cowchain *cc, const char *type, u64 offset, u64 bytes, u64 written,
		 int error),
	TP_ARGS(cc, type, offset, bytes, written, error),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__array(char, type, 16)
		__field(u64, offset)
		__field(u64, bytes)
		__field(u64, written)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->dev = disk_devt(dm_disk(cc->md));
		strscpy(__entry->type, type, sizeof(__entry->type));
		__entry->offset = offset;
		__entry->bytes = bytes;
		__entry->written = written;
		__entry->error = error;
	),
	TP_printk("%d,%d %s %llu + %llu written %llu error %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->type,
		  (unsigned long long)__entry->offset, (unsigned long long)__entry->bytes,
		  (unsigned long long)__entry->written, __entry->error)
);

/* Writes of the guest have waited for a snapshot, or for the end of a commit of the top. */
TRACE_EVENT(cowchain_pause,
	TP_PROTO(const struct cowchain *cc, const char *reason, u64 ns, int error),
	TP_ARGS(cc, reason, ns, error),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__array(char, reason, 16)
		__field(u64, ns)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->dev = disk_devt(dm_disk(cc->md));
		strscpy(__entry->reason, reason, sizeof(__entry->reason));
		__entry->ns = ns;
		__entry->error = error;
	),
	TP_printk("%d,%d %s ns %llu error %d", MAJOR(__entry->dev), MINOR(__entry->dev),
		  __entry->reason, (unsigned long long)__entry->ns, __entry->error)
);

#endif /* COWCHAIN_TRACE_H */

/* Found by -I in the Makefile: so it does not matter where this directory is. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
