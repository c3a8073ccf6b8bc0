/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a header says of a job. Context: process, cc->ctl held. Return: 0 or -errno;
 * the reason is logged.
 */
#ifndef COWCHAIN_JOB_HEADER_H
#define COWCHAIN_JOB_HEADER_H

#include "job.h"

/* The name of the base in the header: as given, or as the layer above the base has it. */
int cc_job_take_names(struct cc_job *job, const struct cc_job_args *args);

/* Find out now what would otherwise fail after hours of copying. */
int cc_job_check_header(struct cc_job *job);

/* Record what has to be continued after a crash, before anything is copied. */
int cc_job_record(struct cc_job *job);

/*
 * Everything has been copied: let the header name the base. The identity is written before that, to
 * allow both the old layer and the base as the layer below, and after it, to record that it is the
 * base and that the job has ended.
 */
int cc_job_end_header(struct cc_job *job);

#endif /* COWCHAIN_JOB_HEADER_H */
