// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds out which programs have a block device open, by their descriptors in /proc.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "openers.h"
#include "util.h"

/* More names than that help nobody. */
#define MAX_NAMES 5

/*
 * What is open may be on a file system that does not answer, so that is not asked. The number of a device is known
 * without it.
 */
static bool is_device(int dir, const char *name, dev_t dev)
{
	struct statx stx;

	return !statx(dir, name, AT_STATX_DONT_SYNC, STATX_TYPE, &stx) && S_ISBLK(stx.stx_mode) &&
	       makedev(stx.stx_rdev_major, stx.stx_rdev_minor) == dev;
}

static bool has_open(const char *pid, dev_t dev)
{
	char *path = xasprintf("/proc/%s/fd", pid);
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool has = false;

	free(path);
	while (!has && dir && (entry = readdir(dir)))
		has = isdigit((unsigned char)entry->d_name[0]) && is_device(dirfd(dir), entry->d_name, dev);
	if (dir)
		closedir(dir);
	return has;
}

static void add_name(struct strbuf *sb, const char *pid)
{
	char *path = xasprintf("/proc/%s/comm", pid), *line = NULL;
	FILE *f = fopen(path, "re");
	size_t room = 0;

	if (f && getline(&line, &room, f) > 0)
		line[strcspn(line, "\n")] = '\0';
	strbuf_addf(sb, "%s%s (%s)", sb->text ? ", " : "open in ", line ? line : "?", pid);
	if (f)
		fclose(f);
	free(line);
	free(path);
}

static bool is_own(const char *pid)
{
	return strtol(pid, NULL, 10) == getpid();
}

char *openers_find(dev_t dev)
{
	struct strbuf sb = { 0 };
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	unsigned int nr = 0;

	while (nr <= MAX_NAMES && dir && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || is_own(entry->d_name) ||
		    !has_open(entry->d_name, dev))
			continue;
		if (nr++ == MAX_NAMES)
			strbuf_add(&sb, ", ...");
		else
			add_name(&sb, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return sb.text;
}
