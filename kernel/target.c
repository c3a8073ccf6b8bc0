// SPDX-License-Identifier: GPL-2.0-only
/*
 * dm-cowchain: a chain of copy-on-write layers as one block device.
 *
 * The target's side towards device-mapper: construct, suspend, resume, destroy, limits.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "activate.h"
#include "cell.h"
#include "counts.h"
#include "defer.h"
#include "job-control.h"
#include "message.h"
#include "packed.h"
#include "registry.h"
#include "round.h"
#include "scan.h"
#include "snapshot.h"
#include "status.h"
#include "table.h"
#include "throttle.h"
#include "trim.h"
#include "unpacked.h"
#include "writer.h"

/* ------------------------------------------------------ construct, destroy */

/* Tolerates NULL and a half-done cc_init(). */
static void cc_destroy(struct cowchain *cc)
{
	if (!cc)
		return;
	cc_close_layers(cc);
	if (cc->wq)
		destroy_workqueue(cc->wq);
	if (cc->discard_wq)
		destroy_workqueue(cc->discard_wq);
	if (cc->sync_wq)
		destroy_workqueue(cc->sync_wq);
	cc_counts_put(cc->counts);
	cc_packed_pages_destroy(cc->packed_pages);
	if (cc->header_page)
		__free_page(cc->header_page);
	mempool_exit(&cc->words_pool);
	mempool_exit(&cc->page_pool);
	bioset_exit(&cc->split_bs);
	bioset_exit(&cc->read_bs);
	bioset_exit(&cc->bs);
	kvfree(cc->cells);
	kfree(cc->opened);
	mutex_destroy(&cc->ctl);
	kfree(cc);
}

static int cc_init_pools(struct cowchain *cc)
{
	int r;

	cc->header_page = alloc_page(GFP_KERNEL);
	cc->packed_pages = cc_packed_pages_create();
	cc->counts = cc_counts_get(cc->md, 0);
	if (!cc->header_page || !cc->packed_pages || !cc->counts)
		return -ENOMEM;
	r = bioset_init(&cc->bs, 32, 0, BIOSET_NEED_BVECS);
	if (!r)
		r = bioset_init(&cc->read_bs, 32, 0, BIOSET_NEED_BVECS);
	if (!r)
		r = bioset_init(&cc->split_bs, 64, 0, 0);
	if (!r)
		r = mempool_init_page_pool(&cc->page_pool, 16, 0);
	if (!r)
		r = mempool_init_kmalloc_pool(&cc->words_pool, CC_WORDS_RESERVE, CC_WORDS_BYTES);
	return r;
}

static int cc_init(struct cowchain *cc, struct dm_target *ti)
{
	cc->ti = ti;
	cc->md = dm_table_get_md(ti->table);
	cc->read_only = !(dm_table_get_mode(ti->table) & CC_OPEN_WRITE);
	cc->base = -1;
	cc->suspended = true;
	ratelimit_state_init(&cc->log_limit, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);
	mutex_init(&cc->ctl);
	spin_lock_init(&cc->lock);
	INIT_LIST_HEAD(&cc->layers);
	bio_list_init(&cc->paused_bios);
	init_waitqueue_head(&cc->wait);
	cc_throttle_init(cc);
	cc->io_work = cc_io_work;
	cc_scan_init(cc);
	cc_snapshot_init(cc);
	INIT_WORK(&cc->continue_work, cc_continue_work);
	cc->cells = cc_cells_create();
	/* Items of cc->wq may sleep on a slow layer, so many of them may run at a time. */
	cc->wq = alloc_workqueue("cowchain", WQ_UNBOUND | WQ_MEM_RECLAIM, 256);
	/* One for the guest's and one to give space back, or two that zero data. */
	cc->discard_wq = alloc_workqueue("cowchain_discard", WQ_UNBOUND | WQ_MEM_RECLAIM, 2);
	cc->sync_wq = alloc_ordered_workqueue("cowchain_sync", WQ_MEM_RECLAIM);
	if (!cc->cells || !cc->wq || !cc->discard_wq || !cc->sync_wq)
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
	if (!r) {
		r = cc_prepare_view(cc);
		if (r)
			ti->error = "out of memory";
	}
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
	ti->accounts_remapped_io = true;
	return 0;
}

static void cc_dtr(struct dm_target *ti)
{
	struct cowchain *cc = ti->private;
	struct cc_view *view;

	cc_stop_scan(cc);
	cancel_work_sync(&cc->continue_work);
	/* A suspend has ended all snapshots, but may have overtaken the last lines of this. */
	cc_snapshot_exit(cc);
	cc_job_destroy(cc);
	view = cc_view_current(cc);
	if (view) {
		/*
		 * A forced removal does not wait for bios, but their bits have to be written. Those
		 * that are queued hold no view until a worker begins with them. The drain of the
		 * readers takes a grace period, which begins after the last writer has ended:
		 * whoever ended the last flush has left cc_writer_sync_bio() by then. Without bios
		 * in flight dm has waited for a grace period itself.
		 */
		flush_workqueue(cc->discard_wq);
		/* The former hand some to the latter: see cc_defer_edges(). */
		flush_workqueue(cc->wq);
		cc_view_drain(view);
		wait_event(cc->wait, !READ_ONCE(cc->nr_retired));
		if (view->top)
			cc_writer_stop(cc_view_active(view)->writer);
	}
	cc_destroy(cc);
}

/* --------------------------------------------------------- suspend, resume */

/*
 * Take cc->ctl when no snapshot is being taken; another one does not begin. From here on dm holds
 * up bios, and a message that makes or closes a layer needs locks whose holder may wait for them.
 */
static void cc_lock_for_suspend(struct cowchain *cc)
{
	/* Messages that run let the suspend pass. */
	WRITE_ONCE(cc->suspending, true);
	wake_up_all(&cc->wait);
	cc_round_wake();
	cc_job_wake(cc);
	mutex_lock(&cc->ctl);
	while (READ_ONCE(cc->snapshot)) {
		mutex_unlock(&cc->ctl);
		/* One that is only prepared is not coming to an end. */
		if (!cc_snapshot_give_up(cc))
			wait_event(cc->wait, !READ_ONCE(cc->snapshot));
		mutex_lock(&cc->ctl);
	}
}

/* While cc->suspended is set, no snapshot makes another writer, and no job that is frozen. */
static struct cc_writer *cc_writer_of(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);

	return view && view->top ? cc_view_active(view)->writer : NULL;
}

/* Freeze the job: dm does not know of its I/O. */
static void cc_presuspend(struct dm_target *ti)
{
	struct cowchain *cc = ti->private;
	struct cc_writer *writer;

	cc_lock_for_suspend(cc);
	cc->suspended = true;
	cc_stop_scan(cc);
	writer = cc_writer_of(cc);
	/* Nor does a job that ends now. */
	cc_job_mark_frozen(cc);
	mutex_unlock(&cc->ctl);
	/* While the guest's I/O continues. */
	if (writer)
		cc_trims_finish(writer, CC_TRIM_LIMIT);
	/* If it has not run yet, the next resume queues it again. */
	cancel_work_sync(&cc->continue_work);
	WRITE_ONCE(cc->continuing, false);
	wake_up_all(&cc->wait);
	cc_job_freeze(cc);
}

static void cc_continue(struct cowchain *cc)
{
	mutex_lock(&cc->ctl);
	WRITE_ONCE(cc->suspending, false);
	cc->suspended = false;
	cc_start_scan(cc);
	/* Also after a suspend that was given up, which has cancelled this work. */
	if (cc->continue_job) {
		WRITE_ONCE(cc->continuing, true);
		queue_work(system_freezable_wq, &cc->continue_work);
	}
	/* Before a snapshot can begin: it would find that the job holds still. */
	cc_job_unfreeze(cc);
	mutex_unlock(&cc->ctl);
}

static void cc_presuspend_undo(struct dm_target *ti)
{
	cc_continue(ti->private);
}

/* No bio is in flight: after this another table may read the metadata. */
static void cc_postsuspend(struct dm_target *ti)
{
	struct cowchain *cc = ti->private;
	struct cc_layer *active;
	struct cc_view *view;

	/* For a removal: see cc_must_yield(). */
	wake_up_all(&cc->wait);
	cc_job_wake(cc);
	/* A snapshot that is being taken waits for a sync, too. */
	mutex_lock(&cc->ctl);
	view = cc_view_current(cc);
	if (view && view->top) {
		active = cc_view_active(view);
		if (cc_writer_suspend(active->writer))
			cc_err(cc, "metadata could not be committed on suspend");
		/* What came since presuspend; not later: another table may write there. */
		cc_trims_flush(active->writer, CC_TRIM_LIMIT / 5);
		cc_trims_stop(active->writer);
		cc_claim_set_owed(cc->md, active->bdev->bd_dev,
				  cc_writer_owes(active->writer));
	}
	mutex_unlock(&cc->ctl);
}

/*
 * Metadata is read here and not in the constructor, since a table that is being replaced writes
 * until it is suspended. What that needs of the kernel is there already, see activate.c.
 */
static int cc_preresume(struct dm_target *ti)
{
	struct cowchain *cc = ti->private;
	unsigned int noio;
	int r = 0;

	mutex_lock(&cc->ctl);
	/* Memory must not depend on I/O to this very device. */
	noio = memalloc_noio_save();
	if (!cc_view_current(cc))
		r = cc_activate(cc);
	memalloc_noio_restore(noio);
	mutex_unlock(&cc->ctl);
	return r;
}

static void cc_resume(struct dm_target *ti)
{
	cc_continue(ti->private);
}

/* ------------------------------------------------------------------ limits */

/*
 * The whole chain reads in units of the largest logical block. (cc_check_blocks() makes sure that
 * the layers allow that; their devices may be longer.)
 */
static sector_t cc_usable_sectors(struct block_device *bdev, unsigned int block)
{
	return round_down(bdev_nr_sectors(bdev), block >> SECTOR_SHIFT);
}

static unsigned int cc_logical_block(struct cc_layer **layers, unsigned int nr)
{
	unsigned int i, bytes = SECTOR_SIZE;

	for (i = 0; i < nr; i++)
		bytes = max3(bytes, bdev_logical_block_size(layers[i]->bdev),
			     bdev_logical_block_size(cc_data_bdev(layers[i])));
	return bytes;
}

static unsigned int cc_dma_alignment(struct cc_layer **layers, unsigned int nr)
{
	unsigned int i, mask = 0;

	for (i = 0; i < nr; i++)
		mask |= bdev_dma_alignment(layers[i]->bdev) |
			bdev_dma_alignment(cc_data_bdev(layers[i]));
	return mask;
}

/*
 * Only the device that is written on behalf of the guest. What dm asks about devices concerns
 * writes (write zeroes, stable pages, zones) or is met for the others otherwise: cc_io_hints() adds
 * what they require of a read, and cc_check_nowait() lets no bio wait for them that must not.
 * Persistent reservations take this way, too (dm_call_pr()); they must not reach a layer that other
 * chains and hosts share. They are I/O, so no lock is held.
 */
static int cc_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct cowchain *cc = ti->private;
	struct cc_view *view = cc_view_get(cc, false);
	struct cc_layer **layers = view ? view->layer : cc->opened;
	unsigned int nr = view ? view->nr : cc->nr_opened;
	struct cc_layer *active = layers[nr - 1];
	struct dm_dev *dev = active->data ? active->data : active->dev;
	int r;

	r = fn(ti, dev, 0, cc_usable_sectors(dev->bdev, cc_logical_block(layers, nr)), data);
	if (view)
		cc_view_put(view, false);
	return r;
}

/* A multiple of the largest range that a worker handles. */
#define CC_MAX_ZEROES	round_down(UINT_MAX >> SECTOR_SHIFT, CC_DISCARD_SECTORS)

/*
 * A write of less than a subcluster may have to be filled, so let the guest know. 4 KiB are the
 * most that every file system takes for a physical block. Where the device has a larger optimal I/O
 * size that fits, e.g. a stripe of a RAID, it stands.
 */
static void cc_hint_sizes(struct cowchain *cc, struct queue_limits *limits)
{
	limits->physical_block_size = max3(limits->physical_block_size, limits->logical_block_size,
					   min(cc->sub_bytes, 4096U));
	limits->io_min = max(limits->physical_block_size, cc->sub_bytes);
	if (!limits->io_opt || limits->io_opt % cc->cluster_bytes)
		limits->io_opt = cc->cluster_bytes;
	/* How guest offsets lie on the device is up to the image. */
	limits->chunk_sectors = 0;
}

/*
 * A smaller discard frees nothing on the device. In a single file the data is aligned to clusters,
 * so larger units of the device are of no use.
 */
static unsigned int cc_discard_granularity(struct cowchain *cc, struct cc_layer *active,
					   struct queue_limits *limits)
{
	unsigned int device = bdev_discard_granularity(cc_data_bdev(active));

	if (cc->no_discard_passdown || !bdev_max_discard_sectors(cc_data_bdev(active)))
		device = 0;
	if (!active->data)
		device = min(device, cc->cluster_bytes);
	return max3(limits->physical_block_size, cc->sub_bytes, device);
}

/*
 * The limits are those of the device with the top's data. How large its I/O may be does not matter
 * here, since each bio is split again where it goes. Everything that is set here has to satisfy
 * blk_validate_limits(), which makes all limits invalid otherwise:
 *
 * - 6.1 has no such check; 6.12, 6.17 and 7.2 check the limits of a table.
 * - physical_block_size: a power of two (from 6.17 on an error), at least a logical block; io_min
 *   at least that much.
 * - discard_granularity: at least a physical block; max_discard_sectors is derived from
 *   max_hw_discard_sectors from 6.9 on.
 * - max_hw_wzeroes_unmap_sectors: see cc_limits_write_zeroes().
 * - dma_alignment: not more than a page, and the mask of a power of two; one of a device's is.
 * - atomic writes, zones and integrity: off, since the target does not declare them.
 */
static void cc_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct cowchain *cc = ti->private;
	struct cc_layer *active = cc->opened[cc->nr_opened - 1];

	limits->logical_block_size = max(limits->logical_block_size,
					 cc_logical_block(cc->opened, cc->nr_opened));
	limits->physical_block_size = max(limits->physical_block_size, limits->logical_block_size);
	limits->io_min = max(limits->io_min, limits->physical_block_size);
	limits->dma_alignment |= cc_dma_alignment(cc->opened, cc->nr_opened);
	if (cc->sub_bytes)
		cc_hint_sizes(cc, limits);
	limits->discard_granularity = cc_discard_granularity(cc, active, limits);
	limits->discard_alignment = 0;
	limits->max_discard_sectors = UINT_MAX >> SECTOR_SHIFT;
	limits->max_hw_discard_sectors = UINT_MAX >> SECTOR_SHIFT;
	cc_limits_write_zeroes(limits, CC_MAX_ZEROES);
	cc_limits_no_poll(limits);
}

/* ------------------------------------------------------------------ module */

static struct target_type cowchain_target = {
	.name = "cowchain",
	.version = { 1, 5, 0 },
	/* One target per table: two could write to one layer. */
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
	int r = cc_top_cache_create();

	if (r)
		return r;
	r = cc_unpacked_init();
	if (r)
		goto destroy_cache;
	r = cc_rounds_init();
	if (r)
		goto exit_unpacked;
	r = dm_register_target(&cowchain_target);
	if (r)
		goto exit_rounds;
	return 0;

exit_rounds:
	cc_rounds_exit();
exit_unpacked:
	cc_unpacked_exit();
destroy_cache:
	cc_top_cache_destroy();
	return r;
}

static void __exit cowchain_exit(void)
{
	dm_unregister_target(&cowchain_target);
	cc_rounds_exit();
	cc_unpacked_exit();
	/* Wait for the RCU callbacks that free blocks of the top map. */
	rcu_barrier();
	cc_top_cache_destroy();
}

module_init(cowchain_init);
module_exit(cowchain_exit);

MODULE_DESCRIPTION(DM_NAME " copy-on-write chain target");
MODULE_AUTHOR("The dm-cowchain authors");
MODULE_LICENSE("GPL");
