// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "loop.h"
#include "util.h"

#define LOOP_CONTROL "/dev/loop-control"
/* A free number is not reserved: others can take it between the two ioctls. */
#define MAX_RACES 64

/* Reads a sysfs file of the block device without the newline. Caller frees; NULL if it is not there. */
static char *sysfs_read(dev_t dev, const char *attribute)
{
	char *path = xasprintf("/sys/dev/block/%u:%u/%s", major(dev), minor(dev), attribute);
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	FILE *f;

	f = fopen(path, "re");
	free(path);
	if (!f)
		return NULL;
	len = getline(&line, &room, f);
	fclose(f);
	if (len <= 0) {
		free(line);
		return NULL;
	}
	if (line[len - 1] == '\n')
		line[len - 1] = '\0';
	return line;
}

char *loop_backing_file(dev_t dev)
{
	static const char deleted[] = " (deleted)";
	char *path = sysfs_read(dev, "loop/backing_file");
	size_t len = path ? strlen(path) : 0;

	if (len > strlen(deleted) && !strcmp(path + len - strlen(deleted), deleted) &&
	    access(path, F_OK)) {
		free(path);
		return NULL;
	}
	return path;
}

/* Opens /dev/loopN and asks what it shows. Returns the descriptor or -1 if it shows nothing. */
static int open_status(const char *name, struct loop_info64 *info)
{
	char *path = xasprintf("/dev/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	free(path);
	if (fd < 0)
		return -1;
	/* Asked only now: while this descriptor is open, autoclear cannot take the device away. */
	if (ioctl(fd, LOOP_GET_STATUS64, info)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool shows_file(const struct loop_info64 *info, const struct stat *st)
{
	return info->lo_device == st->st_dev && info->lo_inode == st->st_ino;
}

static bool shows_whole_file(const struct loop_info64 *info)
{
	return !info->lo_offset && !info->lo_sizelimit;
}

/*
 * Looks for a loop device of the file. Returns its descriptor, -1 for none, or -2 (said why) if the
 * file must not be used: two loop devices with a writer among them would be invisible to the target's
 * own registry, which knows block devices only.
 */
static int find_attached(const struct stat *st, const char *path, bool writable, dev_t *dev)
{
	DIR *dir = opendir("/sys/block");
	struct loop_info64 info;
	struct dirent *entry;
	struct stat loop_st;
	int found = -1;
	int fd;

	while (found == -1 && dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "loop", 4))
			continue;
		fd = open_status(entry->d_name, &info);
		if (fd < 0)
			continue;
		if (!shows_file(&info, st)) {
			close(fd);
			continue;
		}
		if (writable || (!(info.lo_flags & LO_FLAGS_READ_ONLY) && !shows_whole_file(&info))) {
			cc_error("%s: already attached as /dev/%s: detach the chain that uses it ('cowchain list'), or 'losetup -d /dev/%s'",
				 path, entry->d_name, entry->d_name);
			close(fd);
			found = -2;
		} else if (shows_whole_file(&info) && !fstat(fd, &loop_st)) {
			*dev = loop_st.st_rdev;
			cc_debug("%s: sharing /dev/%s", path, entry->d_name);
			found = fd;
		} else {
			close(fd);
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Returns a descriptor of the configured device, or -errno; -EBUSY if someone was faster. */
static int configure(int number, int file, const char *path, bool writable)
{
	struct loop_config config = {
		.fd = (__u32)file,
		.block_size = SECTOR_SIZE,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO |
				 (writable ? 0 : LO_FLAGS_READ_ONLY),
	};
	char *dev = xasprintf("/dev/loop%d", number);
	int fd, ret;

	/* Only what 'losetup' shows as a name where sysfs is missing; a cut name does no harm. */
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", path);
	fd = open(dev, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	ret = fd < 0 ? -errno : 0;
	if (!ret && ioctl(fd, LOOP_CONFIGURE, &config)) {
		ret = -errno;
		close(fd);
	}
	if (ret && ret != -EBUSY)
		cc_error("%s: cannot attach %s: %s", path, dev, strerror(-ret));
	free(dev);
	return ret ? ret : fd;
}

static int attach_free(int control, int file, const char *path, bool writable)
{
	int number, fd, i;

	for (i = 0; i < MAX_RACES; i++) {
		number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0) {
			cc_error("%s: no free loop device: %s", path, strerror(errno));
			return -1;
		}
		fd = configure(number, file, path, writable);
		if (fd != -EBUSY)
			return fd < 0 ? -1 : fd;
	}
	cc_error("%s: no free loop device: others take each one first", path);
	return -1;
}

int loop_attach(int file, const char *path, bool writable, dev_t *dev)
{
	struct stat st;
	int control, fd;

	if (fstat(file, &st)) {
		cc_error("%s: %s", path, strerror(errno));
		return -1;
	}
	fd = find_attached(&st, path, writable, dev);
	if (fd != -1)
		return fd < 0 ? -1 : fd;

	control = open(LOOP_CONTROL, O_RDWR | O_CLOEXEC);
	if (control < 0) {
		cc_error(LOOP_CONTROL ": %s: needed for %s; try 'modprobe loop', as root",
			 strerror(errno), path);
		return -1;
	}
	fd = attach_free(control, file, path, writable);
	close(control);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st)) {
		cc_error("%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	*dev = st.st_rdev;
	return fd;
}
