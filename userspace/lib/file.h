/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads from files.
 */
#ifndef COWCHAIN_FILE_H
#define COWCHAIN_FILE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Read len bytes at off, fewer only at the end of the file. Returns the number of bytes or -errno.
 */
ssize_t pread_full(int fd, void *buf, size_t len, off_t off);

#endif
