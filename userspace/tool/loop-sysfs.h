/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What sysfs tells about loop devices, without opening any.
 */
#ifndef COWCHAIN_LOOP_SYSFS_H
#define COWCHAIN_LOOP_SYSFS_H

/*
 * An attribute in sysfs, without the newline at its end (a file name may contain others). NULL if there is none. Caller
 * frees.
 */
char *sysfs_read(const char *path);

/* The name of the file of that device, "loop3"; NULL if it has none. Caller frees. */
char *loop_sysfs_file(const char *name);

#endif
