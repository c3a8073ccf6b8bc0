// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens files, and reads from them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

int file_open_standard(void)
{
	int fd;

	/* Each open() takes the lowest number that is free. A write to the last two fails, as if they were closed. */
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return -1;
	return 0;
}

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

/*
 * The kernel says so behind the last name that a file had. But any name may end like this, and anything may
 * have been put there.
 */
static bool is_deleted(int fd, const char *path, size_t len)
{
	static const char deleted[] = " (deleted)";
	size_t end = sizeof(deleted) - 1;
	struct stat open, there;

	if (len < end || strcmp(path + len - end, deleted))
		return false;
	return fstat(fd, &open) || lstat(path, &there) || open.st_dev != there.st_dev ||
	       open.st_ino != there.st_ino;
}

char *file_path(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return NULL;
	path[len] = '\0';
	/* "(unreachable)/...": mounted elsewhere only. */
	if (path[0] == '/' && !is_deleted(fd, path, (size_t)len))
		return strdup(path);
	errno = ENOENT;
	return NULL;
}
