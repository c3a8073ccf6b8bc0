// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks file systems how they write.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "fs.h"
#include "util.h"

#define FIEMAP_EXTENTS 512U

uint64_t fs_shared_bytes(int fd)
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

int fs_ask(int fd, struct fs_facts *facts)
{
	struct statx stx;
	struct statfs fs;
	int flags;

	memset(facts, 0, sizeof(*facts));
	if (fstatfs(fd, &fs) ||
	    statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_DIOALIGN, &stx))
		return -1;
	facts->type = fs.f_type;
	facts->nocow = !ioctl(fd, FS_IOC_GETFLAGS, &flags) && flags & FS_NOCOW_FL;
	facts->told = stx.stx_mask & STATX_DIOALIGN;
	facts->align = facts->told ? stx.stx_dio_offset_align : 0;
	facts->holes = stx.stx_blocks * SECTOR_SIZE < stx.stx_size;
	facts->shares = fs_shared_bytes(fd);
	return 0;
}

/*
 * Why writes can take the page cache. The loop driver tests only whether the file system knows
 * direct I/O at all. NULL if they cannot.
 */
static char *why_cached(const struct fs_facts *facts, bool loop_direct)
{
	/* It accepts O_DIRECT, but has nothing below the page cache. */
	if (facts->type == TMPFS_MAGIC)
		return xstrdup("tmpfs is a page cache");
	/* It tells nothing. Files without checksums, as these are, are written directly. */
	if (facts->type == BTRFS_SUPER_MAGIC && facts->nocow && loop_direct)
		return NULL;
	if (facts->told && facts->align > SECTOR_SIZE)
		return xasprintf("its file system does direct I/O in blocks of %u bytes, but the loop device has sectors of %d",
				 facts->align, SECTOR_SIZE);
	if (facts->told && !facts->align)
		return xstrdup("its file system has no direct I/O for it");
	if (!loop_direct)
		return xstrdup("its file system does no direct I/O for loop devices");
	if (!facts->told)
		return xstrdup("its file system does not tell whether it writes directly");
	return NULL;
}

char *fs_doubt(const struct fs_facts *facts, bool loop_direct)
{
	char *why, *text;

	/* Each write takes new space, even where the file has some, so --reserve alone is no help. */
	if (facts->type == BTRFS_SUPER_MAGIC && !facts->nocow)
		return xstrdup("btrfs writes it to a new place each time, through the page cache: make it anew with --reserve, which turns that off (chattr +C), or keep space free");
	/*
	 * The file system tells how it writes files that share nothing. XFS writes shared blocks to a new place, and
	 * parts of them through the page cache.
	 */
	if (facts->shares && facts->type != BTRFS_SUPER_MAGIC)
		return xstrdup("it shares blocks with another file (cp --reflink), so that writes need space, in parts through the page cache: make it anew with --reserve, copy it with 'cp --reflink=never', or keep space free");
	/* Writes to space that is there need no more. */
	if (!facts->holes)
		return NULL;
	why = why_cached(facts, loop_direct);
	if (!why)
		return NULL;
	text = xasprintf("%s: make it with --reserve, or keep space free", why);
	free(why);
	return text;
}

int fs_write_in_place(int fd)
{
	const int compress = FS_COMPR_FL | FS_NOCOMP_FL;
	struct statfs fs;
	int flags;

	if (fstatfs(fd, &fs))
		return -1;
	if (fs.f_type != BTRFS_SUPER_MAGIC)
		return 0;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -1;
	/* What a directory passes on for compression excludes the other flag, also in one step. */
	if (flags & compress) {
		flags &= ~compress;
		if (ioctl(fd, FS_IOC_SETFLAGS, &flags))
			return -1;
	}
	flags |= FS_NOCOW_FL;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) || ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -1;
	/* A file that has contents keeps its way, without an error. */
	if (flags & FS_NOCOW_FL)
		return 0;
	errno = EINVAL;
	return -1;
}
