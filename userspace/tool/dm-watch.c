// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waits for device-mapper events through the control device.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "dm-task.h"
#include "dm-watch.h"
#include "util.h"

/* The version of the interface that has DM_DEV_ARM_POLL: Linux 4.13. */
#define DM_MINOR_ARM_POLL 37

int dm_watch_open(void)
{
	int fd = open(DEV_MAPPER DM_CONTROL_NODE, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		int ret = -errno;

		cc_error(DEV_MAPPER DM_CONTROL_NODE ": %s%s", strerror(-ret), dm_remedy(ret));
		return ret;
	}
	return fd;
}

int dm_watch_arm(int watch)
{
	struct dm_ioctl arg = {
		.version = { DM_VERSION_MAJOR, DM_MINOR_ARM_POLL, 0 },
		.data_size = sizeof(arg),
		.data_start = sizeof(arg),
	};

	if (!ioctl(watch, DM_DEV_ARM_POLL, &arg))
		return 0;
	cc_error("cannot wait for device-mapper events: %s", strerror(errno));
	return -errno;
}

int dm_watch_wait(int watch, int timeout_ms)
{
	struct pollfd pfd = { .fd = watch, .events = POLLIN };
	int ret = poll(&pfd, 1, timeout_ms);

	if (ret < 0 && errno != EINTR)
		cc_error("cannot wait for device-mapper events: %s", strerror(errno));
	return ret < 0 ? -errno : ret > 0;
}
