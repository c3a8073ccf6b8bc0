// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells by /proc/self/mountinfo which file systems may not answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	char *point;
	char type[64];
	unsigned int maj;
	unsigned int min;
};

/* "36 35 98:0 /root /mount/point rw,noatime shared:1 - ext3 /dev/root rw" */
static bool parse_mount(const char *line, struct mount *mount)
{
	const char *type = strstr(line, " - ");

	mount->point = NULL;
	if (!type || sscanf(line, "%*u %*u %u:%u %*s %ms", &mount->maj, &mount->min, &mount->point) != 3 ||
	    sscanf(type, " - %63s", mount->type) != 1) {
		free(mount->point);
		return false;
	}
	unescape(mount->point);
	return true;
}

bool mounts_may_hang_in(const char *mountinfo, const char *path, dev_t own)
{
	char *copy = xstrdup(mountinfo), *save = copy, *line;
	struct mount mount;
	bool may = false;
	size_t best = 0;

	/* Of those with one mount point, the last one covers the others. */
	while ((line = strtok_r(NULL, "\n", &save))) {
		if (!parse_mount(line, &mount))
			continue;
		if (path_below(path, mount.point) && strlen(mount.point) >= best) {
			best = strlen(mount.point);
			may = !is_local(mount.maj, mount.type) &&
			      makedev(mount.maj, mount.min) != own;
		}
		free(mount.point);
	}
	free(copy);
	return may;
}

bool mounts_may_hang(const char *path, dev_t own)
{
	static char *text;
	size_t room = 0;
	FILE *f;

	if (!text) {
		f = fopen("/proc/self/mountinfo", "re");
		if (!f || getdelim(&text, &room, '\0', f) <= 0) {
			free(text);
			text = xstrdup("");
		}
		if (f)
			fclose(f);
	}
	return mounts_may_hang_in(text, path, own);
}
