/* SPDX-License-Identifier: GPL-2.0-only */
/* A layer of the chain: its devices and the claims on them. */
#ifndef COWCHAIN_LAYER_H
#define COWCHAIN_LAYER_H

#include <linux/blkdev.h>
#include <linux/dm-bufio.h>
#include <linux/list.h>

#include "cowchain.h"
#include "qcow2-ident.h"

#define CC_MAX_LAYERS		255
#define CC_L2_BLOCK_BYTES	4096
#define CC_BLOCK_CLUSTERS	256	/* extended L2 entries of one L2 block */

struct cc_counts;
struct cc_source;
struct cc_tail;
struct cc_top;
struct cc_writer;

enum cc_kind { CC_RAW, CC_QCOW2 };

#define CC_L2_ERRORS	8

/**
 * struct cc_l2_error - an L2 block of a layer that could not be read lately; see run.c.
 * @error: 0 if this is not used.
 * @until: jiffies.
 */
struct cc_l2_error {
	u64 block;
	unsigned long until;
	int error;
};

/**
 * struct cc_layer - one layer of the chain.
 * @list: in cc->layers, as long as the layer has devices.
 * @slot: index in cc_view.slot[], stable for the life of the layer, so that nothing has to be
 *	rebuilt when a stream drops layers.
 * @dev: the device that is opened and claimed. Like @data, it is for those who open and close: the
 *	structure goes when the same device is opened for writing, see cc_layer_open_twin().
 * @data: the device of the data, if it is another one (external data file).
 * @bdev, @name: those of @dev.
 * @data_bdev, @data_name: those of @data, otherwise of @dev.
 * @fua_bdev: @data_bdev if it may be given FUA writes, otherwise NULL; see cc_layer_fua_bdev().
 * @dev_nr, @data_nr: their numbers, 0 before they are open.
 * @writable: the registry holds this layer for us as its writer.
 * @ready: the header has been read.
 * @q2: undefined for raw layers.
 * @ident: from the header. Changes under cc->ctl with cc->lock held, so that either is enough to
 *	read it.
 * @sectors: virtual size.
 * @dev_bytes, @data_bytes: size of the device with the metadata and of the one with the data (often
 *	the same).
 * @tail, @data_tail: what @dev and @data lack of their files, or NULL. Never of a writable layer.
 * @counts: what it has served; see counts.h.
 * @source: for compressed clusters, or NULL if the layer cannot have any; see unpacked.h.
 * @l1: as on disk.
 * @tables: of a writable layer: offsets of its L2 tables, for q2_decode_top().
 * @meta_lock: held while dirty buffers are written and flushed, so that each error of that reaches
 *	the one it concerns.
 * @bufio_bits: log2 of @bufio's block size in bytes.
 * @l2_errors, @next_error: the last ones. Protected by @error_lock.
 * @ahead: L2 blocks that were read ahead since somebody needed one.
 * @discards_keep: its data device was seen to read as something else than zeros after a discard;
 *	see zero.c.
 * @top, @writer: only while this is the active, writable layer, or a job's target.
 * @streamed: a stream writes to it, and it is not the top.
 * @twin: of a job's target: the layer of the chain with the same image, which is read.
 * @twin_claims, @twin_data_claims: it has other devices, which this layer keeps others from.
 *
 * Immutable after cc_layer_load(), but for @ident, @top, @writer, @streamed and @writable
 * (cc->ctl), and for @l2_errors, @ahead and @discards_keep.
 */
struct cc_layer {
	struct list_head list;
	struct cowchain *cc;
	unsigned int slot;
	enum cc_kind kind;
	struct dm_dev *dev;
	struct dm_dev *data;
	struct block_device *bdev;
	struct block_device *data_bdev;
	struct block_device *fua_bdev;
	char name[16];
	char data_name[16];
	dev_t dev_nr;
	dev_t data_nr;
	bool writable;
	bool ready;
	struct q2_info q2;
	struct q2_ident ident;
	sector_t sectors;
	u64 dev_bytes;
	u64 data_bytes;
	struct cc_tail *tail;
	struct cc_tail *data_tail;
	struct cc_counts *counts;
	struct cc_source *source;
	__be64 *l1;
	u64 *tables;
	struct dm_bufio_client *bufio;
	struct mutex meta_lock;		/* dirty buffers, their write errors, their flush */
	unsigned int bufio_bits;
	spinlock_t error_lock;		/* innermost */
	struct cc_l2_error l2_errors[CC_L2_ERRORS];
	unsigned int next_error;
	atomic_t ahead;
	bool discards_keep;
	struct cc_top *top;
	struct cc_writer *writer;
	bool streamed;
	struct cc_layer *twin;
	bool twin_claims;
	bool twin_data_claims;
};

#define cc_layer_err(l, fmt, ...) ({ \
	struct cc_layer *__l = (l); \
	cc_err(__l->cc, "layer %s: " fmt, __l->name, ##__VA_ARGS__); \
})

static inline struct block_device *cc_data_bdev(const struct cc_layer *layer)
{
	return layer->data_bdev;
}

/* The tail of the device of the data, or NULL. */
static inline const struct cc_tail *cc_data_tail(const struct cc_layer *layer)
{
	return layer->data ? layer->data_tail : layer->tail;
}

/* The word of the table line and of messages for a kind. Context: any. */
const char *cc_kind_name(enum cc_kind kind);

/* Return: 0 or -EINVAL. Context: any. */
int cc_parse_kind(const char *word, enum cc_kind *kind);

/* The device that MAJ:MIN or a path names. Context: process. Return: 0 or -errno. */
int cc_path_dev(const char *path, dev_t *dev);

/**
 * cc_layer_open() - get the devices of a layer and claim them.
 * @data_path: NULL if there is no separate data device.
 * @writable: claim it for writing.
 *
 * Context: process. Return: the layer or ERR_PTR(-ENODEV, -EBUSY, ...); the reason is logged.
 */
struct cc_layer *cc_layer_open(struct cowchain *cc, enum cc_kind kind,
			       const char *path, const char *data_path, bool writable);

/**
 * cc_layer_open_twin() - open the image of a lower layer once more, for writing.
 * @twin: that layer. It stays in use for reading, until cc_layer_end_twin() or the new one is
 *	closed.
 * @path, @data_path: other devices that show the same files, because those of @twin cannot be
 *	written; NULL: the same.
 *
 * Nobody else can use the devices of either meanwhile.
 *
 * Context: process. The chain stays as it is. Return: as cc_layer_open().
 */
struct cc_layer *cc_layer_open_twin(struct cc_layer *twin, const char *path,
				    const char *data_path);

/* It takes the place of its twin, which is closed. Context: process. */
void cc_layer_end_twin(struct cc_layer *layer);

/**
 * cc_layer_close() - unload a layer and give its devices back.
 *
 * Tolerates NULL and half-opened layers. Its top map and its writer have been freed.
 *
 * Context: process.
 */
void cc_layer_close(struct cc_layer *layer);

/**
 * cc_layer_seal() - prepare the top for becoming a lower layer.
 *
 * From here on no table can be loaded that would write to it. This chain still writes to it until
 * cc_layer_sealed(), after which other chains may read it; cc_layer_unseal() undoes the preparation
 * instead.
 *
 * Context: process. Return: 0, or -EBUSY if a table that is loaded but not resumed would write to
 * it.
 */
int cc_layer_seal(struct cc_layer *layer);
void cc_layer_sealed(struct cc_layer *layer);
void cc_layer_unseal(struct cc_layer *layer);

/*
 * A layer that a job has written to is only read from here on. (A former table of the mapped device
 * may still have it open for writing, but does not write.) Context: process.
 */
void cc_layer_end_writing(struct cc_layer *layer);

#endif /* COWCHAIN_LAYER_H */
