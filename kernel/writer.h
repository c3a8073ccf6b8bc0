/* SPDX-License-Identifier: GPL-2.0-only */
/* Durability: dirty blocks, and the commits that write them. */
#ifndef COWCHAIN_WRITER_H
#define COWCHAIN_WRITER_H

#include "block.h"

void cc_commit_init(struct cowchain *cc);

/* Mark a pinned block dirty.  Context: any; b->lock is held. */
void cc_block_dirty(struct cowchain *cc, struct cc_block *b);

/* Is there anything that a flush has to commit?  Context: any. */
bool cc_commit_needed(struct cowchain *cc);

/* End @bio after the next commit, with its result.  Context: any. */
void cc_commit_bio(struct cowchain *cc, struct bio *bio);

/* Make durable all that completed before.  Context: process.  Return: 0 or -errno. */
int cc_commit_wait(struct cowchain *cc);

/**
 * cc_commit_suspend() - commit for the last time before another table may come.
 *
 * All I/O has ended.  Context: process.  Return: 0 or -errno.
 */
int cc_commit_suspend(struct cowchain *cc);

/* The same for a table that goes away.  Context: process. */
void cc_commit_stop(struct cowchain *cc);

/* After a commit has failed: a write has ended that no flush has failed for.  Context: any. */
void cc_commit_untell(struct cowchain *cc);

/* After that: were writes lost that completed, without an error of a flush?  Context: process. */
bool cc_commit_owes(struct cowchain *cc);

#endif /* COWCHAIN_WRITER_H */
