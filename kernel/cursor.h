/* SPDX-License-Identifier: GPL-2.0-only */
/* The cursor of a stream: what has to be copied next. */
#ifndef COWCHAIN_CURSOR_H
#define COWCHAIN_CURSOR_H

#include "job.h"

/**
 * struct cc_todo - the next thing to copy, inside one block of the top.
 * @pos, @until: where to look, sectors.
 * @b: the block of @pos, pinned.
 * @first, @end: subclusters; equal if there is nothing up to @next.
 * @next: where to continue, sectors.
 */
struct cc_todo {
	sector_t pos, until;
	struct cc_block *b;
	u32 first, end;
	sector_t next;
};

/**
 * cc_find_todo() - find out what to copy next.
 * @t: the first three are set, the others are filled in.
 *
 * Context: process. Return: 0 or -errno.
 */
int cc_find_todo(struct cc_job *job, struct cc_todo *t);

#endif /* COWCHAIN_CURSOR_H */
