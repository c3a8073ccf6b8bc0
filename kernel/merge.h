/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies what layers have down into the base of a commit. */
#ifndef COWCHAIN_MERGE_H
#define COWCHAIN_MERGE_H

#include "job.h"

/*
 * Start the next copy, or move job->pos over what the layers above the base do not provide.
 * Context: process, the job's thread. Return: 0, or the error of finding out what to copy.
 */
int cc_merge_step(struct cc_job *job);

#endif /* COWCHAIN_MERGE_H */
