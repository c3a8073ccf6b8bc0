// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells by /proc/self/mountinfo which file systems may not answer, and which devices are mounted.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "mounts.h"
#include "path.h"
#include "util.h"

/* Blanks, newlines and backslashes are written as \NNN. In place. */
static void unescape(char *text)
{
	char *to = text;
	unsigned int byte;

	while (*text) {
		if (sscanf(text, "\\%3o", &byte) == 1 && strlen(text) >= 4) {
			*to++ = (char)byte;
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/*
 * A local file system is on a device, or in memory. Others have a number for which there is no device,
 * as these have, too. One that is not known here counts as not local.
 */
static bool is_local(unsigned int maj, const char *type)
{
	static const char *const types[] = {
		"bcachefs", "btrfs", "devtmpfs", "overlay", "ramfs", "rootfs", "tmpfs", "ubifs", "zfs",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(type, types[i]))
			return true;
	/* "fuseblk" has a device, and still is a program. */
	return maj && strncmp(type, "fuse", 4);
}

struct mount {
	int id;
	char *point;
	char *source;
	char type[64];
	unsigned int maj;
	unsigned int min;
};

struct mounts {
	struct mount *mounts;
	size_t nr;
};

/* "36 35 98:0 /root /mount/point rw,noatime shared:1 - ext3 /dev/root rw" */
static bool parse_mount(const char *line, struct mount *mount)
{
	const char *type = strstr(line, " - ");

	mount->point = NULL;
	mount->source = NULL;
	if (!type || sscanf(line, "%d %*u %u:%u %*s %ms", &mount->id, &mount->maj, &mount->min, &mount->point) != 4 ||
	    sscanf(type, " - %63s %ms", mount->type, &mount->source) < 1) {
		free(mount->point);
		return false;
	}
	unescape(mount->point);
	if (mount->source)
		unescape(mount->source);
	return true;
}

static void parse(struct mounts *all, const char *mountinfo)
{
	char *copy = xstrdup(mountinfo), *save = copy, *line;
	struct mount mount;

	while ((line = strtok_r(NULL, "\n", &save))) {
		if (!parse_mount(line, &mount))
			continue;
		all->mounts = xrealloc(all->mounts, all->nr + 1, sizeof(*all->mounts));
		all->mounts[all->nr++] = mount;
	}
	free(copy);
}

static void free_mounts(struct mounts *all)
{
	while (all->nr) {
		free(all->mounts[--all->nr].point);
		free(all->mounts[all->nr].source);
	}
	free(all->mounts);
}

static bool may_hang(const struct mounts *all, const char *path, dev_t own)
{
	const struct mount *in = NULL;
	size_t i;

	/* Of those with one mount point, the last one covers the others. */
	for (i = 0; i < all->nr; i++)
		if (path_below(path, all->mounts[i].point) &&
		    (!in || strlen(all->mounts[i].point) >= strlen(in->point)))
			in = &all->mounts[i];
	return in && !is_local(in->maj, in->type) && makedev(in->maj, in->min) != own;
}

bool mounts_may_hang_in(const char *mountinfo, const char *path, dev_t own)
{
	struct mounts all = { 0 };
	bool may;

	parse(&all, mountinfo);
	may = may_hang(&all, path, own);
	free_mounts(&all);
	return may;
}

/* A host may have many, and many loop devices: they are asked for each of these, and each layer. */
static const struct mounts *all_mounts(void)
{
	static struct mounts all;
	static bool known;
	char *text = NULL;
	size_t room = 0;
	FILE *f;

	if (!known) {
		f = fopen("/proc/self/mountinfo", "re");
		if (f && getdelim(&text, &room, '\0', f) > 0)
			parse(&all, text);
		if (f)
			fclose(f);
		free(text);
		known = true;
	}
	return &all;
}

bool mounts_may_hang(const char *path, dev_t own)
{
	return may_hang(all_mounts(), path, own);
}

/* Is it "/dev/NAME", or "/dev/NAMEpNUMBER", which is a partition of that? */
static bool is_node_of(const char *source, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(source, "/dev/", 5) || strncmp(source + 5, name, len))
		return false;
	source += 5 + len;
	return !*source || (*source == 'p' && isdigit((unsigned char)source[1]));
}

static bool has_device(const struct mounts *all, const char *name)
{
	size_t i;

	for (i = 0; i < all->nr; i++)
		if (all->mounts[i].source && is_node_of(all->mounts[i].source, name))
			return true;
	return false;
}

bool mounts_have_device_in(const char *mountinfo, const char *name)
{
	struct mounts all = { 0 };
	bool have;

	parse(&all, mountinfo);
	have = has_device(&all, name);
	free_mounts(&all);
	return have;
}

bool mounts_have_device(const char *name)
{
	return has_device(all_mounts(), name);
}

/* Some file systems (btrfs) have a number of their own, and name the device. */
static bool is_of_device(const struct mount *mount, dev_t dev)
{
	struct stat st;

	if (mount->maj)
		return makedev(mount->maj, mount->min) == dev;
	return mount->source && !strncmp(mount->source, "/dev/", 5) && !stat(mount->source, &st) &&
	       S_ISBLK(st.st_mode) && st.st_rdev == dev;
}

int mounts_each(dev_t dev, int (*fn)(const struct mount_point *at, void *data), void *data)
{
	const struct mounts *all = all_mounts();
	struct mount_point at;
	int ret = 0;
	size_t i;

	for (i = 0; i < all->nr && !ret; i++) {
		if (!is_of_device(&all->mounts[i], dev))
			continue;
		at.id = all->mounts[i].id;
		at.order = (unsigned int)i;
		at.fs = makedev(all->mounts[i].maj, all->mounts[i].min);
		at.path = all->mounts[i].point;
		at.type = all->mounts[i].type;
		ret = fn(&at, data);
	}
	return ret;
}
