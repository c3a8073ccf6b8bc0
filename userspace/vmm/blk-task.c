// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of requests in progress.
 */
#include <stddef.h>

#include "blk-task.h"

void task_list_init(struct task_list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

void task_list_add(struct task_list *l, struct blk_task *t)
{
	t->next = NULL;
	*l->end = t;
	l->end = &t->next;
}

struct blk_task *task_list_take(struct task_list *l)
{
	struct blk_task *t = l->first;

	if (t) {
		l->first = t->next;
		if (!l->first)
			l->end = &l->first;
	}
	return t;
}
