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

/**
 * struct mount_point - where a file system is mounted.
 * @id: of the mount, as in /proc/self/fdinfo.
 * @order: the higher, the later it was mounted.
 * @fs: tells file systems from each other.
 */
struct mount_point {
	int id;
	unsigned int order;
	dev_t fs;
	const char *path;
	const char *type;
};

/*
 * Call fn for each mount of the file system on that block device, until it returns something else than 0. Returns
 * that, or 0.
 */
int mounts_each(dev_t dev, int (*fn)(const struct mount_point *at, void *data), void *data);

#endif
