// SPDX-License-Identifier: GPL-2.0-only
/*
 * The free space in the pool of a thin device.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "dm-task.h"
#include "dm-thin.h"
#include "util.h"

/* The parameters of a device that has a single target, of type want; else NULL. Caller frees. */
static char *target_params(int what, dev_t dev, const char *want, uint64_t *sectors)
{
	struct dm_task *task = task_new(what, NULL);
	char *type = NULL, *params = NULL, *ret = NULL;
	uint64_t start = 0;

	if (task && dm_task_set_major(task, (int)major(dev)) &&
	    dm_task_set_minor(task, (int)minor(dev)) && dm_task_no_flush(task) && !task_run(task) &&
	    !dm_get_next_target(task, NULL, &start, sectors, &type, &params) && type && params &&
	    !strcmp(type, want))
		ret = xstrdup(params);
	task_end(task);
	return ret;
}

/* The formats are described in the kernel's thin-provisioning.rst. */
static int pool_room(dev_t pool, struct dm_thin *thin)
{
	uint64_t sectors, used, total, block;
	char *status = target_params(DM_DEVICE_STATUS, pool, "thin-pool", &sectors);
	char *table = status ? target_params(DM_DEVICE_TABLE, pool, "thin-pool", &sectors) : NULL;
	int ret = -ENODEV;

	if (table && status && sscanf(table, "%*s %*s %" SCNu64, &block) == 1 &&
	    sscanf(status, "%*u %*u/%*u %" SCNu64 "/%" SCNu64, &used, &total) == 2 &&
	    used <= total) {
		thin->block = block * SECTOR_SIZE;
		thin->free = (total - used) * thin->block;
		ret = 0;
	}
	free(table);
	free(status);
	return ret;
}

int dm_thin_room(dev_t dev, struct dm_thin *thin)
{
	uint64_t sectors, mapped;
	/* First what has no secrets, whatever the device is. */
	char *status = target_params(DM_DEVICE_STATUS, dev, "thin", &sectors);
	char *table = status ? target_params(DM_DEVICE_TABLE, dev, "thin", &sectors) : NULL;
	unsigned int maj, min;
	int ret = -ENODEV;

	if (table && status && sscanf(table, "%u:%u", &maj, &min) == 2 &&
	    sscanf(status, "%" SCNu64, &mapped) == 1) {
		thin->size = sectors * SECTOR_SIZE;
		thin->mapped = mapped * SECTOR_SIZE;
		ret = pool_room(makedev(maj, min), thin);
	}
	free(table);
	free(status);
	return ret;
}
