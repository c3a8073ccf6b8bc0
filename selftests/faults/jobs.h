/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: steps that wait for a job.
 */
#ifndef COWCHAIN_FAULTS_JOBS_H
#define COWCHAIN_FAULTS_JOBS_H

#include "walk.h"

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
/* A stream that was recorded continues by itself, to its end; without faults. */
void step_job_recorded(struct walk *w);
void step_cancel(struct walk *w);

#endif
