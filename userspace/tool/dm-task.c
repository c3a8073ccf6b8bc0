// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device-mapper tasks: one ioctl each, through libdevmapper.
 */
#include <errno.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dm-task.h"
#include "util.h"

/*
 * Keep the host from looking into a guest's disk: no blkid, no partitions, no LVM scan. udev still
 * makes the node in /dev/mapper.
 */
#define UDEV_FLAGS (DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG | \
		    DM_UDEV_DISABLE_OTHER_RULES_FLAG)

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

struct dm_task *task_new(int type, const char *name)
{
	static bool first = true;
	struct dm_task *task;

	if (first)
		dm_log_with_errno_init(dm_log);
	first = false;
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

static int run_with_flags(struct dm_task *task, uint16_t flags)
{
	uint32_t cookie = 0;
	int ret;

	if (!task || !dm_task_set_cookie(task, &cookie, flags))
		return NO_TASK;
	ret = task_run(task);
	dm_udev_wait(cookie);
	/* Without udev, the library makes the nodes. */
	dm_task_update_nodes();
	return ret;
}

int task_run_with_udev(struct dm_task *task)
{
	return run_with_flags(task, UDEV_FLAGS);
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
