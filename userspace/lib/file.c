// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens files, and reads from them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "file.h"

ssize_t pread_full(int fd, void *buf, size_t len, off_t off)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, off + (off_t)done);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int file_find(int dir, const char *path, struct stat *st)
{
	int fd = openat(dir, path, O_PATH | O_CLOEXEC);

	if (fd < 0 || !fstat(fd, st))
		return fd;
	close(fd);
	return -1;
}

int file_reopen(int found, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
	return open(path, flags | O_CLOEXEC | O_NOCTTY);
}
