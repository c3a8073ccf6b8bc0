// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compares loop devices with their files.
 */
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "loop-shows.h"
#include "util.h"

bool loop_shows_inode(const struct loop_info64 *info, const struct stat *st)
{
	return info->lo_device == st->st_dev && info->lo_inode == st->st_ino;
}

/* Bytes; 0 if the device does not tell. */
static uint64_t size_of(int fd)
{
	uint64_t size;

	return ioctl(fd, BLKGETSIZE64, &size) ? 0 : size;
}

static uint64_t whole_sectors(const struct stat *st)
{
	return (uint64_t)st->st_size / SECTOR_SIZE * SECTOR_SIZE;
}

bool loop_shows_all(int fd, const struct loop_info64 *info, const struct stat *st)
{
	/* With a limit that the file has reached, it still shows all. */
	return !info->lo_offset && size_of(fd) == whole_sectors(st);
}

char *loop_shows_other(int fd, const struct loop_info64 *info, const struct stat *st)
{
	int sector;

	if (!loop_shows_all(fd, info, st))
		return xasprintf("which shows %" PRIu64 " bytes from byte %" PRIu64 " on of the file, which has %" PRIu64,
				 size_of(fd), (uint64_t)info->lo_offset, (uint64_t)st->st_size);
	/* The sectors of the whole chain would become as large, and partition tables count in them. */
	if (ioctl(fd, BLKSSZGET, &sector) || sector != SECTOR_SIZE)
		return xasprintf("which has sectors of %d bytes", sector);
	return NULL;
}
