// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens the file for the guest's console.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "console.h"
#include "util.h"

/*
 * The launcher may be root, and the directory somebody else's: what a link there leads to must not
 * be emptied. What a guest prints is not for everybody to read.
 */
int console_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == ELOOP)
		return say_errno(ELOOP, "%s is a symbolic link: give the file that it leads to%s", path,
				 strncmp(path, "/dev/", 5) ? "" : "; --console stdio is for stdout");
	return fd < 0 ? say_errno(errno, "cannot open %s", path) : fd;
}
