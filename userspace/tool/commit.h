/* SPDX-License-Identifier: GPL-2.0-only */
/* Starts a commit: the devices of its base that can be written, and the message. */
#ifndef COWCHAIN_COMMIT_H
#define COWCHAIN_COMMIT_H

#include "job-args.h"
#include "live.h"

/*
 * Commit the layers above base, up to last, into base. If last is the top, the base takes its place at the
 * end; with keep, when it is told to. The files of the base are opened for writing if its devices cannot be
 * written. Returns 0, or -1 after a message: then nothing has changed.
 */
int commit_start(const struct live *live, unsigned int base, unsigned int last, bool keep,
		 const struct job_args *args);

#endif
