// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device-mapper tasks: one ioctl each, through libdevmapper.
 */
#include <errno.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm-task.h"
#include "hold.h"
#include "util.h"

/*
 * Keep the host from looking into a guest's disk: no blkid, no partitions, no LVM scan. udev still
 * makes the node in /dev/mapper.
 */
#define UDEV_FLAGS (DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG | \
		    DM_UDEV_DISABLE_OTHER_RULES_FLAG)

/*
 * udev has handled the events of a device within milliseconds, or seconds on a machine that is booting. After the
 * limit, the device is used as it is.
 */
#define UDEV_LIMIT_US (60 * 1000 * 1000)
/* The same once a signal has come, which ends the program as soon as all is cleaned up. */
#define UDEV_SIGNAL_LIMIT_US (5 * 1000 * 1000)
/* When it is said what is waited for. */
#define UDEV_SAY_US (5 * 1000 * 1000)
#define UDEV_FIRST_LOOK_US 500
#define UDEV_LAST_LOOK_US 10000

/* libdevmapper would print its own errors. Ours name a remedy. */
static void dm_log(int level, const char *file, int line, int dm_errno, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static void dm_log(int level, const char *file, int line, int dm_errno, const char *fmt, ...)
{
	char *text;
	va_list ap;

	(void)file;
	(void)line;
	(void)dm_errno;
	if (!cc_debug_on || (level & 7) > 4)
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	cc_debug("libdevmapper: %s", text ? text : "");
	free(text);
}

/*
 * udev answers by a semaphore, which it looks for in its own IPC namespace: that of the first process. Where that
 * cannot be seen, it is taken for ours.
 */
static bool udev_is_elsewhere(void)
{
	struct stat ours, theirs;

	return !stat("/proc/self/ns/ipc", &ours) && !stat("/proc/1/ns/ipc", &theirs) &&
	       (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino);
}

static void prepare_library(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	dm_log_with_errno_init(dm_log);
	if (udev_is_elsewhere()) {
		cc_debug("another IPC namespace than udev's: not waiting for it");
		dm_udev_set_sync_support(0);
	}
}

struct dm_task *task_new(int type, const char *name)
{
	struct dm_task *task;

	prepare_library();
	task = dm_task_create(type);
	if (task && name && !dm_task_set_name(task, name)) {
		dm_task_destroy(task);
		task = NULL;
	}
	return task;
}

int task_run(struct dm_task *task)
{
	int err;

	if (!task)
		return NO_TASK;
	if (dm_task_run(task))
		return 0;
	err = dm_task_get_errno(task);
	return err ? -err : NO_TASK;
}

void task_end(struct dm_task *task)
{
	if (task)
		dm_task_destroy(task);
}

/* udev may answer later, or never: in a container with its socket, but not its namespace. */
static void give_up_udev(struct dm_task *task, uint32_t cookie)
{
	const char *name = dm_task_get_name(task);

	if (!hold_interrupted())
		cc_note("%s: no answer from udev: if this is a container, set DM_DISABLE_UDEV=1", name ? name : "");
	/* In the place of udev. The library then destroys the semaphore. */
	dm_udev_complete(cookie);
	dm_udev_wait(cookie);
}

static void say_waiting(struct dm_task *task, bool *said)
{
	const char *name = dm_task_get_name(task);

	if (!*said && !hold_interrupted())
		cc_note("%s: waiting for udev, for %d seconds at most", name ? name : "", UDEV_LIMIT_US / 1000000);
	*said = true;
}

static void wait_for_udev(struct dm_task *task, uint32_t cookie)
{
	useconds_t waited = 0, look = UDEV_FIRST_LOOK_US;
	bool said = false;
	int ready = 0;

	/* There is no cookie if nobody is asked; the library would not call that ready. */
	while (cookie && dm_udev_wait_immediate(cookie, &ready) && !ready) {
		if (waited >= (hold_interrupted() ? UDEV_SIGNAL_LIMIT_US : UDEV_LIMIT_US)) {
			give_up_udev(task, cookie);
			return;
		}
		if (waited >= UDEV_SAY_US)
			say_waiting(task, &said);
		usleep(look);
		waited += look;
		if (look < UDEV_LAST_LOOK_US)
			look *= 2;
	}
}

static int run_with_flags(struct dm_task *task, uint16_t flags)
{
	uint32_t cookie = 0;
	int ret;

	if (!task || !dm_task_set_cookie(task, &cookie, flags))
		return NO_TASK;
	ret = task_run(task);
	wait_for_udev(task, cookie);
	/* Without udev, the library makes the nodes. */
	dm_task_update_nodes();
	return ret;
}

int task_run_with_udev(struct dm_task *task, bool host)
{
	return run_with_flags(task, host ? 0 : UDEV_FLAGS);
}

int task_run_keeping_node(struct dm_task *task)
{
	return run_with_flags(task, UDEV_FLAGS | DM_UDEV_DISABLE_LIBRARY_FALLBACK);
}

const char *dm_remedy(int err)
{
	switch (-err) {
	case EPERM:
	case EACCES:
		return "; this needs root";
	case ENODEV:
	case ENOENT:
		return "; is device-mapper available? try 'modprobe dm-cowchain', as root";
	default:
		return "";
	}
}
