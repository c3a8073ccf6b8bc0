/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies subclusters into the top. Context: process. */
#ifndef COWCHAIN_COPY_H
#define COWCHAIN_COPY_H

#include "job.h"

/* A free slot, or NULL if a copy has failed, or the job is cancelled or has to park. */
struct cc_copy *cc_copy_get(struct cc_job *job);

/* Copy subclusters [first, end) of @b; takes over the caller's pin. */
void cc_copy_start(struct cc_copy *copy, struct cc_block *b, u32 first, u32 end);

#endif /* COWCHAIN_COPY_H */
