// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a file of parts. Its directory may belong to somebody else: see new-file.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "parts-file.h"
#include "util.h"

int parts_file_open(struct new_file *file, const char *path, bool overwrite)
{
	return new_file_open(file, path,
			     NEW_FILE_CAN_OVERWRITE | NEW_FILE_NO_DEVICE | (overwrite ? NEW_FILE_OVERWRITE : 0));
}

/* Returns 0, or -1 with errno. The descriptor remains open. */
static int print(int file, const struct parts *parts)
{
	int fd = fcntl(file, F_DUPFD_CLOEXEC, 0), ret, err;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f) {
		err = errno;
		if (fd >= 0)
			close(fd);
		errno = err;
		return -1;
	}
	ret = parts_print(parts, f);
	err = errno;
	if (fclose(f) && !ret)
		return -1;
	errno = err;
	return ret;
}

int parts_file_save(const struct new_file *file, const struct parts *parts)
{
	int err;

	if (!ftruncate(file->fd, 0) && !print(file->fd, parts))
		return 0;
	err = errno;
	/* The number at its end may be cut, and be another one. */
	if (ftruncate(file->fd, 0))
		cc_note("%s: its last line may be wrong", file->path);
	cc_error("%s: cannot write it: %s", file->path, strerror(err));
	return -1;
}
