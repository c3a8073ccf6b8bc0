// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users of a block device: devices that are made of it, loop devices, file systems, swap, and programs.
 */
#include <dirent.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "devno.h"
#include "loop.h"
#include "openers.h"
#include "users.h"
#include "util.h"

static void add(struct strbuf *sb, const char *how, const char *what)
{
	strbuf_addf(sb, "%s%s %s", sb->text ? ", " : "", how, what);
}

/* Who uses that: a partition that is mounted, for instance. */
static void add_users_of(struct strbuf *sb, const char *node)
{
	struct stat st;
	char *users = stat(node, &st) || !S_ISBLK(st.st_mode) ? NULL : users_find(st.st_rdev);

	if (users)
		strbuf_addf(sb, " (%s)", users);
	free(users);
}

/* Mapped devices, RAIDs and so on, for which the kernel keeps links. */
static void add_holders(struct strbuf *sb, dev_t dev)
{
	char *path = xasprintf("/sys/dev/block/%u:%u/holders", major(dev), minor(dev));
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *node;

		if (entry->d_name[0] == '.')
			continue;
		node = devno_kernel_node(entry->d_name);
		add(sb, "part of", node);
		add_users_of(sb, node);
		free(node);
	}
	if (dir)
		closedir(dir);
	free(path);
}

static void add_loops(struct strbuf *sb, dev_t dev)
{
	char *name = loop_of_device(dev);

	if (name)
		add(sb, "attached as", name);
	free(name);
}

/* Others are names of remote file systems, which could hang. */
static bool is_node_of(const char *path, dev_t dev)
{
	struct stat st;

	return !strncmp(path, "/dev/", 5) && !stat(path, &st) && S_ISBLK(st.st_mode) &&
	       st.st_rdev == dev;
}

static void add_mounts(struct strbuf *sb, dev_t dev)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;

	while (f && (entry = getmntent(f)))
		if (is_node_of(entry->mnt_fsname, dev))
			add(sb, "mounted on", entry->mnt_dir);
	if (f)
		endmntent(f);
}

static void add_swap(struct strbuf *sb, dev_t dev)
{
	FILE *f = fopen("/proc/swaps", "re");
	char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		line[strcspn(line, " \t")] = '\0';
		if (is_node_of(line, dev))
			add(sb, "swap as", line);
	}
	free(line);
	if (f)
		fclose(f);
}

char *users_find(dev_t dev)
{
	struct strbuf sb = { 0 };
	char *openers;

	add_holders(&sb, dev);
	add_loops(&sb, dev);
	add_mounts(&sb, dev);
	add_swap(&sb, dev);
	openers = openers_find(dev);
	if (openers)
		strbuf_addf(&sb, "%s%s", sb.text ? ", " : "", openers);
	free(openers);
	return sb.text;
}
