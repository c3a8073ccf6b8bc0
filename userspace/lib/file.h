/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads from files.
 */
#ifndef COWCHAIN_FILE_H
#define COWCHAIN_FILE_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Read len bytes at off, fewer only at the end of the file. Returns the number of bytes or -errno.
 */
ssize_t pread_full(int fd, void *buf, size_t len, off_t off);

/*
 * Open a file that may be anything by name, relative to dir (or AT_FDCWD), without acting on it: neither a
 * FIFO waits nor does a device do what it does when it is opened. *st gets what it is. file_reopen() opens
 * it again for use, the same one whatever has become of its name. Both return a descriptor, or -1 with
 * errno.
 */
int file_find(int dir, const char *path, struct stat *st);
int file_reopen(int found, int flags);

#endif
