/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parts of the disk that a stream copies first, before it goes on where it is: what a guest needs
 * next, as somebody in userspace knows. They are hints. Who sends none, or the wrong ones, gets the
 * same copy in another order.
 */
#ifndef COWCHAIN_FIRST_H
#define COWCHAIN_FIRST_H

#include "job.h"

/* Parts that wait at a time. */
#define CC_FIRST_PARTS	4096

/**
 * struct cc_part - sectors of the guest's disk.
 */
struct cc_part {
	sector_t pos, end;
};

/**
 * cc_first_add() - have parts copied next, in this order, behind those that wait already.
 * @parts: none is empty; they may end behind the disk. All of them are added, or none.
 *
 * Context: process; memory does not depend on I/O. Return: 0, -EINVAL if the job is no stream or a
 * part begins behind the disk, -ENOSPC if they have no place now, or -ENOMEM; not logged.
 */
int cc_first_add(struct cc_job *job, const struct cc_part *parts, unsigned int nr);

/* How many parts wait. Context: any. */
unsigned int cc_first_count(struct cc_job *job);

/* What is left of the part that is next, if there is one. For the job's thread. */
bool cc_first_get(struct cc_job *job, struct cc_part *part);

/* Everything in that part before @pos has been copied, or is being copied. For the job's thread. */
void cc_first_move(struct cc_job *job, sector_t pos);

/* Context: process. */
void cc_first_free(struct cc_first *first);

#endif /* COWCHAIN_FIRST_H */
