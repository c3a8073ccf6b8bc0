/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The target of a job: a layer below the top that the job writes to. Context: process. Return: 0 or
 * -errno unless said otherwise; the reason is logged.
 */
#ifndef COWCHAIN_JOB_TARGET_H
#define COWCHAIN_JOB_TARGET_H

#include "job.h"

/**
 * cc_target_open() - open a layer once more, for writing, as job->target.
 * @view: the chain that the layer is a part of.
 * @layer: of the chain; it is read until the job ends.
 * @path, @data_path: devices that show the same image and can be written; NULL for its own.
 * @guest: it is to become the top.
 *
 * cc_target_close() follows in any case. cc->ctl is not held, and the chain stays as it is.
 */
int cc_target_open(struct cc_job *job, struct cc_view *view, struct cc_layer *layer,
		   const char *path, const char *data_path, bool guest);

/* What the writer of the target works with: its syncs hold up no flush of the guest. */
int cc_target_make_env(struct cc_job *job);

/* Give the target its map and its writer; a raw one has neither. */
int cc_target_attach(struct cc_job *job);

/* Take the target from the job, also from who wants to sync it for a suspend. May be NULL. */
struct cc_layer *cc_target_take(struct cc_job *job);

/*
 * Close what cc_target_open() has opened. Bits that are not on disk are lost, and need not be
 * there: what the chain reads does not depend on them.
 */
void cc_target_close(struct cc_job *job);

/**
 * struct cc_target_start - how a job begins that opens its target.
 * @ops: of the job.
 * @check: may it? cc->ctl is held. The chain stays as it is from then on, and no snapshot is taken.
 * @open: opens the target. cc->ctl is not held.
 * @launch: checks again what may have changed, and starts the job. cc->ctl is held. 1: all is done,
 *	and the job is not to run.
 */
struct cc_target_start {
	const struct cc_job_ops *ops;
	int (*check)(struct cowchain *cc, const void *args);
	int (*open)(struct cc_job *job, const void *args);
	int (*launch)(struct cc_job *job, const void *args);
};

/*
 * Is the record in @layer still there that a job with @args continues? A cancel may have dropped it
 * while cc->ctl was not held. cc->ctl is held. Return: 0 or -ECANCELED; logged.
 */
int cc_target_check_record(const struct cc_job_args *args, struct cc_layer *layer);

/* Do all that, with @args for each step; what was opened is closed after an error. */
int cc_target_start(struct cowchain *cc, const struct cc_target_start *start, const void *args);

#endif /* COWCHAIN_JOB_TARGET_H */
