// SPDX-License-Identifier: GPL-2.0-only
/*
 * The metadata of a layer: header and L1 table are read and validated here, and forgotten again. L2
 * tables are read on demand, see run.c and top.c.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "load.h"
#include "tail.h"
#include "unpacked.h"

#define CC_BUFIO_TRIES	100	/* with a millisecond between */

void cc_layer_unload(struct cc_layer *layer)
{
	kvfree(layer->l1);
	layer->l1 = NULL;
	kvfree(layer->tables);
	layer->tables = NULL;
	layer->ready = false;
}

/* ---------------------------------------------------------------- dm-bufio */

/*
 * The block size is at most a cluster, so that no table ends in the middle of a block, and divides
 * the size of the device; but it is never below the device's logical block size. A top has blocks
 * of 4 KiB, which the top map relies on.
 */
static unsigned int cc_layer_bufio_bits(struct cc_layer *layer, unsigned int cluster_bits)
{
	unsigned int min_bits = ilog2(bdev_logical_block_size(layer->bdev));
	unsigned int bits = min_t(unsigned int, ilog2(CC_L2_BLOCK_BYTES), cluster_bits);

	if (!layer->writable)
		bits = min_t(unsigned int, bits, __ffs64(layer->dev_bytes));
	return max(bits, min_bits);
}

/*
 * A client has slab caches of its own. When another client of the same block size is destroyed, the
 * name of its cache stays in sysfs a little longer than the cache, and creating a new cache fails
 * meanwhile (seen with 6.1; 6.12 only complains).
 */
static int cc_layer_bufio(struct cc_layer *layer, unsigned int bits)
{
	struct dm_bufio_client *client;
	unsigned int tries = 0;

	for (;;) {
		client = dm_bufio_client_create(layer->bdev, 1U << bits, 1, 0, NULL, NULL, 0);
		if (client != ERR_PTR(-ENOMEM) || tries++ == CC_BUFIO_TRIES)
			break;
		usleep_range(1000, 2000);
	}
	if (IS_ERR(client)) {
		cc_layer_err(layer, "cannot create a dm-bufio client: error %ld", PTR_ERR(client));
		return PTR_ERR(client);
	}
	layer->bufio = client;
	layer->bufio_bits = bits;
	return 0;
}

/*
 * The block size for reading the header, when the cluster size is not known yet. It nearly always
 * suits the rest as well, so that the client, for which dm-bufio may create a slab cache, can be
 * kept.
 */
static unsigned int cc_layer_probe_bits(struct cc_layer *layer)
{
	unsigned int min_bits = ilog2(bdev_logical_block_size(layer->bdev));

	return max_t(unsigned int, min_bits,
		     min_t(unsigned int, ilog2(CC_L2_BLOCK_BYTES), __ffs64(layer->dev_bytes)));
}

static int cc_layer_set_bufio_bits(struct cc_layer *layer, unsigned int bits)
{
	if (bits == layer->bufio_bits)
		return 0;
	dm_bufio_client_destroy(layer->bufio);
	layer->bufio = NULL;
	return cc_layer_bufio(layer, bits);
}

/* Copy @len bytes of metadata from @offset; zeros behind the end of the file. Return: 0, -errno. */
static int cc_layer_copy(struct cc_layer *layer, u64 offset, void *buf, u32 len)
{
	u32 size = 1U << layer->bufio_bits;

	while (len) {
		u32 skip = offset & (size - 1);
		u32 n = min(len, size - skip);
		struct dm_buffer *b;
		void *p;

		/* The block size divides that of the device, so no block has a part of the tail. */
		if (offset >= layer->dev_bytes) {
			cc_tail_read(layer->tail, offset - layer->dev_bytes, buf, len);
			return 0;
		}
		p = dm_bufio_read(layer->bufio, offset >> layer->bufio_bits, &b);
		if (IS_ERR(p))
			return PTR_ERR(p);
		memcpy(buf, p + skip, n);
		dm_bufio_release(b);
		buf += n;
		offset += n;
		len -= n;
		cond_resched();
	}
	return 0;
}

/* A writable layer has 4 KiB dm-bufio blocks. */
sector_t cc_layer_l2_block(const struct cc_layer *layer, u32 index)
{
	u32 per_table = 1U << (layer->q2.l2_bits - ilog2(CC_BLOCK_CLUSTERS));
	u64 l1 = be64_to_cpu(layer->l1[index / per_table]) & QCOW2_OFFSET_MASK;

	return (l1 >> layer->bufio_bits) + index % per_table;
}

/* ----------------------------------------------------- header and L1 table */

u8 *cc_layer_header(struct cc_layer *layer, u32 *len)
{
	u32 bytes = min(q2_cluster_size(&layer->q2), cc_meta_bytes(layer));
	void *buf = kvmalloc(bytes, GFP_KERNEL);
	int r;

	if (!buf)
		return ERR_PTR(-ENOMEM);
	r = cc_layer_copy(layer, 0, buf, bytes);
	if (r) {
		cc_layer_err(layer, "cannot read the header: error %d", r);
		kvfree(buf);
		return ERR_PTR(r);
	}
	*len = bytes;
	return buf;
}

/*
 * A client that exists is kept, because a resume must not make one: that takes locks that somebody
 * may hold who waits for I/O of this very device. What another table has written since the client
 * was made is read again.
 */
static int cc_layer_open_bufio(struct cc_layer *layer)
{
	if (!layer->bufio)
		return cc_layer_bufio(layer, cc_layer_probe_bits(layer));
	dm_bufio_forget_buffers(layer->bufio, 0, ~(sector_t)0);
	return 0;
}

/* @kept: the client is older than this attempt. Smaller blocks than need be are right, too. */
static int cc_layer_fit_bufio(struct cc_layer *layer, bool kept)
{
	unsigned int bits = cc_layer_bufio_bits(layer, layer->q2.cluster_bits);

	if (!kept)
		return cc_layer_set_bufio_bits(layer, bits);
	if (bits >= layer->bufio_bits)
		return 0;
	cc_layer_err(layer, "its size has changed since the table was loaded: load the table again");
	return -EINVAL;
}

/* Read the sector with the cluster size first, then the whole header cluster. */
static int cc_layer_load_header(struct cc_layer *layer)
{
	bool kept = layer->bufio;
	struct q2_error err;
	u32 len;
	void *buf;
	int r;

	if (layer->dev_bytes < 512) {
		cc_layer_err(layer, "device is too small for a qcow2 header");
		return -EMEDIUMTYPE;
	}
	r = cc_layer_open_bufio(layer);
	if (r)
		return r;
	buf = kmalloc(512, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	r = cc_layer_copy(layer, 0, buf, 512);
	if (r) {
		cc_layer_err(layer, "cannot read the header: error %d", r);
	} else {
		r = q2_header_bytes(buf, &err);
		if (r < 0)
			cc_layer_err(layer, "%s", err.text);
	}
	kfree(buf);
	if (r < 0)
		return r;

	layer->q2.cluster_bits = ilog2(r);
	r = cc_layer_fit_bufio(layer, kept);
	if (r)
		return r;
	buf = cc_layer_header(layer, &len);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	r = q2_parse_header(buf, len, cc_meta_bytes(layer), &layer->q2, &err);
	if (!r)
		q2_ident_parse(&layer->q2, buf, &layer->ident);
	kvfree(buf);
	if (r)
		cc_layer_err(layer, "%s", err.text);
	return r;
}

static int cc_layer_load_l1(struct cc_layer *layer)
{
	u32 bytes = layer->q2.l1_entries * sizeof(__be64);
	int r;

	layer->l1 = kvmalloc(max_t(u32, bytes, 8), GFP_KERNEL);
	if (!layer->l1)
		return -ENOMEM;
	r = cc_layer_copy(layer, layer->q2.l1_offset, layer->l1, bytes);
	if (r)
		cc_layer_err(layer, "cannot read the L1 table: error %d", r);
	return r;
}

static int cc_layer_check_l1(struct cc_layer *layer)
{
	u32 nr = max_t(u32, layer->q2.l1_entries, 1);
	struct q2_error err;
	int r;

	layer->tables = kvmalloc_array(nr, sizeof(*layer->tables), GFP_KERNEL);
	if (!layer->tables)
		return -ENOMEM;
	r = q2_check_l1(&layer->q2, layer->l1, layer->tables, layer->dev_bytes, &err);
	if (r)
		cc_layer_err(layer, "%s", err.text);
	return r;
}

/* Load the header, and check that the table line fits it. */
static int cc_layer_load_info(struct cc_layer *layer)
{
	struct q2_error err;
	int r = cc_layer_load_header(layer);

	if (r)
		return r;
	layer->sectors = layer->q2.size >> SECTOR_SHIFT;
	/* The top map needs dm-bufio blocks of 4 KiB. */
	if (layer->writable && bdev_logical_block_size(layer->bdev) > CC_L2_BLOCK_BYTES) {
		cc_layer_err(layer, "device has logical blocks of %u bytes, a top may have at most %u",
			     bdev_logical_block_size(layer->bdev), CC_L2_BLOCK_BYTES);
		return -EINVAL;
	}
	if (layer->q2.data_file && !layer->data) {
		cc_layer_err(layer, "image has an external data file: name its device in the table");
		return -EINVAL;
	}
	if (!layer->q2.data_file && layer->data) {
		cc_layer_err(layer, "image has no external data file: use - for the data device");
		return -EINVAL;
	}
	if (!layer->writable)
		return layer->data ? 0 : cc_source_get(layer);
	r = q2_check_writable(&layer->q2, &err);
	if (r)
		cc_layer_err(layer, "%s", err.text);
	return r;
}

int cc_layer_probe(struct cc_layer *layer)
{
	layer->dev_bytes = bdev_nr_bytes(layer->bdev);
	layer->data_bytes = bdev_nr_bytes(cc_data_bdev(layer));
	layer->sectors = (layer->data_bytes >> SECTOR_SHIFT) + !!cc_data_tail(layer);
	return layer->kind == CC_RAW ? 0 : cc_layer_load_info(layer);
}

int cc_layer_load(struct cc_layer *layer)
{
	int r = cc_layer_probe(layer);

	if (!r && layer->kind != CC_RAW)
		r = cc_layer_load_l1(layer);
	if (!r && layer->writable)
		r = cc_layer_check_l1(layer);
	if (r)
		cc_layer_unload(layer);
	layer->ready = !r;
	return r;
}
