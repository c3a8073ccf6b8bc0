// SPDX-License-Identifier: GPL-2.0-only
/*
 * Layers: devices, headers, tables; see cowchain.h.
 *
 * The kernel never opens a path taken from an image: paths come from the
 * table line or a message only.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "cowchain.h"
#include "identity.h"
#include "registry.h"

#define CC_BUFIO_TRIES	100	/* with a millisecond between */

#define cc_layer_err(l, fmt, ...) ({ \
	struct cc_layer *__l = (l); \
	cc_err(__l->cc, "layer %s: " fmt, __l->dev->name, ##__VA_ARGS__); \
})

static void cc_layer_put_dev(struct cc_layer *layer, struct dm_dev *dev)
{
	if (!dev)
		return;
	cc_unclaim(layer->cc->md, dev->bdev->bd_dev, layer->writer);
	dm_put_device(layer->cc->ti, dev);
}

int cc_path_dev(const char *path, dev_t *dev)
{
	unsigned int major, minor;
	char dummy;

	if (sscanf(path, "%u:%u%c", &major, &minor, &dummy) == 2) {
		*dev = MKDEV(major, minor);
		return 0;
	}
	return lookup_bdev(path, dev);
}

static bool cc_layer_uses(const struct cc_layer *layer, dev_t dev)
{
	return (layer->dev && layer->dev->bdev->bd_dev == dev) ||
	       (layer->data && layer->data->bdev->bd_dev == dev);
}

/*
 * Before it is opened: dm would upgrade the mode of a device that this table
 * has already, and free the one that the other layer uses.
 */
static int cc_layer_check_unused(struct cc_layer *layer, const char *path)
{
	struct cowchain *cc = layer->cc;
	struct cc_view *view = cc_view_current(cc);
	unsigned int i, nr = view ? view->nr : cc->nr_opened;
	struct cc_layer **layers = view ? view->layer : cc->opened;
	bool used;
	dev_t dev;
	int r = cc_path_dev(path, &dev);

	if (r) {
		cc_err(cc, "%s is no block device: error %d", path, r);
		return r;
	}
	used = cc_layer_uses(layer, dev);
	for (i = 0; i < nr && !used; i++)
		used = cc_layer_uses(layers[i], dev);
	if (!used)
		return 0;
	cc_err(cc, "%s is part of the chain already", path);
	return view ? -EBUSY : -EINVAL;
}

static int cc_layer_check_dev(struct cc_layer *layer, const char *path, struct dm_dev *dev)
{
	if (!bdev_nr_sectors(dev->bdev)) {
		cc_err(layer->cc, "%s is empty: nothing is attached to it", path);
		return -ENXIO;
	}
	/* Not every kernel refuses to open it. */
	if (layer->writer && bdev_read_only(dev->bdev)) {
		cc_err(layer->cc, "%s is read-only, but the top is written", path);
		return -EROFS;
	}
	return 0;
}

static int cc_layer_get_dev(struct cc_layer *layer, const char *path, struct dm_dev **out)
{
	struct cowchain *cc = layer->cc;
	cc_mode_t mode = CC_OPEN_READ | (layer->writer ? CC_OPEN_WRITE : 0);
	struct dm_dev *dev;
	int r;

	r = cc_layer_check_unused(layer, path);
	if (r)
		return r;
	r = dm_get_device(cc->ti, path, mode, &dev);
	if (r) {
		cc_err(cc, "cannot open %s%s: error %d", path,
		       layer->writer ? " for writing" : "", r);
		return r;
	}
	r = cc_layer_check_dev(layer, path, dev);
	if (!r) {
		r = cc_claim(cc->md, dev->bdev->bd_dev, layer->writer);
		if (r == -EBUSY)
			cc_err(cc, "%s is in use by another chain: %s", path,
			       layer->writer ? "it would be written" : "that chain writes to it");
	}
	if (r) {
		dm_put_device(cc->ti, dev);
		return r;
	}
	*out = dev;
	return 0;
}

struct cc_layer *cc_layer_open(struct cowchain *cc, enum cc_kind kind,
			       const char *path, const char *data_path, bool writer)
{
	struct cc_layer *layer = kzalloc(sizeof(*layer), GFP_KERNEL);
	int r;

	if (!layer)
		return ERR_PTR(-ENOMEM);
	layer->cc = cc;
	layer->kind = kind;
	layer->writer = writer;
	mutex_init(&layer->meta_lock);
	r = cc_layer_get_dev(layer, path, &layer->dev);
	if (!r && data_path)
		r = cc_layer_get_dev(layer, data_path, &layer->data);
	if (r) {
		cc_layer_close(layer);
		return ERR_PTR(r);
	}
	return layer;
}

void cc_layer_close(struct cc_layer *layer)
{
	if (IS_ERR_OR_NULL(layer))
		return;
	cc_layer_unload(layer);
	mutex_destroy(&layer->meta_lock);
	cc_layer_put_dev(layer, layer->data);
	cc_layer_put_dev(layer, layer->dev);
	kfree(layer);
}

void cc_layer_unload(struct cc_layer *layer)
{
	cc_top_destroy(layer->top);
	layer->top = NULL;
	if (layer->bufio)
		dm_bufio_client_destroy(layer->bufio);
	layer->bufio = NULL;
	kvfree(layer->l1);
	layer->l1 = NULL;
	kvfree(layer->tables);
	layer->tables = NULL;
	layer->ready = false;
}

int cc_layer_seal(struct cc_layer *layer)
{
	struct mapped_device *md = layer->cc->md;
	int r = cc_claim_seal(md, layer->dev->bdev->bd_dev);

	if (!r && layer->data) {
		r = cc_claim_seal(md, layer->data->bdev->bd_dev);
		if (r)
			cc_claim_unseal(md, layer->dev->bdev->bd_dev);
	}
	if (r)
		cc_layer_err(layer, "an inactive table would write to it: clear that first");
	return r;
}

void cc_layer_sealed(struct cc_layer *layer)
{
	struct mapped_device *md = layer->cc->md;

	cc_claim_sealed(md, layer->dev->bdev->bd_dev);
	if (layer->data)
		cc_claim_sealed(md, layer->data->bdev->bd_dev);
	layer->writer = false;
}

void cc_layer_unseal(struct cc_layer *layer)
{
	struct mapped_device *md = layer->cc->md;

	cc_claim_unseal(md, layer->dev->bdev->bd_dev);
	if (layer->data)
		cc_claim_unseal(md, layer->data->bdev->bd_dev);
}

/* -------------------------------------------------------------- loading */

/*
 * Blocks no larger than a cluster, so that no table ends in mid-block, and
 * such that the device ends with a block; but never below what the device can
 * do.  A top has the 4 KiB blocks that the top map counts in.
 */
static unsigned int cc_layer_bufio_bits(struct cc_layer *layer, unsigned int cluster_bits)
{
	unsigned int min_bits = ilog2(bdev_logical_block_size(layer->dev->bdev));
	unsigned int bits = min_t(unsigned int, ilog2(CC_L2_BLOCK_BYTES), cluster_bits);

	if (!layer->writer)
		bits = min_t(unsigned int, bits, __ffs64(layer->dev_bytes));
	return max(bits, min_bits);
}

/*
 * A client has slab caches of its own.  While one of the same kind is being
 * destroyed by somebody else its name in sysfs lasts a little longer than
 * itself, and making another one fails for that (seen with 6.1; 6.12 only
 * complains).
 */
static int cc_layer_bufio(struct cc_layer *layer, unsigned int bits)
{
	struct dm_bufio_client *client;
	unsigned int tries = 0;

	for (;;) {
		client = dm_bufio_client_create(layer->dev->bdev, 1U << bits, 1, 0, NULL, NULL, 0);
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
 * For the header, when the size of clusters is not known yet.  Nearly always
 * right for the rest, too: a client is not made for nothing, and dm-bufio has a
 * slab cache for each one with small blocks.
 */
static unsigned int cc_layer_probe_bits(struct cc_layer *layer)
{
	unsigned int min_bits = ilog2(bdev_logical_block_size(layer->dev->bdev));

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

int cc_layer_copy(struct cc_layer *layer, u64 offset, void *buf, u32 len)
{
	u32 size = 1U << layer->bufio_bits;

	while (len) {
		u32 skip = offset & (size - 1);
		u32 n = min(len, size - skip);
		struct dm_buffer *b;
		void *p = dm_bufio_read(layer->bufio, offset >> layer->bufio_bits, &b);

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

u8 *cc_layer_header(struct cc_layer *layer, u32 *len)
{
	u32 bytes = min_t(u64, q2_cluster_size(&layer->q2), layer->dev_bytes);
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

/* First the sector that says how large clusters are, then the whole cluster. */
static int cc_layer_load_header(struct cc_layer *layer)
{
	struct q2_error err;
	u32 len;
	void *buf;
	int r;

	if (layer->dev_bytes < 512) {
		cc_layer_err(layer, "device is too small for a qcow2 header");
		return -EMEDIUMTYPE;
	}
	r = cc_layer_bufio(layer, cc_layer_probe_bits(layer));
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
	r = cc_layer_set_bufio_bits(layer, cc_layer_bufio_bits(layer, layer->q2.cluster_bits));
	if (r)
		return r;
	buf = cc_layer_header(layer, &len);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	r = q2_parse_header(buf, len, layer->dev_bytes, &layer->q2, &err);
	if (!r)
		cc_ident_load(layer, buf);
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

/* The header, and whether the table line fits it. */
static int cc_layer_load_info(struct cc_layer *layer)
{
	struct q2_error err;
	int r = cc_layer_load_header(layer);

	if (r)
		return r;
	layer->sectors = layer->q2.size >> SECTOR_SHIFT;
	/* The top map counts in blocks of dm-bufio. */
	if (layer->writer && bdev_logical_block_size(layer->dev->bdev) > CC_L2_BLOCK_BYTES) {
		cc_layer_err(layer, "device has logical blocks of %u bytes, a top may have %u",
			     bdev_logical_block_size(layer->dev->bdev), CC_L2_BLOCK_BYTES);
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
	r = layer->writer ? q2_check_writable(&layer->q2, &err) : 0;
	if (r)
		cc_layer_err(layer, "%s", err.text);
	return r;
}

int cc_layer_probe(struct cc_layer *layer)
{
	layer->dev_bytes = bdev_nr_bytes(layer->dev->bdev);
	layer->data_bytes = bdev_nr_bytes(cc_data_bdev(layer));
	layer->sectors = layer->data_bytes >> SECTOR_SHIFT;
	return layer->kind == CC_RAW ? 0 : cc_layer_load_info(layer);
}

int cc_layer_load(struct cc_layer *layer)
{
	int r = cc_layer_probe(layer);

	if (!r && layer->kind != CC_RAW)
		r = cc_layer_load_l1(layer);
	if (!r && layer->writer)
		r = cc_layer_check_l1(layer);
	if (r)
		cc_layer_unload(layer);
	layer->ready = !r;
	return r;
}

/* -------------------------------------------------------------- reading */

/* Remembers the L2 block last looked at while a run is followed. */
struct cc_l2_cursor {
	struct dm_buffer *buffer;
	u8 *data;
	u64 block;
};

static void cc_l2_release(struct cc_l2_cursor *cur)
{
	if (cur->buffer)
		dm_bufio_release(cur->buffer);
	cur->buffer = NULL;
}

static int cc_l2_block(struct cc_layer *layer, struct cc_l2_cursor *cur, u64 block)
{
	void *p;

	if (cur->buffer && cur->block == block)
		return 0;
	cc_l2_release(cur);
	p = dm_bufio_read(layer->bufio, block, &cur->buffer);
	if (IS_ERR(p)) {
		cur->buffer = NULL;
		cc_err_limit(layer->cc, "layer %s: cannot read L2 table at block %llu: error %ld",
			     layer->dev->name, block, PTR_ERR(p));
		return PTR_ERR(p);
	}
	cur->data = p;
	cur->block = block;
	return 0;
}

/* Decode the entry of @cluster; *why is set if it is bad. */
static int cc_l2_entry(struct cc_layer *layer, struct cc_l2_cursor *cur, u64 cluster,
		       struct q2_cluster *c, const char **why)
{
	const struct q2_info *q2 = &layer->q2;
	u64 l1_index = cluster >> q2->l2_bits;
	u64 offset, pos;
	__be64 w0, w1 = 0;
	int r;

	memset(c, 0, sizeof(*c));
	*why = q2_l2_offset(q2, layer->l1[l1_index], layer->dev_bytes, &offset);
	if (*why || !offset)
		return 0;
	pos = offset + (cluster & ((1U << q2->l2_bits) - 1)) * q2_l2_entry_size(q2);
	r = cc_l2_block(layer, cur, pos >> layer->bufio_bits);
	if (r)
		return r;
	pos &= (1U << layer->bufio_bits) - 1;
	memcpy(&w0, cur->data + pos, 8);
	if (q2->ext_l2)
		memcpy(&w1, cur->data + pos + 8, 8);
	*why = q2_decode(q2, cluster, w0, w1, layer->data_bytes, c);
	return 0;
}

/* State of the subcluster at @rel sectors into the cluster, and where it ends. */
static enum cc_state cc_cluster_state(const struct q2_info *q2, const struct q2_cluster *c,
				      u32 rel, u32 *end)
{
	u32 shift = q2->sub_bits - SECTOR_SHIFT;
	u32 nr = q2->ext_l2 ? QCOW2_SUBCLUSTERS : 1;
	u32 sub = rel >> shift, i;
	u64 word = (u64)c->zero << 32 | c->alloc;
	enum cc_state state = CC_NONE;

	if (c->alloc & (1U << sub))
		state = CC_DATA;
	else if (c->zero & (1U << sub))
		state = CC_ZERO;
	for (i = sub + 1; i < nr; i++)
		if (!(cc_word_state(word, state) & (1U << i)))
			break;
	*end = i << shift;
	return state;
}

/*
 * The part of a cluster behind the end of the device reads as zeros: QEMU
 * does not always extend a file to the end of its last cluster.
 */
static void cc_clip_data(struct cc_layer *layer, struct cc_run *run)
{
	sector_t dev_end = layer->data_bytes >> SECTOR_SHIFT;
	sector_t len = run->end - run->start;

	if (run->state != CC_DATA)
		return;
	if (run->sector >= dev_end)
		run->state = CC_ZERO;
	else if (len > dev_end - run->sector)
		run->end = run->start + (dev_end - run->sector);
}

/* The run at @pos inside one cluster. */
static int cc_cluster_run(struct cc_layer *layer, struct cc_l2_cursor *cur, sector_t pos,
			  struct cc_run *run)
{
	u32 shift = layer->q2.cluster_bits - SECTOR_SHIFT;
	u64 cluster = pos >> shift;
	u32 rel = pos & ((1U << shift) - 1);
	struct q2_cluster c;
	const char *why;
	u32 end;
	int r = cc_l2_entry(layer, cur, cluster, &c, &why);

	if (r)
		return r;
	run->start = pos;
	if (why) {
		cc_err_limit(layer->cc, "layer %s: guest offset 0x%llx: %s", layer->dev->name,
			     (u64)pos << SECTOR_SHIFT, why);
		run->state = CC_BAD;
		run->end = (cluster + 1) << shift;
		return 0;
	}
	run->state = cc_cluster_state(&layer->q2, &c, rel, &end);
	run->sector = (c.host >> SECTOR_SHIFT) + rel;
	run->end = (cluster << shift) + end;
	cc_clip_data(layer, run);
	return 0;
}

/* Does @next continue @run? */
static bool cc_run_continues(const struct cc_run *run, const struct cc_run *next)
{
	return next->state == run->state &&
	       (run->state != CC_DATA ||
		next->sector == run->sector + (run->end - run->start));
}

int cc_layer_run(struct cc_layer *layer, sector_t pos, sector_t limit, struct cc_run *run)
{
	struct cc_l2_cursor cur = { };
	struct cc_run next;
	int r = 0;

	run->start = pos;
	run->sector = pos;
	if (pos >= layer->sectors) {
		/* Nothing deeper shows through beyond the end of a layer. */
		run->state = CC_ZERO;
		run->end = limit;
		return 0;
	}
	limit = min(limit, layer->sectors);
	if (layer->kind == CC_RAW) {
		run->state = CC_DATA;
		run->end = limit;
		return 0;
	}
	r = cc_cluster_run(layer, &cur, pos, run);
	while (!r && run->end < limit) {
		/* What was found is good even if the next entry is unreadable. */
		if (cc_cluster_run(layer, &cur, run->end, &next) ||
		    !cc_run_continues(run, &next))
			break;
		run->end = next.end;
	}
	cc_l2_release(&cur);
	if (!r)
		run->end = min(run->end, limit);
	return r;
}
