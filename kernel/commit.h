/* SPDX-License-Identifier: GPL-2.0-only */
/* A commit: from its start to the shorter chain. */
#ifndef COWCHAIN_COMMIT_H
#define COWCHAIN_COMMIT_H

#include "job.h"

/**
 * struct cc_commit_args - what a commit is asked to do.
 * @top: index of the topmost layer that is copied: the one below the top of the chain, or the top.
 * @base: index of the layer that it is copied into.
 * @keep: if it is the top: be ready, but wait for job-complete before the base takes its place.
 * @path, @data_path: devices that show the base and can be written; NULL for those of the chain.
 */
struct cc_commit_args {
	struct cc_job_args job;
	int top;
	int base;
	bool keep;
	const char *path;
	const char *data_path;
};

/**
 * cc_commit_start() - start a commit.
 *
 * Context: process, cc->ctl not held: the base is loaded without it. Return: 0 or -errno; the
 * reason is logged.
 */
int cc_commit_start(struct cowchain *cc, const struct cc_commit_args *args);

#endif /* COWCHAIN_COMMIT_H */
