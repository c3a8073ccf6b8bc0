// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a header says of a job: that it runs, and, at its end, which layer is below. That is the
 * layer job->base, be it that a stream has copied what lies above it into the layer with that
 * header, or that a commit has copied it down into the base. It is the header of the top of
 * job->view: of the layer that a stream writes to, or of the top of the chain.
 */
#include "active.h"
#include "header.h"
#include "identity.h"
#include "job-header.h"

/* Is there anything to change in the header? */
static bool cc_job_changes_header(struct cc_job *job)
{
	if (job->base < 0)
		return cc_view_active(job->view)->q2.backing_len;
	return job->base < (int)job->view->nr - 2 || job->backing_given;
}

static int cc_job_set_header(struct cc_job *job)
{
	struct cc_layer *top = cc_view_active(job->view);

	if (!cc_job_changes_header(job))
		return 0;
	if (job->base < 0)
		return cc_layer_set_backing(top, NULL, NULL);
	return cc_layer_set_backing(top, job->backing_name, job->backing_format);
}

int cc_job_end_header(struct cc_job *job)
{
	struct cc_layer *top = cc_view_active(job->view);
	struct cc_layer *base = job->base < 0 ? NULL : job->view->layer[job->base];
	bool named = base && cc_job_changes_header(job);
	int r;

	job->ending = true;
	r = cc_ident_job_copied(top, base, named ? job->backing_name : NULL);
	if (!r)
		r = cc_job_set_header(job);
	if (!r)
		cc_ident_job_done(top, base);
	return r;
}

/* Find out now what would otherwise fail after hours of copying. */
int cc_job_check_header(struct cc_job *job)
{
	struct cc_layer *top = cc_view_active(job->view);

	if (!cc_job_changes_header(job))
		return 0;
	if (job->base < 0)
		return cc_layer_check_backing(top, NULL, NULL);
	return cc_layer_check_backing(top, job->backing_name, job->backing_format);
}

/*
 * The name that the layer above the base has for it. Its header goes to another directory with it
 * if the name is written into that of the top: a relative name would mean another file there, or
 * none. The directories are not known here, so only an absolute name is taken.
 */
static int cc_job_default_name(struct cc_job *job)
{
	struct cc_layer *above = job->view->layer[job->base + 1];
	const char *name = job->backing_name;
	char said[16];
	int r = cc_layer_backing(above, job->backing_name, said);

	if (r || !cc_job_changes_header(job) || name[0] == '/')
		return r;
	if (name[0])
		cc_layer_err(above,
			     "its backing file is %.200s, relative to its own directory: use backing-file <name> <format>",
			     name);
	else
		cc_layer_err(above, "names no backing file: use backing-file <name> <format>");
	return -EINVAL;
}

/* The name of the base in the header: as given, or as the layer above the base has it. */
int cc_job_take_names(struct cc_job *job, const struct cc_job_args *args)
{
	const char *kind;

	if (job->base < 0)
		return 0;
	/* The format must be that of the base: QEMU relies on it. */
	kind = cc_kind_name(job->view->layer[job->base]->kind);
	strscpy(job->backing_format, kind, sizeof(job->backing_format));
	if (args->backing_name) {
		if (strcmp(args->backing_format, kind)) {
			cc_err(job->cc, "the base is %s, not %s", kind, args->backing_format);
			return -EINVAL;
		}
		strscpy(job->backing_name, args->backing_name, QCOW2_MAX_BACKING_NAME + 1);
		job->backing_given = true;
		return 0;
	}
	return cc_job_default_name(job);
}

/* Record what has to be continued after a crash, before anything is copied. */
int cc_job_record(struct cc_job *job)
{
	struct q2_ident_job record = {
		.type = job->ops->type,
		.paused = job->pause,
		.base = job->base,
		.on_error = job->on_error,
		.active = job->active,
		.keep = job->active && job->active->keep,
		.verify = job->verify,
		.speed = job->speed,
	};
	struct q2_ident *base;

	if (job->base >= 0) {
		base = &job->view->layer[job->base]->ident;
		if (base->present) {
			memcpy(record.base_uuid, base->uuid, QCOW2_UUID_BYTES);
			record.base_generation = base->generation;
		}
	}
	job->header = cc_view_active(job->view);
	return cc_ident_set_job(job->header, &record,
				job->backing_given ? job->backing_name : NULL);
}
