/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A request in progress, and lists of requests.
 */
#ifndef VMM_BLK_TASK_H
#define VMM_BLK_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "blk-request.h"
#include "virtqueue.h"

struct blk_queue;

/* A request in progress, from vq_pop() to vq_push(). */
struct blk_task {
	struct blk_task *next;		/* in one of several lists */
	struct blk_queue *queue;
	struct vq_chain chain;
	struct blk_request rq;
	bool through;			/* make it durable before answering */
	int error;			/* 0 or an errno; valid when the task is finished */

	/* blk-io: */
	uint64_t done;			/* bytes of rq.len that are done */
	struct iov_list left;		/* what remains of rq.data when it is used in place */
	uint32_t cost;			/* while the kernel has it, see blk-io.c */
	uint32_t piece;			/* bytes that the kernel has */
	bool bounced;			/* it goes through a bounce buffer: this one, if it has one */
	uint8_t *bounce;
	struct iovec one;		/* for the bounce buffer, or for a part of a buffer */
};

struct task_list {
	struct blk_task *first, **end;
};

void task_list_init(struct task_list *l);
void task_list_add(struct task_list *l, struct blk_task *t);
struct blk_task *task_list_take(struct task_list *l);

#endif
