/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds out which programs have a block device open.
 */
#ifndef COWCHAIN_OPENERS_H
#define COWCHAIN_OPENERS_H

#include <sys/types.h>

/*
 * "open in qemu (1234), sh (5)"; NULL if none is seen: those of other users are seen by root only. Some, and "..." if
 * there are many. Caller frees.
 */
char *openers_find(dev_t dev);

#endif
