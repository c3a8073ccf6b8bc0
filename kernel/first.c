// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parts of the disk that a stream copies first: a queue. Messages add to it, the job's thread takes
 * from it.
 *
 * Nothing depends on a part having been copied: the cursor passes over the whole disk all the same,
 * and finds that the top has those subclusters. So parts may be dropped, may overlap, and are not
 * recorded: a job that continues after a crash has forgotten them.
 */
#include <linux/mm.h>

#include "first.h"

/**
 * struct cc_first - a ring.
 * @head: the part that is next, if there is any; only the thread changes it.
 * @nr: how many wait.
 * @part: the parts.
 */
struct cc_first {
	unsigned int head, nr;
	struct cc_part part[CC_FIRST_PARTS];
};

/* It is large, and most jobs have none. */
static int cc_first_create(struct cc_job *job)
{
	struct cc_first *first;

	if (READ_ONCE(job->first))
		return 0;
	first = kvzalloc(sizeof(*first), GFP_KERNEL);
	if (!first)
		return -ENOMEM;
	spin_lock_irq(&job->lock);
	if (!job->first) {
		WRITE_ONCE(job->first, first);
		first = NULL;
	}
	spin_unlock_irq(&job->lock);
	/* Another message has been faster. */
	kvfree(first);
	return 0;
}

void cc_first_free(struct cc_first *first)
{
	kvfree(first);
}

static bool cc_first_valid(struct cc_job *job, const struct cc_part *parts, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (parts[i].pos >= job->len)
			return false;
	return job->ops->type == QCOW2_IDENT_JOB_STREAM;
}

int cc_first_add(struct cc_job *job, const struct cc_part *parts, unsigned int nr)
{
	struct cc_first *first;
	unsigned int i;
	int r;

	if (!cc_first_valid(job, parts, nr))
		return -EINVAL;
	r = cc_first_create(job);
	if (r)
		return r;
	spin_lock_irq(&job->lock);
	first = job->first;
	if (nr > CC_FIRST_PARTS - first->nr)
		r = -ENOSPC;
	for (i = 0; i < nr && !r; i++) {
		struct cc_part *part = &first->part[(first->head + first->nr) % CC_FIRST_PARTS];

		part->pos = parts[i].pos;
		part->end = min(parts[i].end, job->len);
		first->nr++;
	}
	spin_unlock_irq(&job->lock);
	return r;
}

unsigned int cc_first_count(struct cc_job *job)
{
	unsigned int nr;

	spin_lock_irq(&job->lock);
	nr = job->first ? job->first->nr : 0;
	spin_unlock_irq(&job->lock);
	return nr;
}

bool cc_first_get(struct cc_job *job, struct cc_part *part)
{
	bool found = false;

	/* One that comes a moment later is found by the next step. */
	if (!READ_ONCE(job->first))
		return false;
	spin_lock_irq(&job->lock);
	if (job->first->nr) {
		*part = job->first->part[job->first->head];
		found = true;
	}
	spin_unlock_irq(&job->lock);
	return found;
}

void cc_first_move(struct cc_job *job, sector_t pos)
{
	struct cc_first *first = job->first;

	spin_lock_irq(&job->lock);
	first->part[first->head].pos = pos;
	if (pos >= first->part[first->head].end) {
		first->head = (first->head + 1) % CC_FIRST_PARTS;
		first->nr--;
	}
	spin_unlock_irq(&job->lock);
}
