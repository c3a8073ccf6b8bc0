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

char *devno_dm_name(dev_t dev)
{
	char *path = xasprintf("/sys/dev/block/%u:%u/dm/name", major(dev), minor(dev));
	char line[NAME_MAX + 2], *name = NULL;
	FILE *f = fopen(path, "re");

	free(path);
	if (!f)
		return NULL;
	if (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		name = xstrdup(line);
	}
	fclose(f);
	return name;
}

/* In sysfs a slash in a name (cciss/c0d0) is written as an exclamation mark. */
static char *kernel_node(const char *name)
{
	char *node = xasprintf("/dev/%s", name), *p;

	for (p = node; *p; p++)
		if (*p == '!')
			*p = '/';
	return node;
}

char *devno_node(dev_t dev)
{
	char *name = devno_dm_name(dev);
	char *path, *link, *node = NULL;

	if (name) {
		node = xasprintf("/dev/mapper/%s", name);
		free(name);
		return node;
	}
	path = xasprintf("/sys/dev/block/%u:%u", major(dev), minor(dev));
	link = realpath(path, NULL);
	free(path);
	if (link)
		node = kernel_node(strrchr(link, '/') + 1);
	free(link);
	return node;
}

char *devno_kernel_node(const char *name)
{
	char *path = xasprintf("/sys/class/block/%s/dev", name);
	char line[32], *node = NULL;
	FILE *f = fopen(path, "re");
	dev_t dev;

	free(path);
	if (f) {
		if (fgets(line, sizeof(line), f)) {
			line[strcspn(line, "\n")] = '\0';
			node = devno_parse(line, &dev) ? NULL : devno_node(dev);
		}
		fclose(f);
	}
	return node ? node : kernel_node(name);
}

char *devno_file(dev_t dev)
{
	char *file = loop_shown_file(dev);

	return file ? file : devno_node(dev);
}
