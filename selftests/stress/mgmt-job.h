/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: streams and commits, and how they are controlled.
 */
#ifndef COWCHAIN_STRESS_MGMT_JOB_H
#define COWCHAIN_STRESS_MGMT_JOB_H

#include "mgmt.h"

/*
 * Is there a job that has not concluded? When it has, checks its result, and the chain and the
 * header that it left.
 */
bool mgmt_job_runs(struct mgmt *m);
/* Resumes the job if it is paused, and waits for its end. */
void mgmt_job_wait(struct mgmt *m);
/* After a reload the job either exists still, or it ended with the old table. */
void mgmt_job_settle(struct mgmt *m);

/* Operations of the administrator. */
void mgmt_stream(struct mgmt *m);
void mgmt_lower(struct mgmt *m);
void mgmt_commit(struct mgmt *m);
/* A commit of the top. */
void mgmt_active(struct mgmt *m);
void mgmt_complete(struct mgmt *m);
void mgmt_cancel(struct mgmt *m);
void mgmt_pause(struct mgmt *m);
void mgmt_speed(struct mgmt *m);

#endif
