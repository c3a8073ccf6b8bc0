/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device-mapper tasks: one ioctl each. A task may be NULL wherever one is taken.
 */
#ifndef COWCHAIN_DM_TASK_H
#define COWCHAIN_DM_TASK_H

#include <libdevmapper.h>

#define DEV_MAPPER "/dev/mapper/"

/* The library makes no task, and names no errno, where there is no device-mapper to talk to. */
#define NO_TASK (-ENODEV)

/* type: DM_DEVICE_...; name may be NULL. Returns NULL without device-mapper. */
struct dm_task *task_new(int type, const char *name);
/* Returns 0 or the negative errno of the ioctl. */
int task_run(struct dm_task *task);
/* The same for a task that makes uevents: waits until udev has done its part. */
int task_run_with_udev(struct dm_task *task);
void task_end(struct dm_task *task);

/* What to do about an error, to be put behind a message; "" if nothing is known. */
const char *dm_remedy(int err);

#endif
