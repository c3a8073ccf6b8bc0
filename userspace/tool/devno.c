// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device numbers as text, and the names that belong to them.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "devno.h"
#include "loop.h"
#include "util.h"

char *devno_format(dev_t dev)
{
	return xasprintf("%u:%u", major(dev), minor(dev));
}

int devno_parse(const char *text, dev_t *dev)
{
	unsigned int maj, min;
	struct stat st;
	char rest;

	if (sscanf(text, "%u:%u%c", &maj, &min, &rest) == 2) {
		*dev = makedev(maj, min);
		return 0;
	}
	if (stat(text, &st) || !S_ISBLK(st.st_mode))
		return -1;
	*dev = st.st_rdev;
	return 0;
}

char *devno_node(dev_t dev)
{
	char *path = xasprintf("/sys/dev/block/%u:%u/dm/name", major(dev), minor(dev));
	char name[NAME_MAX + 2];
	char *link, *node = NULL;
	FILE *f = fopen(path, "re");

	free(path);
	if (f) {
		if (fgets(name, sizeof(name), f)) {
			name[strcspn(name, "\n")] = '\0';
			node = xasprintf("/dev/mapper/%s", name);
		}
		fclose(f);
		return node;
	}
	path = xasprintf("/sys/dev/block/%u:%u", major(dev), minor(dev));
	link = realpath(path, NULL);
	free(path);
	if (link)
		/* In sysfs a slash in a name (cciss/c0d0) is written as an exclamation mark. */
		node = xasprintf("/dev/%s", strrchr(link, '/') + 1);
	free(link);
	for (link = node; link && *link; link++)
		if (*link == '!')
			*link = '/';
	return node;
}

char *devno_file(dev_t dev)
{
	char *file = loop_file(dev);

	return file ? file : devno_node(dev);
}
