// SPDX-License-Identifier: GPL-2.0-only
/*
 * A layer of the chain: its devices and the claims on them.
 *
 * The kernel never opens a path taken from an image: paths come from the table line or a message
 * only.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "counts.h"
#include "load.h"
#include "registry.h"
#include "unpacked.h"
#include "view.h"

static const char * const cc_kinds[] = { [CC_RAW] = "raw", [CC_QCOW2] = "qcow2" };

const char *cc_kind_name(enum cc_kind kind)
{
	return cc_kinds[kind];
}

int cc_parse_kind(const char *word, enum cc_kind *kind)
{
	int i = match_string(cc_kinds, ARRAY_SIZE(cc_kinds), word);

	if (i < 0)
		return -EINVAL;
	*kind = i;
	return 0;
}

static void cc_layer_put_dev(struct cc_layer *layer, struct dm_dev *dev)
{
	if (!dev)
		return;
	cc_unclaim(layer->cc->md, dev->bdev->bd_dev, layer->writable);
	dm_put_device(layer->cc->ti, dev);
}

int cc_path_dev(const char *path, dev_t *dev)
{
	unsigned int major, minor;
	char dummy;

	if (sscanf(path, "%u:%u%c", &major, &minor, &dummy) == 2) {
		*dev = MKDEV(major, minor);
		return MAJOR(*dev) == major && MINOR(*dev) == minor ? 0 : -EOVERFLOW;
	}
	return lookup_bdev(path, dev);
}

/*
 * Which layer of the table has that device open, other than the twin of @layer? It may have been
 * dropped from the chain, and not be closed yet; or be written by a job, by another device than the
 * chain reads. Context: the caller excludes others that open, but not those that close.
 */
static const char *cc_layer_find_user(struct cc_layer *layer, dev_t nr)
{
	struct cowchain *cc = layer->cc;
	struct cc_view *view = cc_view_current(cc);
	const char *user = NULL;
	struct cc_layer *l;

	spin_lock_irq(&cc->lock);
	list_for_each_entry(l, &cc->layers, list) {
		if (l == layer->twin || (l->dev_nr != nr && l->data_nr != nr))
			continue;
		user = !view || l == layer || view->slot[l->slot] == l ? "" :
			": a job has it open";
		break;
	}
	spin_unlock_irq(&cc->lock);
	return user;
}

/*
 * Check before the device is opened: if this table has it already, dm would upgrade its mode, and
 * free the struct dm_dev that the other layer uses, if only to give it back.
 *
 * The caller opens it by its number, since the path may name another device a moment later.
 */
static int cc_layer_check_unused(struct cc_layer *layer, const char *path, dev_t nr)
{
	struct cowchain *cc = layer->cc;
	const char *user = cc_layer_find_user(layer, nr);

	if (!user)
		return 0;
	cc_err(cc, "%s is part of the chain already%s", path, user);
	return cc_view_current(cc) ? -EBUSY : -EINVAL;
}

static int cc_layer_check_dev(struct cc_layer *layer, const char *path, struct dm_dev *dev)
{
	if (!bdev_nr_sectors(dev->bdev)) {
		cc_err(layer->cc, "%s is empty: nothing is attached to it", path);
		return -ENXIO;
	}
	/* Not every kernel refuses to open a read-only device for writing. */
	if (layer->writable && bdev_read_only(dev->bdev)) {
		cc_err(layer->cc, "%s is read-only, but would be written", path);
		return -EROFS;
	}
	return 0;
}

/*
 * A device that is open for reading has been opened again for writing: dm has freed the structure
 * that the twin of @layer has of it. Both have the new one now, and a reference each.
 */
static void cc_layer_renew_twin(struct cc_layer *layer, struct dm_dev *dev)
{
	struct cc_layer *twin = layer->twin;

	if (twin && twin->bdev == dev->bdev)
		twin->dev = dev;
	if (twin && twin->data && twin->data_bdev == dev->bdev)
		twin->data = dev;
}

static int cc_layer_get_dev(struct cc_layer *layer, const char *path, struct dm_dev **out)
{
	struct cowchain *cc = layer->cc;
	cc_mode_t mode = CC_OPEN_READ | (layer->writable ? CC_OPEN_WRITE : 0);
	char number[24];
	struct dm_dev *dev;
	dev_t nr;
	int r;

	r = cc_path_dev(path, &nr);
	if (r) {
		cc_err(cc, "%s is not a block device: error %d", path, r);
		return r;
	}
	r = cc_layer_check_unused(layer, path, nr);
	if (r)
		return r;
	snprintf(number, sizeof(number), "%u:%u", MAJOR(nr), MINOR(nr));
	r = dm_get_device(cc->ti, number, mode, &dev);
	if (r) {
		cc_err(cc, "cannot open %s%s: error %d", path,
		       layer->writable ? " for writing" : "", r);
		return r;
	}
	cc_layer_renew_twin(layer, dev);
	r = cc_layer_check_dev(layer, path, dev);
	if (!r) {
		r = cc_claim(cc->md, dev->bdev->bd_dev, layer->writable);
		if (r == -EBUSY)
			cc_err(cc, "%s is in use by another chain: %s", path,
			       layer->writable ? "it would be written" : "that chain writes to it");
	}
	if (r) {
		dm_put_device(cc->ti, dev);
		return r;
	}
	*out = dev;
	return 0;
}

/*
 * May a write of the guest with FUA be left to the device, if that has FUA (which may change)?
 *
 * Only a disk with requests does what it says: the block layer asks bdev_fua() just as we do, and
 * if that is true, the disk gets the FUA, and no flush comes with it. A device that maps bios
 * (device-mapper, md, ...) says that it has FUA whatever is below it: dm does from 6.11 on, and
 * some of its targets always did. If a disk at the end of its bios has none, the block layer writes
 * there and then flushes. That flush may return the error of writing back other data, whose bits
 * wait for a sync by then, though none did when the write came. A device may report it only once,
 * so the flush of the next sync would succeed, and make bits durable whose data is lost.
 *
 * So such a device gets the write alone, and then a sync flushes. If no bits wait, that is one
 * flush: what a stack without FUA at its end would have done by itself. One that has it there pays
 * for a flush.
 *
 * To treat an error of FUA as one of a sync would not be enough: between the flush in the device
 * and the end of the write here, a sync may begin, flush, and succeed. And a bad sector would make
 * the chain read-only.
 */
static struct block_device *cc_layer_fua_bdev(struct block_device *bdev)
{
	return bdev->bd_disk->fops->submit_bio ? NULL : bdev;
}

static void cc_layer_set_devs(struct cc_layer *layer)
{
	const struct dm_dev *data = layer->data ?: layer->dev;

	layer->bdev = layer->dev->bdev;
	layer->data_bdev = data->bdev;
	layer->fua_bdev = cc_layer_fua_bdev(data->bdev);
	layer->dev_nr = layer->bdev->bd_dev;
	layer->data_nr = layer->data_bdev->bd_dev;
	strscpy(layer->name, layer->dev->name, sizeof(layer->name));
	strscpy(layer->data_name, data->name, sizeof(layer->data_name));
}

static int cc_layer_get_devs(struct cc_layer *layer, const char *path, const char *data_path)
{
	int r = cc_layer_get_dev(layer, path, &layer->dev);

	if (r)
		return r;
	/* Also before the second, which must not be the same. */
	cc_layer_set_devs(layer);
	layer->counts = cc_counts_get(layer->cc->md, layer->bdev->bd_dev);
	if (!layer->counts)
		return -ENOMEM;
	if (!data_path)
		return 0;
	r = cc_layer_get_dev(layer, data_path, &layer->data);
	if (!r)
		cc_layer_set_devs(layer);
	return r;
}

static struct cc_layer *cc_layer_alloc(struct cowchain *cc, enum cc_kind kind, bool writable)
{
	struct cc_layer *layer = kzalloc(sizeof(*layer), GFP_KERNEL);

	if (!layer)
		return NULL;
	layer->cc = cc;
	layer->kind = kind;
	layer->writable = writable;
	mutex_init(&layer->meta_lock);
	spin_lock_init(&layer->error_lock);
	spin_lock_irq(&cc->lock);
	list_add_tail(&layer->list, &cc->layers);
	spin_unlock_irq(&cc->lock);
	return layer;
}

struct cc_layer *cc_layer_open(struct cowchain *cc, enum cc_kind kind,
			       const char *path, const char *data_path, bool writable)
{
	struct cc_layer *layer = cc_layer_alloc(cc, kind, writable);
	int r;

	if (!layer)
		return ERR_PTR(-ENOMEM);
	r = cc_layer_get_devs(layer, path, data_path);
	if (r) {
		cc_layer_close(layer);
		return ERR_PTR(r);
	}
	return layer;
}

/* --------------------------------------------------------------------- twins */

/* Nobody else may read what the twin is going to write, by whichever device. */
static int cc_twin_claim(struct cc_layer *layer)
{
	struct cc_layer *twin = layer->twin;
	struct mapped_device *md = layer->cc->md;
	int r = 0;

	if (twin->bdev != layer->bdev) {
		r = cc_claim(md, twin->bdev->bd_dev, true);
		layer->twin_claims = !r;
	}
	if (!r && twin->data && twin->data_bdev != layer->data_bdev) {
		r = cc_claim(md, twin->data_bdev->bd_dev, true);
		layer->twin_data_claims = !r;
	}
	if (r == -EBUSY)
		cc_layer_err(twin, "is in use by another chain: it would be written");
	return r;
}

void cc_layer_end_twin(struct cc_layer *layer)
{
	struct mapped_device *md = layer->cc->md;

	if (layer->twin_claims)
		cc_unclaim(md, layer->twin->bdev->bd_dev, true);
	if (layer->twin_data_claims)
		cc_unclaim(md, layer->twin->data_bdev->bd_dev, true);
	layer->twin_claims = false;
	layer->twin_data_claims = false;
	layer->twin = NULL;
}

struct cc_layer *cc_layer_open_twin(struct cc_layer *twin, const char *path, const char *data_path)
{
	struct cc_layer *layer = cc_layer_alloc(twin->cc, twin->kind, true);
	int r;

	if (!layer)
		return ERR_PTR(-ENOMEM);
	layer->twin = twin;
	if (!path) {
		path = twin->name;
		data_path = twin->data ? twin->data_name : NULL;
	}
	r = cc_layer_get_devs(layer, path, data_path);
	if (!r)
		r = cc_twin_claim(layer);
	if (r) {
		cc_layer_close(layer);
		return ERR_PTR(r);
	}
	return layer;
}

/* ------------------------------------------------------------- closing, sealing */

void cc_layer_close(struct cc_layer *layer)
{
	if (IS_ERR_OR_NULL(layer))
		return;
	cc_layer_end_twin(layer);
	cc_layer_unload(layer);
	cc_source_put(layer);
	if (layer->bufio)
		dm_bufio_client_destroy(layer->bufio);
	mutex_destroy(&layer->meta_lock);
	cc_layer_put_dev(layer, layer->data);
	cc_layer_put_dev(layer, layer->dev);
	/* Not before: until here nobody else may open them. */
	spin_lock_irq(&layer->cc->lock);
	list_del(&layer->list);
	spin_unlock_irq(&layer->cc->lock);
	cc_counts_put(layer->counts);
	kfree(layer->data_tail);
	kfree(layer->tail);
	kfree(layer);
}

void cc_layer_end_writing(struct cc_layer *layer)
{
	struct mapped_device *md = layer->cc->md;

	cc_claim_end_writing(md, layer->bdev->bd_dev);
	if (layer->data)
		cc_claim_end_writing(md, layer->data_bdev->bd_dev);
	layer->writable = false;
}

int cc_layer_seal(struct cc_layer *layer)
{
	struct mapped_device *md = layer->cc->md;
	int r = cc_claim_seal(md, layer->bdev->bd_dev);

	if (!r && layer->data) {
		r = cc_claim_seal(md, layer->data_bdev->bd_dev);
		if (r)
			cc_claim_unseal(md, layer->bdev->bd_dev);
	}
	if (r)
		cc_layer_err(layer, "an inactive table would write to it: clear it first");
	return r;
}

void cc_layer_sealed(struct cc_layer *layer)
{
	struct mapped_device *md = layer->cc->md;

	cc_claim_sealed(md, layer->bdev->bd_dev);
	if (layer->data)
		cc_claim_sealed(md, layer->data_bdev->bd_dev);
	layer->writable = false;
}

void cc_layer_unseal(struct cc_layer *layer)
{
	struct mapped_device *md = layer->cc->md;

	cc_claim_unseal(md, layer->bdev->bd_dev);
	if (layer->data)
		cc_claim_unseal(md, layer->data_bdev->bd_dev);
}
