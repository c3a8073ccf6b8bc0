/* SPDX-License-Identifier: GPL-2.0-only */
/* The job that the top of a chain has recorded, when the chain has been attached again. */
#ifndef COWCHAIN_INTERRUPTED_H
#define COWCHAIN_INTERRUPTED_H

#include "qcow2-ident.h"

/*
 * The kernel continues a stream by itself, unless it was paused or cannot be continued. A commit needs
 * devices of its base that can be written, which are made here. Says what happens. waits: the table has
 * no_auto_resume.
 */
void interrupted_job(const char *name, const struct q2_ident_job *job, bool waits);
/*
 * The same for a stream into a layer below the top, which is recorded there: layer is its number. It is as a commit
 * in that its device may have to be made here.
 */
void interrupted_lower(const char *name, const struct q2_ident_job *job, unsigned int layer, bool waits);

#endif
