// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loop devices for layers: many in one process, where losetup would start one for each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <linux/loop.h>

#include "common.h"
#include "loops.h"

/* Without udev in the machine the node has to be made here. */
static int open_loop(int nr, int flags, char *path)
{
	int fd;

	snprintf(path, 32, "/dev/loop%d", nr);
	fd = open(path, flags);
	if (fd < 0 && errno == ENOENT && !mknod(path, S_IFBLK | 0600, makedev(7, nr)))
		fd = open(path, flags);
	return fd;
}

static int configure(int fd, int file, const char *name, const struct loop_opts *opts)
{
	struct loop_config config = { .fd = file };

	snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s", name);
	if (opts->readonly)
		config.info.lo_flags |= LO_FLAGS_READ_ONLY;
	if (opts->autoclear)
		config.info.lo_flags |= LO_FLAGS_AUTOCLEAR;
	if (opts->direct)
		config.info.lo_flags |= LO_FLAGS_DIRECT_IO;
	return ioctl(fd, LOOP_CONFIGURE, &config) ? errno : 0;
}

int loop_attach(const char *file, const struct loop_opts *opts, char *path)
{
	int flags = opts->readonly ? O_RDONLY : O_RDWR;
	int ctl = open("/dev/loop-control", O_RDWR);
	int src = open(file, flags);
	int err = 0;
	int nr;
	int fd;

	if (ctl < 0)
		die("/dev/loop-control: %s", strerror(errno));
	if (src < 0)
		die("%s: %s", file, strerror(errno));
	do {
		/* another process may take the number between the two calls */
		nr = ioctl(ctl, LOOP_CTL_GET_FREE);
		if (nr < 0)
			die("no free loop device: %s", strerror(errno));
		fd = open_loop(nr, flags, path);
		if (fd < 0)
			die("%s: %s", path, strerror(errno));
		err = configure(fd, src, file, opts);
		if (err)
			close(fd);
	} while (err == EBUSY);
	if (err)
		die("%s on %s: %s", file, path, strerror(err));
	close(src);
	close(ctl);
	return fd;
}

int loop_detach(const char *path)
{
	int fd = open(path, O_RDONLY);
	int err = 0;

	if (fd < 0)
		return errno;
	if (ioctl(fd, LOOP_CLR_FD, 0))
		err = errno;
	close(fd);
	return err;
}
