/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device-mapper tasks: one ioctl each. All functions accept NULL as the task.
 */
#ifndef COWCHAIN_DM_TASK_H
#define COWCHAIN_DM_TASK_H

#include <libdevmapper.h>
#include <stdbool.h>

#define DEV_MAPPER "/dev/mapper/"

/* Without device-mapper the library makes no task and gives no errno. */
#define NO_TASK (-ENODEV)

/* type: DM_DEVICE_...; name may be NULL. Returns NULL without device-mapper. */
struct dm_task *task_new(int type, const char *name);
/* Returns 0 or the negative errno of the ioctl. */
int task_run(struct dm_task *task);
/*
 * The same for a task that causes uevents: waits until udev has handled them, at most for a minute. In another IPC
 * namespace than udev's, which cannot answer from there, the library makes the nodes. host: its rules may look into the
 * device.
 */
int task_run_with_udev(struct dm_task *task, bool host);
/* The same, but leaves the node in /dev/mapper alone: the device may stay although this succeeds. */
int task_run_keeping_node(struct dm_task *task);
void task_end(struct dm_task *task);

/* What to do about an error, to be appended to a message; "" if nothing is known. */
const char *dm_remedy(int err);

#endif
