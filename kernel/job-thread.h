/* SPDX-License-Identifier: GPL-2.0-only */
/* The thread of a job, whatever it copies. */
#ifndef COWCHAIN_JOB_THREAD_H
#define COWCHAIN_JOB_THREAD_H

#include "job.h"

/* For kthread_create(): runs @data, a job with ops. */
int cc_job_thread(void *data);

#endif /* COWCHAIN_JOB_THREAD_H */
