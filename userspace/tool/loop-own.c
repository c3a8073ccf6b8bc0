// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remembers the loop devices of this process, by number.
 */
#include <stdio.h>

#include "loop-own.h"
#include "util.h"

static struct own {
	int fd;			/* -1: none; may have been closed, and be something else by now */
	dev_t dev;
	dev_t file_dev;
	ino_t file_ino;
} *owns;
static int nr_owns;

static int number_of(const char *name)
{
	int number;

	return sscanf(name, "loop%d", &number) == 1 ? number : -1;
}

void loop_own_add(const char *name, int fd, dev_t dev, const struct stat *file)
{
	int number = number_of(name);

	if (number < 0)
		return;
	if (number >= nr_owns) {
		owns = xrealloc(owns, (size_t)number + 1, sizeof(*owns));
		while (nr_owns <= number)
			owns[nr_owns++] = (struct own){ .fd = -1 };
	}
	owns[number] = (struct own){ fd, dev, file->st_dev, file->st_ino };
}

bool loop_own_other(const char *name, const struct stat *file)
{
	int number = number_of(name);
	const struct own *own;
	struct stat st;

	if (number < 0 || number >= nr_owns)
		return false;
	own = &owns[number];
	/*
	 * The descriptor may have been closed and be another one by now. If it is one of the same
	 * device again, then that was remembered anew.
	 */
	return own->fd >= 0 && !fstat(own->fd, &st) && S_ISBLK(st.st_mode) &&
	       st.st_rdev == own->dev &&
	       (own->file_dev != file->st_dev || own->file_ino != file->st_ino);
}
