/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stream into a layer below the top. Context: process. Return: 0 or -errno unless said otherwise;
 * the reason is logged.
 */
#ifndef COWCHAIN_LOWER_H
#define COWCHAIN_LOWER_H

#include "job.h"

/**
 * struct cc_stream_args - what a stream is asked to do.
 * @top: index of the layer that it is copied into, -1 for the top of the chain.
 * @base: index of the base, -1 for none; CC_BASE_SELECTED for what the message "base" has selected.
 * @path, @data_path: devices that show the layer and can be written; NULL for those of the chain.
 */
struct cc_stream_args {
	struct cc_job_args job;
	int top;
	int base;
	const char *path;
	const char *data_path;
};

#define CC_BASE_SELECTED	(-2)

/*
 * Open the layer, and make the view of the job: it ends there. cc->ctl is not held. @args: struct
 * cc_stream_args.
 */
int cc_lower_open(struct cc_job *job, const void *args);

/*
 * Make most of it durable. cc->ctl is not held. Return: 0, -EAGAIN if the job has to park, or
 * -errno.
 */
int cc_lower_settle(struct cc_job *job);

/* The chain without what lies between the base and the target; or ERR_PTR. cc->ctl is held. */
struct cc_view *cc_lower_complete(struct cc_job *job, struct cc_view *old);

/* What is left of the target when the job has ended. cc->ctl may be held before the thread runs. */
void cc_lower_release(struct cc_job *job);

/*
 * A snapshot has just put another top on the one that the job copies into, which holds still. It
 * keeps its map and its writer, and is the target of the job from here on. cc->ctl is held.
 */
void cc_lower_adopt(struct cc_job *job, struct cc_layer *layer);

#endif /* COWCHAIN_LOWER_H */
