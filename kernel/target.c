// SPDX-License-Identifier: GPL-2.0-only
/*
 * dm-cowchain: a chain of copy-on-write layers as one block device.
 *
 * Glue to device-mapper: construct, suspend, resume, destroy, limits.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "cell.h"
#include "cowchain.h"
#include "identity.h"
#include "job.h"
#include "registry.h"
#include "table.h"

void cc_err_limit(struct cowchain *cc, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	if (!__ratelimit(&cc->log_limit))
		return;
	va_start(args, fmt);
	vaf.va = &args;
	cc_err(cc, "%pV", &vaf);
	va_end(args);
}

void cc_set_mode(struct cowchain *cc, enum cc_mode mode, const char *why)
{
	bool changed;

	spin_lock_irq(&cc->lock);
	changed = mode > cc->mode;
	if (changed)
		WRITE_ONCE(cc->mode, mode);
	spin_unlock_irq(&cc->lock);
	if (!changed)
		return;
	cc_err(cc, "%s: no more writes until the table is loaded again", why);
	dm_table_event(cc->ti->table);
}

/* Count and validate what activation has left out. */
static void cc_scan_work(struct work_struct *work)
{
	struct cowchain *cc = container_of(work, struct cowchain, scan_work);
	struct cc_view *view = cc_view_get(cc, false);
	int r;

	if (!view)
		return;
	r = cc_top_scan(view->top, 0, view->top->nr_blocks, false);
	cc_view_put(view, false);
	if (r == -EMEDIUMTYPE)
		cc_set_mode(cc, CC_RO, "the top is not prepared for writing");
}

/*
 * Not in cc_resume(): a job needs a thread, and whoever makes threads may be
 * waiting for memory, that is for I/O of this very device, which goes on only
 * after the resume.
 */
static void cc_continue_work(struct work_struct *work)
{
	struct cowchain *cc = container_of(work, struct cowchain, continue_work);
	unsigned int noio;

	mutex_lock(&cc->ctl);
	noio = memalloc_noio_save();
	if (cc->continue_job && !cc->suspended) {
		cc->continue_job = false;
		/*
		 * Unless a message that came while it was suspended has ended
		 * it, or begun another.  If it fails it has said why; the chain
		 * can be used without.
		 */
		if (cc_stream_recorded(cc))
			cc_stream_continue(cc, true);
	}
	memalloc_noio_restore(noio);
	mutex_unlock(&cc->ctl);
}

/* ------------------------------------------------------------ construct, destroy */

static void cc_close_layers(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);
	unsigned int i;

	if (!view) {
		for (i = 0; i < cc->nr_opened; i++)
			cc_layer_close(cc->opened[i]);
		return;
	}
	for (i = 0; i < view->nr; i++)
		cc_layer_close(view->layer[i]);
	RCU_INIT_POINTER(cc->view, NULL);
	cc_view_destroy(view);
}

/* Tolerates what cc_init() has left half done. */
static void cc_destroy(struct cowchain *cc)
{
	if (!cc)
		return;
	if (cc->commit_wq)
		cancel_delayed_work_sync(&cc->commit_work);
	cc_close_layers(cc);
	if (cc->wq)
		destroy_workqueue(cc->wq);
	if (cc->discard_wq)
		destroy_workqueue(cc->discard_wq);
	if (cc->commit_wq)
		destroy_workqueue(cc->commit_wq);
	mempool_exit(&cc->words_pool);
	mempool_exit(&cc->page_pool);
	bioset_exit(&cc->split_bs);
	bioset_exit(&cc->bs);
	kvfree(cc->cells);
	kfree(cc->opened);
	mutex_destroy(&cc->ctl);
	kfree(cc);
}

static int cc_init_pools(struct cowchain *cc)
{
	int r;

	r = bioset_init(&cc->bs, 64, 0, BIOSET_NEED_BVECS);
	if (!r)
		r = bioset_init(&cc->split_bs, 64, 0, 0);
	if (!r)
		r = mempool_init_page_pool(&cc->page_pool, 16, 0);
	if (!r)
		r = mempool_init_kmalloc_pool(&cc->words_pool, 2,
					      CC_BLOCK_CLUSTERS * sizeof(u64));
	return r;
}

static int cc_init(struct cowchain *cc, struct dm_target *ti)
{
	cc->ti = ti;
	cc->md = dm_table_get_md(ti->table);
	cc->read_only = !(dm_table_get_mode(ti->table) & CC_OPEN_WRITE);
	cc->base = -1;
	cc->suspended = true;
	cc->discard_granularity = 4096;
	ratelimit_state_init(&cc->log_limit, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);
	mutex_init(&cc->ctl);
	spin_lock_init(&cc->lock);
	bio_list_init(&cc->paused_bios);
	cc_commit_init(cc);
	INIT_WORK(&cc->scan_work, cc_scan_work);
	INIT_WORK(&cc->continue_work, cc_continue_work);
	cc->cells = cc_cells_create();
	/*
	 * Items of cc->wq may sleep on a layer that is slow; many of them may
	 * run at a time, so that others go on.
	 */
	cc->wq = alloc_workqueue("cowchain", WQ_UNBOUND | WQ_MEM_RECLAIM, 256);
	/* Two hold no more than half of the cells, which writes need, too. */
	cc->discard_wq = alloc_workqueue("cowchain_discard", WQ_UNBOUND | WQ_MEM_RECLAIM, 2);
	cc->commit_wq = alloc_ordered_workqueue("cowchain_commit", WQ_MEM_RECLAIM);
	if (!cc->cells || !cc->wq || !cc->discard_wq || !cc->commit_wq)
		return -ENOMEM;
	return cc_init_pools(cc);
}

static int cc_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct cowchain *cc = kzalloc(sizeof(*cc), GFP_KERNEL);
	int r;

	if (!cc) {
		ti->error = "out of memory";
		return -ENOMEM;
	}
	r = cc_init(cc, ti);
	if (r)
		ti->error = "out of memory";
	else
		r = cc_table_parse(cc, argc, argv);
	if (r) {
		cc_destroy(cc);
		return r;
	}
	ti->private = cc;
	ti->per_io_data_size = sizeof(struct cc_io);
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	ti->flush_supported = true;
	ti->discards_supported = true;
	return 0;
}

void cc_stop_scan(struct cowchain *cc)
{
	WRITE_ONCE(cc->scan_stop, true);
	cancel_work_sync(&cc->scan_work);
	WRITE_ONCE(cc->scan_stop, false);
}

static void cc_dtr(struct dm_target *ti)
{
	struct cowchain *cc = ti->private;
	struct cc_view *view;

	cc_stop_scan(cc);
	cancel_work_sync(&cc->continue_work);
	cc_job_destroy(cc);
	view = cc_view_current(cc);
	if (view) {
		/* A forced removal does not wait for bios; their bits count. */
		cc_view_drain(view);
		cc_commit_stop(cc);
	}
	cc_destroy(cc);
}

/* ---------------------------------------------------------- suspend and resume */

/* The job does I/O of its own that dm does not know of. */
static void cc_presuspend(struct dm_target *ti)
{
	struct cowchain *cc = ti->private;

	mutex_lock(&cc->ctl);
	cc->suspended = true;
	cc_stop_scan(cc);
	mutex_unlock(&cc->ctl);
	/* If it had not begun, the next resume is its turn. */
	cancel_work_sync(&cc->continue_work);
	cc_job_freeze(cc);
}

void cc_start_scan(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);

	/* A job that ends while the device is being suspended comes here, too. */
	if (view && view->top && !cc->suspended &&
	    READ_ONCE(view->top->nr_counted) < view->top->nr_blocks)
		queue_work(system_unbound_wq, &cc->scan_work);
}

static void cc_go_on(struct cowchain *cc)
{
	mutex_lock(&cc->ctl);
	cc->suspended = false;
	cc_start_scan(cc);
	/* Also after a suspend that was given up: it has cancelled this. */
	if (cc->continue_job)
		queue_work(system_unbound_wq, &cc->continue_work);
	mutex_unlock(&cc->ctl);
	cc_job_unfreeze(cc);
}

static void cc_presuspend_undo(struct dm_target *ti)
{
	cc_go_on(ti->private);
}

/* No bio is in flight: after this another table may read the metadata. */
static void cc_postsuspend(struct dm_target *ti)
{
	struct cowchain *cc = ti->private;
	struct cc_view *view;

	/* A snapshot that is being taken waits for a commit, too. */
	mutex_lock(&cc->ctl);
	view = cc_view_current(cc);
	if (view && view->top) {
		if (cc_commit_suspend(cc))
			cc_err(cc, "metadata could not be committed on suspend");
		cc_claim_set_owed(cc->md, cc_view_active(view)->dev->bdev->bd_dev,
				  cc_commit_owes(cc));
	}
	mutex_unlock(&cc->ctl);
}

static int cc_load_layers(struct cowchain *cc)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < cc->nr_opened && !r; i++)
		if (!cc->opened[i]->ready)
			r = cc_layer_load(cc->opened[i]);
	return r;
}

/* The top's map; small images are validated and counted at once. */
static int cc_load_top(struct cowchain *cc, struct cc_layer *active)
{
	if (cc->read_only || active->top)
		return 0;
	active->top = cc_top_create(active);
	if (!active->top)
		return -ENOMEM;
	return cc_top_scan(active->top, 0, min_t(u32, active->top->nr_blocks,
						 CC_SCAN_SYNC_BLOCKS), false);
}

int cc_check_size(struct cowchain *cc, struct cc_layer *layer)
{
	if (layer->sectors < cc->ti->len) {
		cc_err(cc, "layer %s: size is %llu sectors, the table wants %llu",
		       layer->dev->name, (u64)layer->sectors, (u64)cc->ti->len);
		return -EFBIG;
	}
	if (layer->sectors > CC_MAX_SECTORS) {
		cc_err(cc, "layer %s: size is larger than 64 TiB", layer->dev->name);
		return -EFBIG;
	}
	return 0;
}

int cc_check_blocks(struct cowchain *cc, struct cc_layer *layer, unsigned int bytes)
{
	if (layer->sectors & ((bytes >> SECTOR_SHIFT) - 1)) {
		cc_err(cc, "layer %s: size is %llu sectors, which are no whole logical blocks of %u bytes",
		       layer->dev->name, (u64)layer->sectors, bytes);
		return -EINVAL;
	}
	/* They decide where I/O of what is below it is cut. */
	if (layer->kind == CC_QCOW2 && 1U << layer->q2.sub_bits < bytes) {
		cc_err(cc, "layer %s: its subclusters of %u bytes are smaller than logical blocks of %u bytes in the chain",
		       layer->dev->name, 1U << layer->q2.sub_bits, bytes);
		return -EINVAL;
	}
	return 0;
}

/* Where a layer ends, I/O of those below it ends, too. */
static int cc_check_all_blocks(struct cowchain *cc)
{
	unsigned int i, bytes = SECTOR_SIZE;
	int r = 0;

	for (i = 0; i < cc->nr_opened && !r; i++) {
		struct cc_layer *l = cc->opened[i];

		bytes = max3(bytes, bdev_logical_block_size(l->dev->bdev),
			     bdev_logical_block_size(cc_data_bdev(l)));
		r = cc_check_blocks(cc, l, bytes);
	}
	return r;
}

/* What a former table of the device could not commit is reported by a flush. */
static void cc_inherit_loss(struct cowchain *cc)
{
	unsigned int i;

	for (i = 0; i < cc->nr_opened; i++)
		if (cc_claim_owed(cc->md, cc->opened[i]->dev->bdev->bd_dev))
			cc->owed = true;
}

static int cc_activate(struct cowchain *cc)
{
	struct cc_layer *active = cc->opened[cc->nr_opened - 1];
	struct cc_view *view;
	int r;

	r = cc_load_layers(cc);
	if (!r)
		r = cc_check_size(cc, active);
	if (!r)
		r = cc_check_all_blocks(cc);
	if (!r)
		r = cc_load_top(cc, active);
	if (!r)
		r = cc_ident_activate(cc, cc->opened, cc->nr_opened);
	if (r)
		return r;
	view = cc_view_create(cc, cc->opened, cc->nr_opened, NULL);
	if (!view)
		return -ENOMEM;
	if (!cc->read_only)
		cc_inherit_loss(cc);
	rcu_assign_pointer(cc->view, view);
	return 0;
}

/*
 * The metadata is read here and not in the constructor, since a table that is
 * being replaced writes until it is suspended.
 */
static int cc_preresume(struct dm_target *ti)
{
	struct cowchain *cc = ti->private;
	unsigned int i, noio;
	int r = 0;

	mutex_lock(&cc->ctl);
	/* Memory must not be sought by writing to this very device. */
	noio = memalloc_noio_save();
	if (!cc_view_current(cc))
		r = cc_activate(cc);
	/* All anew if it is tried again: the images may have been mended. */
	for (i = 0; r && i < cc->nr_opened; i++)
		cc_layer_unload(cc->opened[i]);
	memalloc_noio_restore(noio);
	mutex_unlock(&cc->ctl);
	return r;
}

static void cc_resume(struct dm_target *ti)
{
	cc_go_on(ti->private);
}

/* ------------------------------------------------------------------- limits */

static int cc_iterate_view(struct dm_target *ti, struct cc_layer **layers, unsigned int nr,
			   iterate_devices_callout_fn fn, void *data)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < nr && !r; i++) {
		struct cc_layer *l = layers[i];

		r = fn(ti, l->dev, 0, bdev_nr_sectors(l->dev->bdev), data);
		if (!r && l->data)
			r = fn(ti, l->data, 0, bdev_nr_sectors(l->data->bdev), data);
	}
	return r;
}

static int cc_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct cowchain *cc = ti->private;
	struct cc_view *view;
	int r;

	mutex_lock(&cc->ctl);
	view = cc_view_current(cc);
	if (view)
		r = cc_iterate_view(ti, view->layer, view->nr, fn, data);
	else
		r = cc_iterate_view(ti, cc->opened, cc->nr_opened, fn, data);
	mutex_unlock(&cc->ctl);
	return r;
}

/* Whole blocks, whatever their size. */
#define CC_MAX_ZEROES	round_down(UINT_MAX >> SECTOR_SHIFT, CC_DISCARD_SECTORS)

static void cc_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct cowchain *cc = ti->private;

	limits->discard_granularity = max_t(u32, limits->logical_block_size,
					    cc->discard_granularity);
	limits->discard_alignment = 0;
	limits->max_discard_sectors = UINT_MAX >> SECTOR_SHIFT;
	limits->max_hw_discard_sectors = UINT_MAX >> SECTOR_SHIFT;
	limits->max_write_zeroes_sectors = CC_MAX_ZEROES;
	cc_limits_no_poll(limits);
}

static struct target_type cowchain_target = {
	.name = "cowchain",
	.version = { 1, 2, 0 },
	/* One target a table: two could write to one layer. */
	.features = DM_TARGET_SINGLETON | DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = cc_ctr,
	.dtr = cc_dtr,
	.map = cc_map,
	.end_io = cc_end_io,
	.presuspend = cc_presuspend,
	.presuspend_undo = cc_presuspend_undo,
	.postsuspend = cc_postsuspend,
	.preresume = cc_preresume,
	.resume = cc_resume,
	.status = cc_status,
	.message = cc_message,
	.iterate_devices = cc_iterate_devices,
	.io_hints = cc_io_hints,
};

static int __init cowchain_init(void)
{
	return dm_register_target(&cowchain_target);
}

static void __exit cowchain_exit(void)
{
	dm_unregister_target(&cowchain_target);
	/* Blocks of the top map are freed by RCU callbacks of ours. */
	rcu_barrier();
}

module_init(cowchain_init);
module_exit(cowchain_exit);

MODULE_DESCRIPTION(DM_NAME " copy-on-write chain target");
MODULE_AUTHOR("The dm-cowchain authors");
MODULE_LICENSE("GPL");
