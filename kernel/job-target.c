// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target of a job: a layer below the top that the job writes to.
 *
 * Its image is opened once more, for writing: its twin. The chain reads the layer that it has, and
 * the job alone uses the twin, until it takes the place of that layer at the end. So the device
 * that is written may be another one that shows the same file: what was attached for reading only
 * need not be writable.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "header.h"
#include "job-target.h"
#include "load.h"
#include "mode.h"
#include "top.h"
#include "unpacked.h"
#include "writer.h"

struct cc_layer *cc_target_take(struct cc_job *job)
{
	struct cc_layer *target;

	mutex_lock(&job->target_lock);
	target = job->target;
	job->target = NULL;
	mutex_unlock(&job->target_lock);
	return target;
}

void cc_target_close(struct cc_job *job)
{
	struct cc_layer *target = cc_target_take(job);

	if (!target)
		return;
	cc_top_detach(target);
	cc_layer_close(target);
}

/* --------------------------------------------------------- the same image? */

/*
 * The identity that the chain knows may be older than that on disk, if writing the mark of a commit
 * has failed before, but was done: see cc_ident_commit().
 */
static bool cc_target_same_ident(const struct q2_ident *now, const struct q2_ident *was)
{
	if (!was->present)
		return !now->present || q2_ident_unfinished(now);
	return now->present && !memcmp(now->uuid, was->uuid, QCOW2_UUID_BYTES);
}

static bool cc_target_is_same(const struct cc_layer *target)
{
	const struct q2_info *a = &target->q2, *b = &target->twin->q2;

	return a->size == b->size && a->cluster_bits == b->cluster_bits &&
	       a->l1_offset == b->l1_offset && a->l1_entries == b->l1_entries &&
	       a->rt_offset == b->rt_offset && a->data_file == b->data_file &&
	       cc_target_same_ident(&target->ident, &target->twin->ident);
}

/*
 * Two images that have never been a top may differ in nothing else but what they are based on. A
 * recorded stream may have changed that on disk before it failed.
 */
static int cc_target_compare_names(struct cc_layer *target)
{
	char format[16];
	char *a, *b;
	int r;

	if (q2_ident_has_job(&target->ident))
		return 0;
	a = kzalloc(2 * (QCOW2_MAX_BACKING_NAME + 1), GFP_KERNEL);
	if (!a)
		return -ENOMEM;
	b = a + QCOW2_MAX_BACKING_NAME + 1;
	r = cc_layer_backing(target, a, format);
	if (!r)
		r = cc_layer_backing(target->twin, b, format);
	if (!r && strcmp(a, b))
		r = -EINVAL;
	kfree(a);
	return r;
}

/*
 * At the end of the job it takes the place of its twin, and is read as that was: its compressed
 * clusters have to be found then, too. It has the same ones, since nothing is written where one is.
 * The clusters of both have the same size, so the memory for that is there (and may be in use: it
 * does not grow). What becomes the top has none, see cc_commit_check_top().
 */
static int cc_target_get_source(struct cc_layer *target, bool guest)
{
	return target->twin->source && !guest ? cc_source_get(target) : 0;
}

/*
 * A raw base that is shorter than what is committed may have been made longer, by zeros, since the
 * chain has it. What is behind its old end reads as zeros in the chain, until the job ends: the
 * layers that are committed provide what is written there. So another device has to end where they
 * end, which few other disks do; the same one need not.
 */
static bool cc_target_has_grown(const struct cc_layer *target, sector_t len)
{
	const struct cc_layer *twin = target->twin;

	return target->kind == CC_RAW && twin->sectors < len && target->sectors >= len &&
	       (target->sectors == len || target->bdev->bd_dev == twin->bdev->bd_dev);
}

/* Of a raw device, nothing but its size can tell. */
static int cc_target_check_same(struct cc_layer *target, sector_t len)
{
	int r = (target->dev_bytes == target->twin->dev_bytes &&
		 target->data_bytes == target->twin->data_bytes) ||
		cc_target_has_grown(target, len) ? 0 : -EINVAL;

	if (target->ident.foreign) {
		cc_layer_err(target, "its identity was written by a later version");
		return -EMEDIUMTYPE;
	}
	if (!r && target->kind == CC_QCOW2)
		r = cc_target_is_same(target) ? cc_target_compare_names(target) : -EINVAL;
	if (r == -EINVAL)
		cc_layer_err(target, "shows another image than layer %s of the chain",
			     target->twin->name);
	return r;
}

static int cc_target_check_tails(struct cc_layer *target)
{
	if (!target->twin->tail && !target->twin->data_tail)
		return 0;
	cc_layer_err(target,
		     "its file has a part of a sector at its end, so it cannot be written: pad it first");
	return -EINVAL;
}

int cc_target_open(struct cc_job *job, struct cc_view *view, struct cc_layer *layer,
		   const char *path, const char *data_path, bool guest)
{
	struct cc_layer *target = cc_layer_open_twin(layer, path, data_path);
	struct cowchain *cc = job->cc;
	int r;

	if (IS_ERR(target))
		return PTR_ERR(target);
	job->target = target;
	target->slot = cc_view_free_slot(view);
	r = cc_check_limits(cc, target, guest);
	if (!r)
		r = cc_layer_load(target);
	/* The map of a raw one is no larger than what is copied. */
	if (!r && target->kind == CC_QCOW2)
		r = cc_check_max_size(target);
	if (!r)
		r = cc_target_check_same(target, job->len);
	if (!r)
		r = cc_target_get_source(target, guest);
	if (!r)
		r = cc_check_blocks(cc, target, bdev_logical_block_size(dm_disk(cc->md)->part0));
	return r ? r : cc_target_check_tails(target);
}

/* ------------------------------------------------------------------ writer */

int cc_target_make_env(struct cc_job *job)
{
	job->sync_wq = alloc_ordered_workqueue("cowchain_target", WQ_MEM_RECLAIM);
	if (!job->sync_wq)
		return -ENOMEM;
	return mempool_init_kmalloc_pool(&job->words, CC_WORDS_RESERVE, CC_WORDS_BYTES);
}

int cc_target_attach(struct cc_job *job)
{
	struct cc_sync_env env = { .words = &job->words };
	int r;

	if (job->target->kind == CC_RAW)
		return 0;
	r = cc_target_make_env(job);
	if (r)
		return r;
	env.wq = job->sync_wq;
	return cc_top_attach_env(job->target, &env);
}

/* ------------------------------------------------------------------- alone */

int cc_target_check_record(const struct cc_job_args *args, struct cc_layer *layer)
{
	lockdep_assert_held(&layer->cc->ctl);
	/* No other job begins meanwhile, so it is the same one if there is any. */
	if (!args->recorded || q2_ident_has_job(&layer->ident))
		return 0;
	cc_layer_err(layer, "the job was cancelled before it could be continued");
	return -ECANCELED;
}

static int cc_target_enter(struct cowchain *cc, const struct cc_target_start *start,
			   const void *args)
{
	int r;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	r = start->check(cc, args);
	/* Pairs with cc_target_leave() and cc_snapshot_end(). */
	if (!r && smp_load_acquire(&cc->snapshot)) {
		cc_err(cc, "a snapshot is being taken, or a commit is starting");
		r = -EBUSY;
	}
	if (!r && cc_must_yield(cc)) {
		cc_err(cc, "no job was started: the device is being suspended");
		r = -EINTR;
	}
	if (!r)
		WRITE_ONCE(cc->snapshot, true);
	mutex_unlock(&cc->ctl);
	return r;
}

static void cc_target_leave(struct cowchain *cc)
{
	struct cc_job *job = cc_job_get(cc);

	/* Pairs with cc_target_enter(), cc_stream_start() and cc_snapshot_begin(). */
	smp_store_release(&cc->snapshot, false);
	wake_up_all(&cc->wait);
	/* Its end waits for this, if it has nothing to do. */
	if (job)
		wake_up_all(&job->wait);
	cc_job_put(job);
}

static int cc_target_try(struct cowchain *cc, const struct cc_target_start *start, const void *args)
{
	struct cc_job *job = cc_job_create(cc, start->ops);
	int r;

	if (!job)
		return -ENOMEM;
	r = start->open(job, args);
	if (!r && mutex_lock_killable(&cc->ctl)) {
		r = -EINTR;
	} else if (!r) {
		r = start->launch(job, args);
		mutex_unlock(&cc->ctl);
	}
	if (r)
		cc_job_discard(job);
	return min(r, 0);
}

int cc_target_start(struct cowchain *cc, const struct cc_target_start *start, const void *args)
{
	unsigned int noio;
	int r = cc_target_enter(cc, start, args);

	if (r)
		return r;
	/* The device may be suspended, so memory must not depend on I/O to it. */
	noio = memalloc_noio_save();
	r = cc_target_try(cc, start, args);
	memalloc_noio_restore(noio);
	cc_target_leave(cc);
	return r;
}
