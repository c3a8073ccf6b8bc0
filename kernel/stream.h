/* SPDX-License-Identifier: GPL-2.0-only */
/* A stream: from its start to the shorter chain. */
#ifndef COWCHAIN_STREAM_H
#define COWCHAIN_STREAM_H

#include "job.h"

/**
 * cc_stream_start() - start a stream onto the selected base.
 *
 * No job is active. Context: process, cc->ctl held. Return: 0 or -errno.
 */
int cc_stream_start(struct cowchain *cc, const struct cc_job_args *args);

#endif /* COWCHAIN_STREAM_H */
