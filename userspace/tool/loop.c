// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds and makes loop devices.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "file.h"
#include "fs.h"
#include "loop-index.h"
#include "loop-own.h"
#include "loop-shows.h"
#include "loop-sysfs.h"
#include "loop.h"
#include "mounts.h"
#include "plan.h"
#include "util.h"

#define LOOP_CONTROL "/dev/loop-control"
/* A free number is not reserved: another program can take it between the two ioctls. */
#define MAX_RACES 64
/* Wait for a loop device that is about to vanish, or that udev holds open for a moment. */
#define MAX_LOOKS 20
#define LOOK_AGAIN_US 50000

/* Open /dev/loopN and get its status. Returns a descriptor, or -1 if it has no file. */
static int open_status(const char *name, struct loop_info64 *info)
{
	char *path = xasprintf("/dev/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	free(path);
	if (fd < 0)
		return -1;
	/* Only now: while the descriptor is open, autoclear cannot detach the device. */
	if (ioctl(fd, LOOP_GET_STATUS64, info)) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Can the device show the file, to judge by the name in sysfs? An open device does not vanish when
 * its user closes it, so devices of other files are not opened. Nor are files of others looked at that
 * are where nobody may answer: neither by name nor through LOOP_GET_STATUS64, which asks their file
 * system, too.
 */
static bool may_show_file(const char *name, const struct stat *st)
{
	char *path = loop_sysfs_file(name);
	bool may = false;
	struct stat own;

	/* The name may belong to another mount namespace. */
	if (path && !mounts_may_hang(path, st->st_dev))
		may = stat(path, &own) || (own.st_dev == st->st_dev && own.st_ino == st->st_ino);
	free(path);
	return may;
}

/*
 * The same question as below, of a device without a node, to judge by sysfs alone: would a user of
 * the file be in its way?
 */
static bool excludes(const char *name, const struct stat *st, bool writable)
{
	char *ro_attribute = xasprintf("/sys/block/%s/ro", name);
	char *path = loop_sysfs_file(name), *ro = sysfs_read(ro_attribute);
	struct stat own;
	bool same = path && !mounts_may_hang(path, st->st_dev) && !stat(path, &own) && own.st_dev == st->st_dev &&
		    own.st_ino == st->st_ino;

	same = same && (writable || (ro && !strcmp(ro, "0")));
	free(ro);
	free(path);
	free(ro_attribute);
	return same;
}

/* A device that excludes ours: its name, and why it is not shared. */
struct conflict {
	char name[NAME_MAX + 1];	/* "": there is none */
	char *why;			/* NULL: it shows what ours would */
};

static void set_conflict(struct conflict *conflict, const char *name, char *why)
{
	snprintf(conflict->name, sizeof(conflict->name), "%s", name);
	free(conflict->why);
	conflict->why = why;
}

/*
 * Why a loop device of the file cannot take the place of one that is made now; NULL if it can. The driver
 * looks at the size of a file only once, so what was added since is not on the device. Caller frees.
 */
static char *why_not_shared(const char *name, int fd, const struct loop_info64 *info, const struct stat *st)
{
	char *why = loop_shows_other(fd, info, st);

	/* The kernel gives a device to one file system or to device-mapper. */
	if (!why && mounts_have_device(name))
		why = xstrdup("which is mounted");
	return why;
}

/*
 * The device that is open as fd has the file. Returns fd if it is shared; else it is closed, and is a
 * conflict if one of the two writes: the target knows block devices only, so it would not see that two
 * loop devices have the same file. One that is not written is no obstacle: those who use it go on
 * with what it shows.
 */
static int share(const char *name, int fd, const struct loop_info64 *info, const struct stat *st,
		 bool writable, struct conflict *conflict)
{
	char *why = why_not_shared(name, fd, info, st);

	if (!writable && !why)
		return fd;
	if (writable || !(info->lo_flags & LO_FLAGS_READ_ONLY))
		set_conflict(conflict, name, why);
	else
		free(why);
	close(fd);
	return -1;
}

/* Look at that one. Returns its descriptor, or -1: it is another file's, or a conflict. */
static int look_at_one(const char *name, const struct stat *st, bool writable, dev_t *dev, struct conflict *conflict)
{
	struct loop_info64 info;
	struct stat loop_st;
	int fd, found = -1;

	if (loop_own_other(name, st) || !may_show_file(name, st))
		return -1;
	fd = open_status(name, &info);
	if (fd < 0) {
		if (errno == ENOENT && excludes(name, st, writable))
			set_conflict(conflict, name, NULL);
		return -1;
	}
	if (!loop_shows_inode(&info, st) || fstat(fd, &loop_st))
		close(fd);
	else
		found = share(name, fd, &info, st, writable, conflict);
	if (found >= 0) {
		*dev = loop_st.st_rdev;
		loop_own_add(name, found, *dev, st);
	}
	return found;
}

/* Among those that there are now. */
static int find_in_all(const struct stat *st, bool writable, const char *beside, dev_t *dev, struct conflict *conflict)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *entry;
	int found = -1;

	while (found < 0 && !conflict->name[0] && dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "loop", 4) && (!beside || strcmp(entry->d_name, beside)))
			found = look_at_one(entry->d_name, st, writable, dev, conflict);
	if (dir)
		closedir(dir);
	return found;
}

static int find_in_index(const struct stat *st, dev_t *dev, struct conflict *conflict)
{
	const char *name;
	int found = -1;
	size_t at = 0;

	while (found < 0 && !conflict->name[0] && (name = loop_index_next(st, &at)))
		found = look_at_one(name, st, false, dev, conflict);
	return found;
}

/*
 * Look for a loop device of the file. beside: the kernel's name of one that is not looked at, or NULL. Returns its
 * descriptor, or -1 for none.
 */
static int find_attached(const struct stat *st, bool writable, const char *beside, dev_t *dev,
			 struct conflict *conflict)
{
	set_conflict(conflict, "", NULL);
	return !writable && loop_index_active() ? find_in_index(st, dev, conflict) :
						  find_in_all(st, writable, beside, dev, conflict);
}

/*
 * The same, with retries. Returns a descriptor, -1 for none, or -2 after a message about a
 * conflict.
 */
static int find_or_refuse(const struct stat *st, const char *path, bool writable, const char *beside, dev_t *dev)
{
	struct conflict conflict = { 0 };
	int fd, i;

	for (i = 0; i < MAX_LOOKS; i++) {
		fd = find_attached(st, writable, beside, dev, &conflict);
		if (!conflict.name[0])
			return fd;
		usleep(LOOK_AGAIN_US);
	}
	cc_error("%s: already attached as /dev/%s%s%s: detach the chain that uses it ('cowchain list'), or 'losetup -d /dev/%s'",
		 path, conflict.name, conflict.why ? ", " : "", conflict.why ? conflict.why : "", conflict.name);
	free(conflict.why);
	return -2;
}

/*
 * Before Linux 6.6 the driver trusts overlayfs, which claims direct I/O for its upper layer; if
 * that cannot do it (tmpfs, as in live systems), every request fails. open() checks both.
 */
static bool refuses_direct_io(int file)
{
	int fd = file_reopen(file, O_RDONLY | O_DIRECT | O_NONBLOCK);
	bool refuses = fd < 0 && errno == EINVAL;

	if (fd >= 0)
		close(fd);
	return refuses;
}

bool loop_new_file_is_direct(const char *path)
{
	char *end = strrchr(path, '/');
	char *dir = xasprintf("%.*s/", end ? (int)(end - path) : 1, end ? path : ".");
	/* Without a name: nobody sees it, and it is gone when it is closed. */
	int fd = open(dir, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	bool refuses = fd < 0 && errno == EINVAL;

	if (fd >= 0)
		close(fd);
	free(dir);
	return !refuses;
}

/* In a container, nothing makes the nodes of new devices. */
static void say_no_node(int number, const char *dev, const char *path)
{
	char *attribute = xasprintf("/sys/block/loop%d/dev", number);
	char *numbers = sysfs_read(attribute);
	char *colon = numbers ? strchr(numbers, ':') : NULL;

	if (colon)
		*colon = ' ';
	if (colon)
		cc_error("%s: there is no node %s, although the kernel has this loop device (in a container?): make it by 'mknod %s b %s'",
			 path, dev, dev, numbers);
	else
		cc_error("%s: there is no node %s: is this a container without loop devices of its own?",
			 path, dev);
	free(numbers);
	free(attribute);
}

/*
 * Keep udev away from the device until it is a layer: its rules (userspace/udev) recognize that by the mapped
 * device that holds it, and would look into what it shows before. udev handles the events of a locked device when it
 * has been closed. It holds such locks itself for a moment; one that stays is not worth a failure.
 */
static void lock_out_udev(int fd)
{
	struct loop_info64 info;
	int i;

	for (i = 0; i < MAX_LOOKS && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK; i++) {
		/* Another program has taken the device. */
		if (!ioctl(fd, LOOP_GET_STATUS64, &info))
			return;
		usleep(LOOK_AGAIN_US);
	}
}

/*
 * Returns a descriptor of the configured device, or -errno; -EBUSY if another program took it
 * first.
 */
static int configure(int number, int file, const char *path, bool writable)
{
	struct loop_config config = {
		.fd = (__u32)file,
		.block_size = SECTOR_SIZE,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | (writable ? 0 : LO_FLAGS_READ_ONLY) |
				 (refuses_direct_io(file) ? 0 : LO_FLAGS_DIRECT_IO),
	};
	char *dev = xasprintf("/dev/loop%d", number);
	int fd, ret;

	/* Only for 'losetup' where sysfs is missing: a truncated name does no harm. */
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", path);
	fd = open(dev, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	ret = fd < 0 ? -errno : 0;
	if (ret == -ENOENT) {
		say_no_node(number, dev, path);
		free(dev);
		return ret;
	}
	if (!ret)
		lock_out_udev(fd);
	if (!ret && ioctl(fd, LOOP_CONFIGURE, &config)) {
		ret = -errno;
		close(fd);
	}
	if (ret && ret != -EBUSY)
		cc_error("%s: cannot attach %s: %s", path, dev, strerror(-ret));
	free(dev);
	return ret ? ret : fd;
}

/*
 * The driver reports success for a write of which only a first part found space, as file systems
 * return it if they write through the page cache.
 */
static void note_lost_writes(dev_t dev, int file, const char *path)
{
	/* An image and its data file need not both be named, if they are on one file system. */
	static char *said;
	static dev_t said_of;
	char *attribute = xasprintf("/sys/dev/block/%u:%u/loop/dio", major(dev), minor(dev));
	char *dio = sysfs_read(attribute);
	struct fs_facts facts;
	char *doubt = NULL;
	struct stat st;

	if (!fstat(file, &st) && !fs_ask(file, &facts))
		doubt = fs_doubt(&facts, !dio || strcmp(dio, "0"));
	if (doubt && (!said || st.st_dev != said_of || strcmp(said, doubt))) {
		cc_note("%s: if its file system runs full, data may be lost without an error: %s",
			path, doubt);
		free(said);
		said = xstrdup(doubt);
		said_of = st.st_dev;
	}
	free(doubt);
	free(dio);
	free(attribute);
}

/* *taken gets the number of the device. */
static int attach_free(int control, int file, const char *path, bool writable, int *taken)
{
	int number, fd, i;

	for (i = 0; i < MAX_RACES; i++) {
		number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0) {
			cc_error("%s: no free loop device: %s", path, strerror(errno));
			return -1;
		}
		fd = configure(number, file, path, writable);
		*taken = number;
		if (fd != -EBUSY)
			return fd < 0 ? -1 : fd;
	}
	cc_error("%s: no free loop device: other programs took each one first", path);
	return -1;
}

static void remember(int number, int fd, dev_t dev, const struct stat *file)
{
	char *name = xasprintf("loop%d", number);

	loop_own_add(name, fd, dev, file);
	free(name);
}

/* Returns a descriptor of the file in place of one of the device. */
static int plan_attach(int file, const char *path, bool writable, dev_t *dev)
{
	char *real = file_path(file);

	*dev = plan_loop(real ? real : path, writable, !refuses_direct_io(file));
	free(real);
	return fcntl(file, F_DUPFD_CLOEXEC, 0);
}

static int attach(int file, const char *path, bool writable, const char *beside, dev_t *dev)
{
	struct stat st, loop;
	int control, fd, number;

	if (fstat(file, &st)) {
		cc_error("%s: %s", path, strerror(errno));
		return -1;
	}
	fd = find_or_refuse(&st, path, writable, beside, dev);
	if (fd != -1)
		return fd < 0 ? -1 : fd;
	if (plan_wanted())
		return plan_attach(file, path, writable, dev);

	control = open(LOOP_CONTROL, O_RDWR | O_CLOEXEC);
	if (control < 0) {
		cc_error(LOOP_CONTROL ": %s: needed for %s; try 'modprobe loop', as root",
			 strerror(errno), path);
		return -1;
	}
	fd = attach_free(control, file, path, writable, &number);
	close(control);
	if (fd < 0)
		return -1;
	if (fstat(fd, &loop)) {
		cc_error("%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	*dev = loop.st_rdev;
	remember(number, fd, *dev, &st);
	if (writable)
		note_lost_writes(*dev, file, path);
	return fd;
}

int loop_attach(int file, const char *path, bool writable, dev_t *dev)
{
	return attach(file, path, writable, NULL, dev);
}

/* The kernel's name, such as "loop3"; NULL if there is no such device. Caller frees. */
static char *kernel_name(dev_t dev)
{
	char *link = xasprintf("/sys/dev/block/%u:%u", major(dev), minor(dev));
	char *real = realpath(link, NULL);
	char *name = real ? xstrdup(strrchr(real, '/') + 1) : NULL;

	free(link);
	free(real);
	return name;
}

int loop_attach_beside(int file, const char *path, dev_t other, dev_t *dev)
{
	char *beside = kernel_name(other);
	int fd = attach(file, path, true, beside, dev);

	free(beside);
	return fd;
}

bool loop_is_writable(dev_t dev)
{
	char *attribute = xasprintf("/sys/dev/block/%u:%u/ro", major(dev), minor(dev));
	char *ro = sysfs_read(attribute);
	bool writable = ro && !strcmp(ro, "0");

	free(ro);
	free(attribute);
	return writable;
}

bool loop_is(dev_t dev)
{
	char *name = kernel_name(dev);
	bool is = name && !strncmp(name, "loop", 4);

	free(name);
	return is;
}

int loop_take_size(dev_t dev)
{
	char *name = kernel_name(dev);
	struct loop_info64 info;
	int fd = name ? open_status(name, &info) : -1;
	int ret = fd < 0 ? -1 : ioctl(fd, LOOP_SET_CAPACITY);

	if (fd >= 0)
		close(fd);
	free(name);
	return ret;
}

/* The name of the file, if it leads there; whole: only if the device shows all that it has now. Caller frees. */
static char *find_file(dev_t dev, bool whole)
{
	char *attribute = xasprintf("/sys/dev/block/%u:%u/loop/backing_file", major(dev),
				    minor(dev));
	char *path = sysfs_read(attribute);
	char *name = path ? kernel_name(dev) : NULL;
	int fd = -1;
	struct loop_info64 info;
	struct stat st;
	bool good;

	free(attribute);
	if (name)
		fd = open_status(name, &info);
	good = fd >= 0 && !info.lo_offset && !stat(path, &st) && loop_shows_inode(&info, &st) &&
	       (whole ? loop_shows_all(fd, &info, &st) : !info.lo_sizelimit);
	if (fd >= 0)
		close(fd);
	free(name);
	if (good)
		return path;
	free(path);
	return NULL;
}

char *loop_file(dev_t dev)
{
	return find_file(dev, true);
}

char *loop_shown_file(dev_t dev)
{
	char *attribute = xasprintf("/sys/dev/block/%u:%u/loop/backing_file", major(dev),
				    minor(dev));
	char *path = sysfs_read(attribute);

	free(attribute);
	if (path && mounts_may_hang(path, 0))
		return path;
	free(path);
	return find_file(dev, false);
}

int loop_check_unused(const struct stat *st, const char *path)
{
	dev_t dev;

	/* As for a writer: no device is shared. */
	return find_or_refuse(st, path, true, NULL, &dev) == -2 ? -1 : 0;
}

bool loop_shows_file(dev_t dev, const struct stat *st)
{
	char *name = kernel_name(dev);
	struct loop_info64 info;
	bool shows = false;
	int fd = -1;

	if (name && !strncmp(name, "loop", 4))
		fd = open_status(name, &info);
	if (fd >= 0) {
		shows = loop_shows_inode(&info, st);
		close(fd);
	}
	free(name);
	return shows;
}

/* Does the attribute name a node of the block device? */
static bool shows_device(const char *name, dev_t dev)
{
	char *path = loop_sysfs_file(name);
	struct stat st;
	bool shows = path && !strncmp(path, "/dev/", 5) && !stat(path, &st) &&
		     S_ISBLK(st.st_mode) && st.st_rdev == dev;

	free(path);
	return shows;
}

char *loop_of_device(dev_t dev)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *entry;
	char *found = NULL;

	while (!found && dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "loop", 4) && shows_device(entry->d_name, dev))
			found = xasprintf("/dev/%s", entry->d_name);
	if (dir)
		closedir(dir);
	return found;
}

int loop_open_file(dev_t dev, char **path)
{
	char *name = kernel_name(dev);
	struct loop_info64 info;
	struct stat st;
	int loop = -1, found = -1, fd = -1;

	*path = name ? loop_file(dev) : NULL;
	if (*path)
		loop = open_status(name, &info);
	if (loop >= 0)
		found = file_find(AT_FDCWD, *path, &st);
	/* The name may lead to another file by now, or to what is none. */
	if (found >= 0 && loop_shows_inode(&info, &st) && loop_shows_all(loop, &info, &st))
		fd = file_reopen(found, O_RDONLY | O_NONBLOCK);
	if (found >= 0)
		close(found);
	if (loop >= 0)
		close(loop);
	free(name);
	if (fd < 0) {
		free(*path);
		*path = NULL;
	}
	return fd;
}
