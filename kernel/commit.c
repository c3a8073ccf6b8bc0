// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commit: copies what the layers between the base and the top of the chain have down into the base,
 * then shortens the chain: [A] -> [B] -> [C] -> [D], of which B and C are committed into A, becomes
 * [A] -> [D].
 *
 * The base is opened once more, for writing: its twin. The chain reads the layer that it has, and
 * the job alone uses the twin, until it takes the place of that layer at the end. So the device
 * that is written may be another one that shows the same file: what was attached for reading only
 * need not be writable.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "active.h"
#include "commit.h"
#include "header.h"
#include "identity.h"
#include "job-header.h"
#include "job-thread.h"
#include "load.h"
#include "merge.h"
#include "mode.h"
#include "scan.h"
#include "top.h"
#include "verify.h"
#include "writer.h"

/* ------------------------------------------------------------------- the end */

/* Take the target from the job, also from who wants to sync it for a suspend. */
static struct cc_layer *cc_commit_take_target(struct cc_job *job)
{
	struct cc_layer *target;

	mutex_lock(&job->target_lock);
	target = job->target;
	job->target = NULL;
	mutex_unlock(&job->target_lock);
	return target;
}

/*
 * Bits of the base that are not on disk are lost, and need not be there: the layers above it shadow
 * all that was written.
 */
static void cc_commit_end(struct cc_job *job, int error)
{
	struct cc_layer *target = cc_commit_take_target(job);

	cc_view_destroy(job->source);
	job->source = NULL;
	cc_active_end(job);
	if (!target)
		return;
	cc_top_detach(target);
	cc_layer_close(target);
}

/*
 * A device reports an error of writing back to one flush only. What was lost is not known, so all
 * is copied again, if the policy has the job go on. (A writer that has failed stays so.)
 */
static int cc_commit_sync(struct cc_job *job)
{
	struct cc_layer *target = job->target;
	int r;

	if (target->writer)
		return cc_writer_sync(target->writer);
	r = xchg(&job->lost, 0);
	if (!r)
		r = blkdev_issue_flush(cc_data_bdev(target));
	if (r)
		WRITE_ONCE(job->pos, 0);
	return r;
}

/* Most of it, while messages and suspends go on. */
static int cc_commit_settle(struct cc_job *job)
{
	int r = cc_job_try_write(job);

	if (r)
		return r;
	r = cc_commit_sync(job);
	cc_job_end_write(job);
	return r;
}

/* The layers up to the base, which is the target now, and the top. The below map is a new one. */
static struct cc_view *cc_commit_view(struct cc_job *job, struct cc_view *old)
{
	struct cc_layer **layers = kcalloc(job->base + 2, sizeof(*layers), GFP_KERNEL);
	struct cc_view *now;

	if (!layers)
		return NULL;
	memcpy(layers, old->layer, job->base * sizeof(*layers));
	layers[job->base] = job->target;
	layers[job->base + 1] = cc_view_active(old);
	now = cc_view_create(job->cc, layers, job->base + 2, NULL);
	kfree(layers);
	return now;
}

/*
 * The base has everything, durably, and then the top names it. Until the view is exchanged, the
 * guest reads the old layers, which have the same.
 */
static struct cc_view *cc_commit_complete(struct cc_job *job, struct cc_view *old)
{
	struct cc_layer *target = job->target;
	struct cc_view *now = cc_commit_view(job, old);
	int r = now ? cc_commit_sync(job) : -ENOMEM;

	if (!r)
		r = cc_job_end_header(job);
	if (r) {
		cc_view_destroy(now);
		return ERR_PTR(r);
	}
	cc_ident_commit_done(target);
	cc_commit_take_target(job);
	cc_view_destroy(job->source);
	job->source = NULL;
	cc_top_detach(target);
	cc_layer_end_writing(target);
	cc_layer_end_twin(target);
	cc_view_publish(job->cc, now);
	return now;
}

static const struct cc_job_ops cc_commit_ops = {
	.type = QCOW2_IDENT_JOB_COMMIT,
	.name = "commit",
	.step = cc_merge_step,
	.settle = cc_commit_settle,
	.complete = cc_commit_complete,
	.end = cc_commit_end,
};

/* The base is the top now, and is written from here on. */
static struct cc_view *cc_commit_pivot(struct cc_job *job, struct cc_view *old)
{
	struct cc_view *now = cc_active_complete(job, old);

	if (!IS_ERR(now))
		cc_layer_end_twin(cc_commit_take_target(job));
	return now;
}

static const struct cc_job_ops cc_commit_active_ops = {
	.type = QCOW2_IDENT_JOB_COMMIT,
	.name = "commit",
	.begin = cc_active_begin,
	.step = cc_active_step,
	.again = cc_active_again,
	.complete = cc_commit_pivot,
	.undo = cc_active_undo,
	.end = cc_commit_end,
};

/* --------------------------------------------------------------------- start */

/*
 * The identity that the chain knows may be older than that on disk, if writing the mark of a commit
 * has failed before, but was done: see cc_ident_commit().
 */
static bool cc_commit_same_ident(const struct q2_ident *now, const struct q2_ident *was)
{
	if (!was->present)
		return !now->present || q2_ident_unfinished(now);
	return now->present && !memcmp(now->uuid, was->uuid, QCOW2_UUID_BYTES);
}

static bool cc_commit_is_same(const struct cc_layer *target)
{
	const struct q2_info *a = &target->q2, *b = &target->twin->q2;

	return a->size == b->size && a->cluster_bits == b->cluster_bits &&
	       a->l1_offset == b->l1_offset && a->l1_entries == b->l1_entries &&
	       a->rt_offset == b->rt_offset && a->data_file == b->data_file &&
	       cc_commit_same_ident(&target->ident, &target->twin->ident);
}

/* Two images that have never been a top may differ in nothing else but what they are based on. */
static int cc_commit_compare_names(struct cc_layer *target)
{
	char *a = kzalloc(2 * (QCOW2_MAX_BACKING_NAME + 1), GFP_KERNEL);
	char format[16];
	char *b;
	int r;

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

/* Of a raw device, nothing but its size can tell. */
static int cc_commit_check_same(struct cc_layer *target)
{
	int r = target->dev_bytes == target->twin->dev_bytes &&
		target->data_bytes == target->twin->data_bytes ? 0 : -EINVAL;

	if (target->ident.foreign) {
		cc_layer_err(target, "its identity was written by a later version");
		return -EMEDIUMTYPE;
	}
	if (!r && target->kind == CC_QCOW2)
		r = cc_commit_is_same(target) ? cc_commit_compare_names(target) : -EINVAL;
	if (r == -EINVAL)
		cc_layer_err(target, "shows another image than layer %s of the chain",
			     target->twin->name);
	return r;
}

/*
 * All that is committed has to fit, and what lies behind its end has to go on reading as zeros for
 * a top that is longer.
 */
static int cc_commit_check_sizes(struct cc_job *job)
{
	struct cc_layer *target = job->target, *top = cc_view_active(job->view);
	u32 sub = target->kind == CC_RAW ? 1 : 1U << (target->q2.sub_bits - SECTOR_SHIFT);

	if (target->twin->tail || target->twin->data_tail) {
		cc_layer_err(target,
			     "its file has a part of a sector at its end, so it cannot be written: pad it first");
		return -EINVAL;
	}
	if (target->sectors < job->len) {
		cc_layer_err(target, "has %llu sectors, but %llu are to be committed: enlarge it first",
			     (u64)target->sectors, (u64)job->len);
		return -EFBIG;
	}
	if (target->sectors > job->len && top->sectors > job->len) {
		cc_layer_err(target, "is larger than the layer that is committed, and so is the top: what is in the base behind that would appear");
		return -EINVAL;
	}
	if (target->sectors > job->len && (job->len & (sub - 1))) {
		cc_layer_err(target, "is larger than the layer that is committed, which ends inside of one of its subclusters");
		return -EINVAL;
	}
	return 0;
}

/* A sync of its own: the guest's must not wait for the device of the base. */
static int cc_commit_attach(struct cc_job *job)
{
	struct cc_sync_env env = { .words = &job->words };
	int r;

	if (job->target->kind == CC_RAW)
		return 0;
	job->sync_wq = alloc_ordered_workqueue("cowchain_commit", WQ_MEM_RECLAIM);
	if (!job->sync_wq)
		return -ENOMEM;
	r = mempool_init_kmalloc_pool(&job->words, CC_WORDS_RESERVE, CC_WORDS_BYTES);
	if (r)
		return r;
	env.wq = job->sync_wq;
	return cc_top_attach_env(job->target, &env);
}

/*
 * What is to become the top. All of its tables are looked at now, since one that is not as it has
 * to be would make the chain read-only then. And nobody could be told which of the two is right,
 * if one of them could not have an identity.
 */
static int cc_commit_check_top(struct cc_job *job)
{
	struct cc_top *top = job->target->top;
	int r = cc_check_size(job->cc, job->target);

	if (!r && !cc_view_active(job->view)->ident.present) {
		cc_layer_err(cc_view_active(job->view),
			     "has no identity, so a commit of it would not be safe after a crash: take a snapshot, then commit what is below that");
		r = -EMEDIUMTYPE;
	}
	return r ? r : cc_top_scan(top, 0, top->nr_blocks, false);
}

static int cc_commit_load(struct cc_job *job, const struct cc_commit_args *args)
{
	struct cc_layer *base = job->view->layer[args->base], *target;
	struct cowchain *cc = job->cc;
	int r;

	if (job->active && base->kind == CC_RAW) {
		cc_layer_err(base,
			     "a raw layer cannot be the top: take a snapshot, then commit what is below that");
		return -EINVAL;
	}
	target = cc_layer_open_twin(base, args->path, args->data_path);
	if (IS_ERR(target))
		return PTR_ERR(target);
	job->target = target;
	target->slot = cc_view_free_slot(job->view);
	r = cc_check_limits(cc, target, job->active);
	if (!r)
		r = cc_layer_load(target);
	if (!r)
		r = cc_commit_check_same(target);
	if (!r)
		r = cc_check_blocks(cc, target, bdev_logical_block_size(dm_disk(cc->md)->part0));
	if (!r)
		r = cc_commit_check_sizes(job);
	if (!r)
		r = cc_commit_attach(job);
	if (!r && job->active)
		r = cc_commit_check_top(job);
	return r;
}

static bool cc_commit_is_active(struct cc_view *view, const struct cc_commit_args *args)
{
	return args->top == (int)view->nr - 1;
}

static int cc_commit_prepare(struct cc_job *job, const struct cc_commit_args *args)
{
	int r;

	job->view = cc_view_get(job->cc, false);
	if (!job->view)
		return -EBUSY;
	job->base = args->base;
	job->len = job->view->layer[args->top]->sectors;
	cc_job_limit(job, args->job.speed);
	job->on_error = args->job.on_error;
	job->pause = args->job.paused;
	if (cc_commit_is_active(job->view, args)) {
		job->ops = &cc_commit_active_ops;
		r = cc_active_create(job, args->keep);
	} else {
		job->source = cc_view_create_source(job->view, args->top + 1);
		r = job->source ? 0 : -ENOMEM;
	}
	if (!r && args->job.verify)
		r = cc_verify_create(job);
	return r ? r : cc_commit_load(job, args);
}

/* Under cc->ctl: @args was checked without it, and the chain may have changed. */
static int cc_commit_check(struct cowchain *cc, const struct cc_commit_args *args)
{
	struct cc_view *view = cc_view_current(cc);
	int r;

	lockdep_assert_held(&cc->ctl);
	/* A table that was never resumed has no chain yet. */
	if (!view)
		return -ENXIO;
	r = cc_check_live(cc);
	if (r)
		return r;
	if (cc_job_active(cc)) {
		cc_err(cc, "a job is running already");
		return -EBUSY;
	}
	if (!view->top || READ_ONCE(cc->mode) != CC_RW) {
		cc_err(cc, "the chain is read-only");
		return -EROFS;
	}
	if (cc_view_active(view)->ident.job.type == QCOW2_IDENT_JOB_STREAM) {
		cc_err(cc, "a stream is recorded in the top: continue or cancel it first");
		return -EBUSY;
	}
	if (args->top != (int)view->nr - 2 && !cc_commit_is_active(view, args)) {
		cc_err(cc, "what is committed has to end with the top, or directly below it");
		return -EINVAL;
	}
	if (!cc_commit_is_active(view, args) && args->keep) {
		cc_err(cc, "keep is for a commit of the top: this one lets the guest's top be as it is");
		return -EINVAL;
	}
	if (cc_commit_is_active(view, args) && args->job.backing_name) {
		cc_err(cc, "backing-file is not for a commit of the top: no header gets another name");
		return -EINVAL;
	}
	if (args->base < 0 || args->base >= args->top) {
		cc_err(cc, "the base has to be below the layers that are committed into it");
		return -EINVAL;
	}
	return cc->ignore_identity ? 0 : cc_ident_check_commit(view, args->base, args->top);
}

static int cc_commit_no_ident(struct cc_job *job)
{
	cc_layer_err(job->target,
		     "cannot have an identity, so a commit of the top would not be safe after a crash: take a snapshot, then commit what is below that");
	return -EMEDIUMTYPE;
}

/*
 * From here on the base is refused by other chains, and to the layer above it both are right; see
 * cc_ident_commit(). Then the job is recorded, and then the first byte is written.
 */
static int cc_commit_launch(struct cc_job *job, const struct cc_commit_args *args)
{
	struct cc_view *view = job->view;
	int r;

	lockdep_assert_held(&job->cc->ctl);
	r = cc_commit_check(job->cc, args);
	if (!r && !job->active)
		r = cc_job_take_names(job, &args->job);
	if (!r && !job->active)
		r = cc_job_check_header(job);
	if (!r)
		r = cc_job_make_thread(job, cc_job_thread);
	if (!r)
		r = cc_ident_commit(job->target, view->layer[args->top], cc_view_active(view));
	if (!r && job->active && !q2_ident_unfinished(&job->target->ident))
		r = cc_commit_no_ident(job);
	if (!r)
		r = cc_job_record(job);
	if (!r)
		cc_job_start(job);
	return r;
}

static int cc_commit_try(struct cowchain *cc, const struct cc_commit_args *args)
{
	struct cc_job *job = cc_job_create(cc, &cc_commit_ops);
	int r;

	if (!job)
		return -ENOMEM;
	r = cc_commit_prepare(job, args);
	if (!r && mutex_lock_killable(&cc->ctl)) {
		r = -EINTR;
	} else if (!r) {
		r = cc_commit_launch(job, args);
		mutex_unlock(&cc->ctl);
	}
	if (r)
		cc_job_discard(job);
	return r;
}

/* From here on the chain stays as it is until cc->snapshot is cleared; see cc_snapshot(). */
static int cc_commit_enter(struct cowchain *cc, const struct cc_commit_args *args)
{
	int r;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	r = cc_commit_check(cc, args);
	/* Pairs with cc_commit_start() and cc_snapshot(). */
	if (!r && smp_load_acquire(&cc->snapshot)) {
		cc_err(cc, "a snapshot is being taken, or a commit is starting");
		r = -EBUSY;
	}
	if (!r && cc_must_yield(cc)) {
		cc_err(cc, "no commit was started: the device is being suspended");
		r = -EINTR;
	}
	if (!r)
		WRITE_ONCE(cc->snapshot, true);
	mutex_unlock(&cc->ctl);
	return r;
}

int cc_commit_start(struct cowchain *cc, const struct cc_commit_args *args)
{
	unsigned int noio;
	int r = cc_commit_enter(cc, args);

	if (r)
		return r;
	/* The device may be suspended, so memory must not depend on I/O to it. */
	noio = memalloc_noio_save();
	r = cc_commit_try(cc, args);
	memalloc_noio_restore(noio);
	/* Pairs with cc_commit_enter(), cc_stream_start() and cc_snapshot_begin(). */
	smp_store_release(&cc->snapshot, false);
	wake_up_all(&cc->wait);
	return r;
}
