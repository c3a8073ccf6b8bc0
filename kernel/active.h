/* SPDX-License-Identifier: GPL-2.0-only */
/* Commit of the top itself, while the guest writes to it. */
#ifndef COWCHAIN_ACTIVE_H
#define COWCHAIN_ACTIVE_H

#include <linux/completion.h>

#include "job.h"
#include "track.h"

/**
 * struct cc_active - of a job that commits the top.
 * @track: what is to be copied.
 * @tracked: the view whose writes are tracked; it is published as long as @running.
 * @plain: the same chain without that, for when the job fails.
 * @end: sectors: where the pieces end that job->pos is in.
 * @left: sectors that were dirty when the last pass began; for the status.
 * @passes: over all that is dirty; the first is over everything.
 * @before: pieces that were dirty when the last pass began.
 * @pivoting: writes of the guest wait.
 * @give_up: @rest has to end.
 * @rest_wq, @rest, @rest_error, @rest_done: the last copies, while writes wait.
 * @synced: most of the base is durable.
 * @ready: the base has nearly everything.
 * @keep: a user tells when to pivot.
 * @complete: that was told.
 */
struct cc_active {
	struct cc_job *job;			/* I */
	struct cc_track *track;			/* I; has its lock */
	struct cc_view *tracked;		/* T */
	struct cc_view *plain;			/* T */
	bool running;				/* T */
	sector_t end;				/* T */
	sector_t left;				/* READ_ONCE(), WRITE_ONCE() */
	unsigned int passes;			/* READ_ONCE(), WRITE_ONCE() */
	u64 before;				/* T */
	bool pivoting;				/* READ_ONCE(), WRITE_ONCE() */
	bool give_up;				/* READ_ONCE(), WRITE_ONCE() */
	struct workqueue_struct *rest_wq;	/* T */
	struct work_struct rest;		/* T */
	int rest_error;				/* T, after @rest_done */
	struct completion rest_done;		/* S */
	bool synced;				/* T */
	bool ready;				/* READ_ONCE(), WRITE_ONCE() */
	bool keep;				/* I */
	bool complete;				/* READ_ONCE(), WRITE_ONCE() */
};

/*
 * Give a job what it needs for the top. Context: process, cc->ctl not held. Return: 0 or -ENOMEM;
 * cc_active_end() follows in any case.
 */
int cc_active_create(struct cc_job *job, bool keep);

/* The operations of struct cc_job_ops. Context: as there. */
int cc_active_begin(struct cc_job *job);
int cc_active_step(struct cc_job *job);
int cc_active_again(struct cc_job *job);
struct cc_view *cc_active_complete(struct cc_job *job, struct cc_view *old);
void cc_active_undo(struct cc_job *job);

/* No copy is under way, and what was published ends. Tolerates a job without it. */
void cc_active_end(struct cc_job *job);

/* Does the guest wait for copies, so that no speed limit may hold them up? Context: any. */
static inline bool cc_active_urgent(struct cc_job *job)
{
	struct cc_active *a = job->active;

	return a && (READ_ONCE(a->track->hold) || READ_ONCE(a->pivoting));
}

#endif /* COWCHAIN_ACTIVE_H */
