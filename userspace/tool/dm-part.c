// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linear maps for the partitions of a chain.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "devno.h"
#include "dm-part.h"
#include "dm-task.h"
#include "dm-uuid.h"
#include "plan.h"
#include "users.h"
#include "util.h"

/* Caller frees. */
static char *part_name(const char *disk, unsigned int number)
{
	bool digit = *disk && isdigit((unsigned char)disk[strlen(disk) - 1]);

	return xasprintf("%s%s%u", disk, digit ? "p" : "", number);
}

static int create(const struct dm_device *disk, const struct dm_part *part, const char *name, const char *params)
{
	struct dm_task *task = task_new(DM_DEVICE_CREATE, name);
	char *uuid = xasprintf("part%u-%s", part->number, disk->uuid);
	struct dm_marks marks;
	int ret = NO_TASK;

	dm_uuid_marks(disk->uuid, &marks);
	if (task && dm_task_set_uuid(task, uuid) && dm_task_add_target(task, 0, part->sectors, "linear", params) &&
	    (!disk->read_only || dm_task_set_ro(task)))
		ret = task_run_with_udev(task, marks.host);
	task_end(task);
	free(uuid);
	return ret;
}

int dm_part_create(const struct dm_device *disk, const struct dm_part *part)
{
	char *name = part_name(disk->name, part->number), *dev = devno_format(disk->dev);
	char *params = xasprintf("%s %" PRIu64, dev, part->start);
	int ret = strlen(name) > DM_NAME_MAX ? -ENAMETOOLONG : create(disk, part, name, params);

	if (ret)
		cc_error("%s: cannot make the map of partition %u: %s", name, part->number,
			 ret == -EBUSY || ret == -EEXIST ? "a device of this name exists" : strerror(-ret));
	free(params);
	free(dev);
	free(name);
	return ret;
}

/* Is the holder with this name of the kernel's a partition of the disk? Then its name; caller frees. */
static char *partition_name(const char *kernel_name, const struct dm_device *disk)
{
	char *node = devno_kernel_node(kernel_name), *name = NULL;
	struct dm_device dev;

	if (!strncmp(node, DEV_MAPPER, strlen(DEV_MAPPER)) && !dm_find(dm_name(node), &dev)) {
		if (dm_uuid_partition(dev.uuid, disk->uuid))
			name = xstrdup(dev.name);
		dm_close(&dev);
	}
	free(node);
	return name;
}

void dm_part_find(const struct dm_device *disk, char ***names, size_t *nr)
{
	char *path = xasprintf("/sys/dev/block/%u:%u/holders", major(disk->dev), minor(disk->dev)), *name;
	DIR *dir = opendir(path);
	struct dirent *entry;

	free(path);
	*names = NULL;
	*nr = 0;
	while (dir && (entry = readdir(dir))) {
		name = entry->d_name[0] == '.' ? NULL : partition_name(entry->d_name, disk);
		if (!name)
			continue;
		*names = xrealloc(*names, *nr + 1, sizeof(**names));
		(*names)[(*nr)++] = name;
	}
	if (dir)
		closedir(dir);
}

static int remove_map(const char *name, bool deferred)
{
	struct dm_task *task = task_new(DM_DEVICE_REMOVE, name);
	int ret = NO_TASK;

	if (task && (deferred ? dm_task_deferred_remove(task) : dm_task_retry_remove(task)))
		ret = deferred ? task_run_keeping_node(task) : task_run_with_udev(task, false);
	task_end(task);
	return ret;
}

int dm_part_remove(const char *name, bool deferred)
{
	int ret;

	if (plan_wanted()) {
		plan_line("dmsetup", "remove", deferred ? "--deferred" : "--retry", name, (char *)NULL);
		return 0;
	}
	ret = remove_map(name, deferred);
	if (ret)
		cc_error("%s: cannot remove it: %s%s", name, strerror(-ret), dm_remedy(ret));
	return ret;
}
