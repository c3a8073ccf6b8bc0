// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commit: copies what the layers between the base and the top of the chain have down into the base,
 * then shortens the chain: [A] -> [B] -> [C] -> [D], of which B and C are committed into A, becomes
 * [A] -> [D]. The base is the target of the job, see job-target.c.
 */
#include <linux/slab.h>

#include "active.h"
#include "commit.h"
#include "identity.h"
#include "job-header.h"
#include "job-target.h"
#include "job-thread.h"
#include "merge.h"
#include "mode.h"
#include "scan.h"
#include "top.h"
#include "verify.h"
#include "writer.h"

/* ------------------------------------------------------------------- the end */

static void cc_commit_end(struct cc_job *job, int error)
{
	cc_view_destroy(job->source);
	job->source = NULL;
	cc_active_end(job);
	cc_target_close(job);
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
	cc_target_take(job);
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
		cc_layer_end_twin(cc_target_take(job));
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
 * All that is committed has to fit, and what lies behind its end has to go on reading as zeros for
 * a top that is longer.
 */
static int cc_commit_check_sizes(struct cc_job *job)
{
	struct cc_layer *target = job->target, *top = cc_view_active(job->view);
	u32 sub = target->kind == CC_RAW ? 1 : 1U << (target->q2.sub_bits - SECTOR_SHIFT);

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

/*
 * What is to become the top. All of its tables are looked at now, since one that is not as it has
 * to be would make the chain read-only then, and a bad entry would be EIO for good: what the chain
 * can read there now, it reads by the rules for layers below a top, and afterwards nothing but the
 * base has it. And nobody could be told which of the two is right, if one of them could not have an
 * identity.
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
	if (r)
		return r;
	r = cc_top_scan(top, 0, top->nr_blocks, CC_SCAN_SOUND);
	if (r == -EMEDIUMTYPE)
		cc_layer_err(job->target,
			     "cannot become the top as it is: take a snapshot, then commit what is below that");
	return r;
}

static int cc_commit_load(struct cc_job *job, const struct cc_commit_args *args)
{
	struct cc_layer *base = job->view->layer[args->base];
	int r;

	if (job->active && base->kind == CC_RAW) {
		cc_layer_err(base,
			     "a raw layer cannot be the top: take a snapshot, then commit what is below that");
		return -EINVAL;
	}
	r = cc_target_open(job, job->view, base, args->path, args->data_path, job->active);
	if (!r)
		r = cc_commit_check_sizes(job);
	if (!r)
		r = cc_target_attach(job);
	if (!r && job->active)
		r = cc_commit_check_top(job);
	return r;
}

static bool cc_commit_is_active(struct cc_view *view, const struct cc_commit_args *args)
{
	return args->top == (int)view->nr - 1;
}

static int cc_commit_prepare(struct cc_job *job, const void *data)
{
	const struct cc_commit_args *args = data;
	int r;

	job->view = cc_view_get(job->cc, false);
	if (!job->view)
		return -EBUSY;
	job->top = args->top;
	job->base = args->base;
	job->len = job->view->layer[args->top]->sectors;
	cc_job_limit(job, args->job.speed);
	job->on_error = args->job.on_error;
	job->pause = args->job.paused;
	if (cc_commit_is_active(job->view, args)) {
		job->ops = &cc_commit_active_ops;
		r = cc_active_create(job, args->keep);
	} else if (cc_check_max_size(job->view->layer[args->top])) {
		r = -EFBIG;
	} else {
		job->source = cc_view_create_source(job->view, args->top + 1);
		r = job->source ? 0 : -ENOMEM;
	}
	if (!r && args->job.verify)
		r = cc_verify_create(job);
	return r ? r : cc_commit_load(job, args);
}

/* Under cc->ctl: @args was checked without it, and the chain may have changed. */
static int cc_commit_check(struct cowchain *cc, const void *data)
{
	const struct cc_commit_args *args = data;
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
	r = cc_check_seen(cc, args->job.seen);
	if (!r)
		r = cc_target_check_record(&args->job, cc_view_active(view));
	if (r)
		return r;
	if (cc_view_active(view)->ident.job.type == QCOW2_IDENT_JOB_STREAM) {
		cc_err(cc, "a stream is recorded in the top: continue or cancel it first");
		return -EBUSY;
	}
	if (cc_ident_lower(view->layer, view->nr) >= 0) {
		cc_err(cc, "a stream is recorded in layer %d: continue or cancel it first",
		       cc_ident_lower(view->layer, view->nr));
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
static int cc_commit_launch(struct cc_job *job, const void *data)
{
	const struct cc_commit_args *args = data;
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

static const struct cc_target_start cc_commit_how = {
	.ops = &cc_commit_ops,
	.check = cc_commit_check,
	.open = cc_commit_prepare,
	.launch = cc_commit_launch,
};

int cc_commit_start(struct cowchain *cc, const struct cc_commit_args *args)
{
	return cc_target_start(cc, &cc_commit_how, args);
}
