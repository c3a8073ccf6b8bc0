/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies subclusters into the top. Context: process. */
#ifndef COWCHAIN_COPY_H
#define COWCHAIN_COPY_H

#include "job.h"

/* A free slot, or NULL if a copy has failed, or the job is cancelled or has to park. */
struct cc_copy *cc_copy_get(struct cc_job *job);

/*
 * For a copy of another kind: have @fn do it, whose last call is cc_copy_end(). @all: sectors that
 * its cost stands for.
 */
void cc_copy_queue(struct cc_copy *copy, work_func_t fn);
void cc_copy_end(struct cc_copy *copy, u32 all, int error);

/*
 * Wait until no copy of one of these subclusters is under way. Return: false if one still is, where
 * cc_copy_get() would return NULL.
 */
bool cc_copy_wait_for(struct cc_job *job, const struct cc_block *b, u32 first, u32 end);

/*
 * Copy subclusters [first, end) of @b; takes over the caller's pin. If it fails, the job goes back
 * to where the copy begins, or to @back if that is before it.
 */
void cc_copy_start(struct cc_copy *copy, struct cc_block *b, u32 first, u32 end, sector_t back);

#endif /* COWCHAIN_COPY_H */
