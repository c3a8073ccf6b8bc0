// SPDX-License-Identifier: GPL-2.0-only
/*
 * What sysfs tells about loop devices, without opening any.
 */
#include <stdio.h>
#include <stdlib.h>

#include "loop-sysfs.h"
#include "util.h"

char *sysfs_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;
	ssize_t len;

	if (!f)
		return NULL;
	len = getdelim(&text, &room, '\0', f);
	fclose(f);
	if (len <= 0) {
		free(text);
		return NULL;
	}
	if (text[len - 1] == '\n')
		text[len - 1] = '\0';
	return text;
}

char *loop_sysfs_file(const char *name)
{
	char *attribute = xasprintf("/sys/block/%s/loop/backing_file", name);
	char *path = sysfs_read(attribute);

	free(attribute);
	return path;
}
