// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks file systems and thin pools for their free space.
 */
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "devno.h"
#include "dm-thin.h"
#include "fs.h"
#include "loop.h"
#include "space-room.h"
#include "util.h"

void space_room_file(int fd, const char *path, struct space_room *room)
{
	struct statvfs fs;
	struct stat st;
	uint64_t taken;

	memset(room, 0, sizeof(*room));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || fstatvfs(fd, &fs))
		return;
	room->known = true;
	/* The figure that df shows: the rest is reserved. */
	room->bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	taken = (uint64_t)st.st_blocks * 512;
	room->holes = (uint64_t)st.st_size > taken ? (uint64_t)st.st_size - taken : 0;
	room->holes += fs_shared_bytes(fd);
	room->group = fs.f_frsize;
	room->zeros = true;
	room->where = xasprintf("the file system of %s", path);
}

void space_room_device(dev_t dev, struct space_room *room)
{
	struct dm_thin thin;
	char *path;
	int fd = loop_open_file(dev, &path);

	memset(room, 0, sizeof(*room));
	if (fd >= 0) {
		space_room_file(fd, path, room);
		close(fd);
		free(path);
		return;
	}
	if (dm_thin_room(dev, &thin))
		return;
	room->known = true;
	room->bytes = thin.free;
	room->holes = thin.size > thin.mapped ? thin.size - thin.mapped : 0;
	room->group = thin.block;
	/* The target writes no zeros where a thin device has none. */
	path = devno_node(dev);
	room->where = xasprintf("the pool of %s", path ? path : "the top");
	free(path);
}

void space_room_free(struct space_room *room)
{
	free(room->where);
	memset(room, 0, sizeof(*room));
}
