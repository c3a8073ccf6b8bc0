/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stream: from its start to the shorter chain. No job is active. Context: process. Return: 0 or
 * -errno; the reason is logged.
 */
#ifndef COWCHAIN_STREAM_H
#define COWCHAIN_STREAM_H

#include "lower.h"

/* Start a stream into the top. cc->ctl is held. */
int cc_stream_start(struct cowchain *cc, const struct cc_stream_args *args);

/* Into a layer below the top, which is opened without cc->ctl: that is not held. */
int cc_stream_start_lower(struct cowchain *cc, const struct cc_stream_args *args);

/* Forget the stream that is recorded in layer @lower, below the top. cc->ctl is not held. */
int cc_stream_forget_lower(struct cowchain *cc, int lower);

#endif /* COWCHAIN_STREAM_H */
