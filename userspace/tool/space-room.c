// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks file systems and thin pools for their free space.
 */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "devno.h"
#include "dm-thin.h"
#include "loop.h"
#include "space-room.h"
#include "util.h"

#define FIEMAP_EXTENTS 512U

/* How many bytes of the file are shared with other files: writing there allocates new space. */
static uint64_t shared_bytes(int fd)
{
	struct fiemap *map = xcalloc(1, sizeof(*map) + FIEMAP_EXTENTS * sizeof(map->fm_extents[0]));
	const struct fiemap_extent *e = map->fm_extents;
	uint64_t sum = 0, start = 0;
	unsigned int i;

	do {
		memset(map, 0, sizeof(*map));
		map->fm_start = start;
		map->fm_length = FIEMAP_MAX_OFFSET - start;
		map->fm_extent_count = FIEMAP_EXTENTS;
		/* File systems without FIEMAP share nothing. */
		if (ioctl(fd, FS_IOC_FIEMAP, map))
			break;
		for (i = 0; i < map->fm_mapped_extents; i++) {
			start = e[i].fe_logical + e[i].fe_length;
			if (e[i].fe_flags & FIEMAP_EXTENT_SHARED)
				sum += e[i].fe_length;
		}
	} while (map->fm_mapped_extents == FIEMAP_EXTENTS &&
		 !(e[FIEMAP_EXTENTS - 1].fe_flags & FIEMAP_EXTENT_LAST));
	free(map);
	return sum;
}

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
	room->holes += shared_bytes(fd);
	room->group = fs.f_frsize;
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
	/* dm-thin writes zeros as data. */
	room->zeros = true;
	path = devno_node(dev);
	room->where = xasprintf("the pool of %s", path ? path : "the top");
	free(path);
}

void space_room_free(struct space_room *room)
{
	free(room->where);
	memset(room, 0, sizeof(*room));
}
