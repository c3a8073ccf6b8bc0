/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which file systems may not answer, and which devices are mounted.
 */
#ifndef COWCHAIN_MOUNTS_H
#define COWCHAIN_MOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Is the absolute path on a file system that a server or a program provides, and not on that with the
 * number own? Then a look at it could wait for ever. Looks at nothing but names. mountinfo is the text of
 * /proc/self/mountinfo.
 */
bool mounts_may_hang_in(const char *mountinfo, const char *path, dev_t own);
/* The same for the mounts that this process found when it asked first. */
bool mounts_may_hang(const char *path, dev_t own);

/*
 * Is the block device with this name of the kernel's ("loop3"), or a partition of it, mounted by such a name?
 * mountinfo as above.
 */
bool mounts_have_device_in(const char *mountinfo, const char *name);
bool mounts_have_device(const char *name);

#endif
