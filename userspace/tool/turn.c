// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks a chain against other invocations that change it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "plan.h"
#include "turn.h"
#include "util.h"

/* Writable by root only: elsewhere, anybody could hold the locks. */
#define TURN_DIR "/run/cowchain"
/* How long to wait before a note is printed. */
#define QUIET_LOOKS 20
#define LOOK_AGAIN_US 50000

/*
 * Named by device number: names of devices can change and may contain any character. The empty
 * files remain.
 */
static int open_lock(dev_t dev)
{
	char *path = xasprintf(TURN_DIR "/%u:%u", major(dev), minor(dev));
	int fd = -1;

	if (!mkdir(TURN_DIR, 0700) || errno == EEXIST)
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		cc_error("%s: %s: this file keeps other invocations from the chain", path,
			 strerror(errno));
	free(path);
	return fd;
}

static int wait_for(int fd, const char *name)
{
	int i, ret;

	for (i = 0; i < QUIET_LOOKS; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return 0;
		usleep(LOOK_AGAIN_US);
	}
	cc_note("%s: waiting for another cowchain that is changing it", name);
	do
		ret = flock(fd, LOCK_EX);
	while (ret && errno == EINTR);
	if (ret)
		cc_error("%s: cannot lock it: %s", name, strerror(errno));
	return ret;
}

int turn_open(const char *name, int (*open_device)(const char *name, struct dm_device *dev),
	      struct dm_device *dev)
{
	dev_t number;
	int fd;

	/* Nothing will change, so nobody need wait. The caller closes it. */
	if (plan_wanted())
		return open_device(name, dev) ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* During the wait, the device may be replaced by another one of the same name. */
	for (;;) {
		if (open_device(name, dev))
			return -1;
		number = dev->dev;
		dm_close(dev);
		fd = open_lock(number);
		if (fd < 0)
			return -1;
		if (wait_for(fd, name) || open_device(name, dev))
			break;
		if (dev->dev == number)
			return fd;
		dm_close(dev);
		close(fd);
	}
	close(fd);
	return -1;
}
