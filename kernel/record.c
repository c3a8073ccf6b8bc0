// SPDX-License-Identifier: GPL-2.0-only
/*
 * The job that a header has recorded, that of the top or that of a layer which a stream was
 * copying into: continue it, or drop it.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "commit.h"
#include "identity.h"
#include "record.h"
#include "stream.h"

int cc_recorded_base(struct cc_view *view, const struct q2_ident_job *record)
{
	const struct q2_ident *id;
	unsigned int i;

	if (record->base == -1)
		return -1;
	if (record->base < 0)
		return -ENOENT;
	for (i = 0; i + 1 < view->nr; i++) {
		id = &view->layer[i]->ident;
		if (id->present && !memcmp(id->uuid, record->base_uuid, QCOW2_UUID_BYTES))
			return i;
	}
	i = record->base;
	if (i + 1 < view->nr && !memchr_inv(record->base_uuid, 0, QCOW2_UUID_BYTES) &&
	    !view->layer[i]->ident.present)
		return i;
	return -ENOENT;
}

/* Behind the line that says that a job continues. */
static const char *cc_recorded_paused(const struct cc_job_args *args)
{
	return args->paused ? ", paused" : "";
}

/*
 * What the job was asked to do; @name is what was given for the base, if anything was, and has to
 * be freed. Return: 0 or -errno.
 */
static int cc_recorded_args(struct cc_view *view, struct cc_layer *top, int base, bool may_pause,
			    struct cc_job_args *args, char **name)
{
	const struct q2_ident_job *record = &top->ident.job;

	memset(args, 0, sizeof(*args));
	args->speed = record->speed;
	args->on_error = min_t(u32, record->on_error, CC_ON_ERROR_ENOSPC);
	args->paused = may_pause && record->paused;
	args->verify = record->verify;
	args->recorded = true;
	*name = base < 0 ? NULL : cc_ident_job_name(top);
	if (IS_ERR(*name))
		return PTR_ERR(*name);
	if (*name) {
		args->backing_name = *name;
		args->backing_format = cc_kind_name(view->layer[base]->kind);
	}
	return 0;
}

int cc_stream_continue(struct cowchain *cc, bool may_pause)
{
	struct cc_view *view = cc_view_current(cc);
	const struct q2_ident_job record = cc_view_active(view)->ident.job;
	int base = cc_recorded_base(view, &record);
	struct cc_stream_args args = { .top = -1, .base = base };
	char *name;
	int r;

	lockdep_assert_held(&cc->ctl);
	if (base < -1 || record.type != QCOW2_IDENT_JOB_STREAM) {
		cc_err(cc, "the interrupted stream cannot be continued: its base is not in the chain");
		return -ENOENT;
	}
	r = cc_recorded_args(view, cc_view_active(view), base, may_pause, &args.job, &name);
	if (r)
		return r;
	cc->base = base < 0 ? -1 : (int)view->layer[base]->slot;
	r = cc_stream_start(cc, &args);
	kfree(name);
	if (r) {
		cc->base = -1;
		cc_err(cc, "the interrupted stream cannot be continued: error %d", r);
	} else if (base < 0) {
		cc_info(cc, "the interrupted stream continues, without a base%s",
			cc_recorded_paused(&args.job));
	} else {
		cc_info(cc, "the interrupted stream continues, base %d%s", base,
			cc_recorded_paused(&args.job));
	}
	return r;
}

int cc_lower_recorded(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);

	lockdep_assert_held(&cc->ctl);
	if (!view || !view->top || cc_job_active(cc))
		return -1;
	return cc_ident_lower(view->layer, view->nr);
}

/* Under cc->ctl. Return: 0 with @args and @name, or -errno. */
static int cc_lower_look(struct cowchain *cc, bool may_pause, struct cc_stream_args *args,
			 char **name)
{
	struct cc_view *view = cc_view_current(cc);
	struct cc_layer *layer;

	args->top = cc_lower_recorded(cc);
	if (args->top < 0)
		return -ENOENT;
	layer = view->layer[args->top];
	args->base = cc_recorded_base(view, &layer->ident.job);
	if (args->base < -1 || args->base >= args->top) {
		cc_err(cc, "the interrupted stream into layer %d cannot be continued: its base is not in the chain",
		       args->top);
		return -ENOENT;
	}
	if (bdev_read_only(layer->bdev) || bdev_read_only(cc_data_bdev(layer))) {
		cc_info(cc, "the interrupted stream waits: layer %d cannot be written by the device that the chain has of it",
			args->top);
		return -EROFS;
	}
	return cc_recorded_args(view, layer, args->base, may_pause, &args->job, name);
}

int cc_lower_continue(struct cowchain *cc, bool may_pause)
{
	struct cc_stream_args args = { };
	char *name = NULL;
	unsigned int noio;
	int r;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	noio = memalloc_noio_save();
	r = cc_lower_look(cc, may_pause, &args, &name);
	memalloc_noio_restore(noio);
	mutex_unlock(&cc->ctl);
	if (r)
		return r;
	r = cc_stream_start_lower(cc, &args);
	kfree(name);
	if (!r)
		cc_info(cc, "the interrupted stream into layer %d continues%s", args.top,
			cc_recorded_paused(&args.job));
	else if (r != -EINTR && r != -EAGAIN && r != -ECANCELED)
		cc_err(cc, "the interrupted stream cannot be continued: error %d: start it again, with a device of layer %d that can be written, or cancel it",
		       r, args.top);
	return r;
}

/*
 * The header of the top names the base already, so all is there: a crash or an error came before
 * the record was dropped.
 */
static void cc_commit_conclude(struct cowchain *cc, struct cc_view *view, int base)
{
	cc_ident_job_done(cc_view_active(view), view->layer[base]);
	cc_info(cc, "the interrupted commit had ended, base %d", base);
}

/* Under cc->ctl. Return: as below. */
static int cc_commit_look(struct cowchain *cc, bool may_pause, struct cc_commit_args *args,
			  char **name)
{
	struct cc_view *view = cc_view_current(cc);
	const struct q2_ident_job *record = &cc_view_active(view)->ident.job;

	lockdep_assert_held(&cc->ctl);
	args->top = view->nr - (record->active ? 1 : 2);
	args->keep = record->keep;
	args->base = cc_recorded_base(view, record);
	if (args->base < 0) {
		cc_err(cc, "the interrupted commit cannot be continued: its base is not in the chain");
		return -ENOENT;
	}
	if (args->base == args->top && record->copied) {
		cc_commit_conclude(cc, view, args->base);
		return 1;
	}
	if (bdev_read_only(view->layer[args->base]->bdev)) {
		cc_info(cc, "the interrupted commit waits: layer %d cannot be written by the device that the chain has of it",
			args->base);
		return -EROFS;
	}
	return cc_recorded_args(view, cc_view_active(view), args->base, may_pause, &args->job,
				name);
}

/*
 * Return: 0 with @args and @name as above, 1 if there is nothing to be done, or -errno; -ENOENT
 * also if the job is not recorded any more, or active.
 */
static int cc_commit_recorded(struct cowchain *cc, bool may_pause, struct cc_commit_args *args,
			      char **name)
{
	struct cc_view *view;
	unsigned int noio;
	int r = -ENOENT;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	noio = memalloc_noio_save();
	view = cc_view_current(cc);
	if (view && view->top && !cc_job_active(cc) && READ_ONCE(cc->mode) == CC_RW &&
	    cc_view_active(view)->ident.job.type == QCOW2_IDENT_JOB_COMMIT)
		r = cc_commit_look(cc, may_pause, args, name);
	memalloc_noio_restore(noio);
	mutex_unlock(&cc->ctl);
	return r;
}

int cc_commit_continue(struct cowchain *cc, bool may_pause)
{
	struct cc_commit_args args = { };
	char *name = NULL;
	int r = cc_commit_recorded(cc, may_pause, &args, &name);

	if (r)
		return min(r, 0);
	r = cc_commit_start(cc, &args);
	kfree(name);
	if (!r)
		cc_info(cc, "the interrupted commit continues, base %d%s", args.base,
			cc_recorded_paused(&args.job));
	else if (r != -EINTR && r != -EAGAIN && r != -ECANCELED)
		cc_err(cc, "the interrupted commit cannot be continued: error %d: start it again, with a device of its base that can be written, or cancel it",
		       r);
	return r;
}

int cc_record_drop(struct cowchain *cc, struct cc_layer *layer)
{
	lockdep_assert_held(&cc->ctl);
	if (READ_ONCE(cc->mode) != CC_RW) {
		cc_err(cc, "the chain is read-only: the job stays recorded");
		return -EROFS;
	}
	return cc_ident_job_drop(layer);
}
