/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opens files, names them, and reads from them.
 */
#ifndef COWCHAIN_FILE_H
#define COWCHAIN_FILE_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * First of all in a program: descriptors 0 to 2 that are closed become ones of /dev/null that cannot be written, so that
 * no file gets such a number, into which messages would go. Returns 0, or -1 with errno.
 */
int file_open_standard(void);

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

/*
 * The canonical name of an open file, as the kernel has it by now. It is not looked up again, as realpath()
 * would do: another name could have been put in its place meanwhile, and that would be followed. Returns NULL
 * with errno; ENOENT if the file has no name any more, or none that can be seen from here. Caller frees.
 */
char *file_path(int fd);

#endif
