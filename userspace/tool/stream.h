/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Starts a stream into a layer below the top.
 */
#ifndef COWCHAIN_STREAM_H
#define COWCHAIN_STREAM_H

#include "job-args.h"
#include "live.h"

/*
 * base: -1 for none; name, format: of the base for the header, or NULL. The layer is written by the
 * devices that the chain has of it, or by others of the same files. Returns 0, or -1 after a
 * message.
 */
int stream_lower(const struct live *live, unsigned int top, int base, const char *name, const char *format,
		 const struct job_args *args);

#endif
