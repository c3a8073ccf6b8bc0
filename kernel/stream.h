/* SPDX-License-Identifier: GPL-2.0-only */
/* A stream: from its start to the shorter chain. */
#ifndef COWCHAIN_STREAM_H
#define COWCHAIN_STREAM_H

#include "job.h"

/**
 * struct cc_stream_args - what a stream is asked to do.
 * @speed: bytes per second, 0 unlimited.
 * @backing_name: the name of the base in the header; NULL for what the layer above the base says.
 * @backing_format: with @backing_name.
 */
struct cc_stream_args {
	u64 speed;
	enum cc_on_error on_error;
	const char *backing_name;
	const char *backing_format;
	bool paused;
};

/**
 * cc_stream_start() - start a stream onto the selected base.
 *
 * No job is active. Context: process, cc->ctl held. Return: 0 or -errno.
 */
int cc_stream_start(struct cowchain *cc, const struct cc_stream_args *args);

#endif /* COWCHAIN_STREAM_H */
