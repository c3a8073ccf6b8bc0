// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens a disk, locks it, and finds out its sizes and limits.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blk-limits.h"
#include "blk.h"
#include "lock.h"
#include "util.h"

/* Upper limit for one request: even if the device accepts more, it might take very long. */
#define MAX_RANGE_BYTES		(1ULL << 30)

/*
 * A number from the queue directory in sysfs, which for partitions is one level up. 0 if there is
 * none.
 */
static uint64_t queue_limit(dev_t dev, const char *name)
{
	static const char *const dirs[] = { "queue", "../queue" };
	unsigned long long val = 0;
	char path[128];

	for (unsigned int i = 0; i < ARRAY_SIZE(dirs); i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(dev), minor(dev),
			 dirs[i], name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%llu", &val) != 1)
			val = 0;
		fclose(f);
		break;
	}
	return val;
}

static int blockdev_limits(struct blk_device *dev, dev_t rdev, bool direct)
{
	struct blk_limits *lim = &dev->lim;
	unsigned int physical = 0, min_io = 0, opt_io = 0;
	int block = 0, align = 0, ro = 0;

	if (ioctl(dev->fd, BLKGETSIZE64, &lim->capacity) || ioctl(dev->fd, BLKSSZGET, &block))
		return -errno;
	lim->block_size = block;
	lim->memory_align = direct ? block : 1;
	if (!ioctl(dev->fd, BLKPBSZGET, &physical))
		lim->physical_block_size = physical;
	if (!ioctl(dev->fd, BLKALIGNOFF, &align) && align > 0)
		lim->alignment_offset = align;
	if (!ioctl(dev->fd, BLKIOMIN, &min_io))
		lim->min_io = min_io;
	if (!ioctl(dev->fd, BLKIOOPT, &opt_io))
		lim->opt_io = opt_io;
	if (!ioctl(dev->fd, BLKROGET, &ro) && ro)
		lim->readonly = true;
	/*
	 * Offer neither without support by the device: the guest can write zeros itself, which does
	 * not occupy a thread here.
	 */
	lim->max_discard = queue_limit(rdev, "discard_max_bytes");
	lim->discard_granularity = queue_limit(rdev, "discard_granularity");
	lim->max_write_zeroes = queue_limit(rdev, "write_zeroes_max_bytes");
	return 0;
}

/* Does O_DIRECT work for a single sector? Not on storage with blocks of 4 KiB. */
static bool direct_sectors(int fd)
{
	_Alignas(PAGE_BYTES) uint8_t buf[2 * SECTOR_BYTES];

	return pread(fd, buf + SECTOR_BYTES, SECTOR_BYTES, SECTOR_BYTES) >= 0;
}

/*
 * Disk images have sectors of 512 bytes, in which their partition tables count. If O_DIRECT cannot
 * do that, do without it: with another block size, existing images would be unreadable.
 */
static int file_limits(struct blk_device *dev, const struct stat *st, bool direct)
{
	struct blk_limits *lim = &dev->lim;

	if (direct && !direct_sectors(dev->fd)) {
		if (fcntl(dev->fd, F_SETFL, fcntl(dev->fd, F_GETFL) & ~O_DIRECT))
			return -errno;
		direct = false;
	}
	lim->capacity = st->st_size;
	lim->block_size = SECTOR_BYTES;
	lim->memory_align = direct ? lim->block_size : 1;
	lim->physical_block_size = st->st_blksize;
	lim->min_io = st->st_blksize;
	/* A hole beyond the end changes nothing, but shows whether holes are supported. */
	if (!lim->readonly && !fallocate(dev->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					 ALIGN_UP(st->st_size, PAGE_BYTES), PAGE_BYTES)) {
		lim->max_discard = MAX_RANGE_BYTES;
		lim->max_write_zeroes = MAX_RANGE_BYTES;
		lim->discard_granularity = st->st_blksize;
	}
	return 0;
}

/* Make the limits consistent, whatever the device reported. */
static int check_limits(struct blk_limits *lim, const char *path)
{
	if (!is_power_of_two(lim->block_size) || lim->block_size < SECTOR_BYTES)
		return say_errno(EINVAL, "%s has blocks of %u bytes", path, lim->block_size);
	if (lim->capacity % lim->block_size) {
		say("%s: the last %lu bytes do not fill a block and are hidden from the guest", path,
		    (unsigned long)(lim->capacity % lim->block_size));
		lim->capacity = ALIGN_DOWN(lim->capacity, (uint64_t)lim->block_size);
	}
	if (!lim->capacity)
		return say_errno(EINVAL, "%s is empty", path);
	if (!is_power_of_two(lim->physical_block_size) ||
	    lim->physical_block_size < lim->block_size)
		lim->physical_block_size = lim->block_size;
	if (lim->discard_granularity < lim->block_size)
		lim->discard_granularity = lim->block_size;
	lim->max_discard = ALIGN_DOWN(min_u64(lim->max_discard, MAX_RANGE_BYTES),
				      (uint64_t)lim->block_size);
	lim->max_write_zeroes = ALIGN_DOWN(min_u64(lim->max_write_zeroes, MAX_RANGE_BYTES),
					   (uint64_t)lim->block_size);
	if (lim->readonly)
		lim->max_discard = lim->max_write_zeroes = 0;
	return 0;
}

#define QEMU_BYTE_WRITES	101

/*
 * image_lock() is made for layers, which may become read-only while they are open, so it does not
 * announce writing. Our disks are written as long as they are open. Announce that before checking
 * for others: a reader that comes after the check would not notice.
 */
static int lock_file(int fd, const char *path, bool readonly)
{
	struct flock l = { .l_type = F_RDLCK, .l_start = QEMU_BYTE_WRITES, .l_len = 1 };
	const char *why;

	/* This fails if the file system has no locks: then there are none to check, either. */
	if (!readonly)
		fcntl(fd, F_OFD_SETLK, &l);
	if (image_lock(fd, !readonly, &why) != -EBUSY)
		return 0;
	say("%s: %s", path, why);
	return -EBUSY;
}

static int open_direct(const char *path, int flags, bool *direct)
{
	int fd = open(path, flags | O_DIRECT);

	*direct = fd >= 0 || errno != EINVAL;
	/* No O_DIRECT, as on tmpfs: use the page cache. */
	if (!*direct)
		fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

/*
 * Block devices are opened exclusively, so that a guest cannot write to a device that is mounted
 * here. For readers there is no O_EXCL, which would admit only one of them. For files see
 * lock_file().
 *
 * The name is resolved once: between two times, the owner of its directory could put a device in
 * the place of a file, which would then be opened without O_EXCL.
 */
static int open_disk(const char *path, bool readonly, bool *direct)
{
	int flags = O_CLOEXEC | (readonly ? O_RDONLY : O_RDWR);
	char self[32];
	struct stat st;
	int handle, fd;

	handle = open(path, O_PATH | O_CLOEXEC);
	if (handle < 0)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", handle);
	if (fstat(handle, &st))
		fd = -errno;
	else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		fd = -ENOTBLK;
	else
		fd = open_direct(self, S_ISBLK(st.st_mode) && !readonly ? flags | O_EXCL : flags,
				 direct);
	close(handle);
	return fd;
}

int blk_read_size(const struct blk_device *dev, uint64_t *bytes)
{
	/* The same for files and devices, and a system call that the sandbox allows anyway. */
	off_t size = lseek(dev->fd, 0, SEEK_END);

	if (size < 0)
		return -errno;
	*bytes = size;
	return 0;
}

int blk_open(struct blk_device *dev, const char *path, bool readonly, const char *serial)
{
	struct stat st;
	bool direct = true;
	int err;

	memset(dev, 0, sizeof(*dev));
	dev->lim.readonly = readonly;
	if (serial)
		memcpy(dev->lim.id, serial, strnlen(serial, BLK_ID_BYTES));
	dev->fd = open_disk(path, readonly, &direct);
	if (dev->fd < 0)
		return say_errno(-dev->fd, "cannot open disk %s", path);
	err = fstat(dev->fd, &st) ? -errno : 0;
	dev->is_blockdev = S_ISBLK(st.st_mode);
	if (!err && !dev->is_blockdev && lock_file(dev->fd, path, readonly)) {
		close(dev->fd);		/* a message was printed */
		return -EBUSY;
	}
	if (!err)
		err = dev->is_blockdev ? blockdev_limits(dev, st.st_rdev, direct)
				       : file_limits(dev, &st, direct);
	if (err)
		err = say_errno(-err, "cannot use disk %s", path);
	else
		err = check_limits(&dev->lim, path);
	if (err)
		close(dev->fd);
	return err;
}
