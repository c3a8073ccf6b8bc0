/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: steps that wait for a job.
 */
#ifndef COWCHAIN_FAULTS_JOBS_H
#define COWCHAIN_FAULTS_JOBS_H

#include "walk.h"

struct job_status;

/*
 * The job ends, in whatever way the fault allows. If it failed, it is started again by the message
 * @again, and has to end without an error, which leaves @layers layers.
 */
void step_job(struct walk *w, const char *again, unsigned int layers);
/*
 * A commit of the top that waits to be told gets ready, if necessary once more by the message
 * @again. False if only errors that do not end, or a read-only chain, can be the reason.
 */
bool step_job_ready(struct walk *w, const char *again);
/*
 * After a reload: the job exists, and continues, if necessary after a message. False if it does
 * not, which only errors that do not end can be the reason for.
 */
bool step_job_there(struct walk *w);
/*
 * A stream that was recorded continues by itself, to its end; without faults. It may be paused only
 * if step_job_resume() could not be recorded.
 */
void step_job_recorded(struct walk *w);
/* A message to a job that is paused. If the chain is read-only by then, the record stays as it was. */
void step_job_resume(struct walk *w);
void step_cancel(struct walk *w);
/*
 * A cancel at the end of a run, of a job that was not concluded when its status was @was. In a
 * read-only chain it is refused, though the job ends: then step_cancel_again() has to follow.
 */
void step_cancel_last(struct walk *w, const struct job_status *was);
/*
 * With the next table, which has @params: what was cancelled in a read-only chain is still recorded,
 * unless it has ended by itself meanwhile, and can be cancelled now, for good.
 */
void step_cancel_again(struct walk *w, const char *params);

#endif
