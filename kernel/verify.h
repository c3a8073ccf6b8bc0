/* SPDX-License-Identifier: GPL-2.0-only */
/* What a job has written is read back and compared. Context: process. */
#ifndef COWCHAIN_VERIFY_H
#define COWCHAIN_VERIFY_H

#include "job.h"

/*
 * Have @job read back what its copies write, from now on. Its thread does not run yet. Return: 0 or
 * -ENOMEM; cc_verify_free() follows for each copy in any case.
 */
int cc_verify_create(struct cc_job *job);

/* Also of a job that does not verify. */
void cc_verify_free(struct cc_copy *copy);

/**
 * cc_verify_block() - does the data of a block read like what was written there?
 * @c: the copy that has written it, and which keeps everybody else from writing there.
 * @rel: sectors from the start of @c->b.
 * @offset: bytes into @c->pages, which begin at @c->pos.
 * @zeros: zeros were written, and the pages have something else.
 *
 * Return: 0, also if the job does not verify; -EILSEQ if it does not; or -errno if it cannot be
 * read. Either is logged.
 */
int cc_verify_block(struct cc_copy *c, u32 rel, u32 sectors, unsigned int offset, bool zeros);

/* The same of a raw layer, @from sectors behind the beginning of the copy. */
int cc_verify_raw(struct cc_copy *c, u32 from, u32 sectors);

#endif /* COWCHAIN_VERIFY_H */
