// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds partitions with libblkid, and makes and removes their devices.
 */
#include <blkid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dm-part.h"
#include "hold.h"
#include "partitions.h"
#include "plan.h"
#include "result.h"
#include "users.h"
#include "util.h"

/* The probe is of the node, and lives as long as the list. NULL: there is no table. */
static blkid_partlist find_table(blkid_probe probe)
{
	blkid_probe_enable_superblocks(probe, false);
	blkid_probe_enable_partitions(probe, true);
	return blkid_do_fullprobe(probe) ? NULL : blkid_probe_get_partitions(probe);
}

static int make_one(const struct dm_device *disk, blkid_partition entry)
{
	struct dm_part part = {
		.number = (unsigned int)blkid_partition_get_partno(entry),
		.start = (uint64_t)blkid_partition_get_start(entry),
		.sectors = (uint64_t)blkid_partition_get_size(entry),
	};

	/* What an extended one has are partitions of their own. A table may be of another disk, or a guest's joke. */
	if (blkid_partition_is_extended(entry))
		return 0;
	if (part.start >= disk->sectors || part.sectors > disk->sectors - part.start || !part.sectors) {
		cc_error("%s: partition %u is not on the disk", disk->name, part.number);
		return -1;
	}
	return dm_part_create(disk, &part);
}

static int make_all(const struct dm_device *disk, blkid_partlist list)
{
	int i, ret = 0, nr = list ? blkid_partlist_numof_partitions(list) : 0;

	if (!nr)
		cc_note("%s: has no partitions", disk->name);
	for (i = 0; i < nr && !ret; i++)
		ret = make_one(disk, blkid_partlist_get_partition(list, i));
	return ret;
}

static void add_result(const struct dm_device *disk)
{
	struct json *json = result_json();
	char **names;
	size_t nr, i;

	if (!json)
		return;
	dm_part_find(disk, &names, &nr);
	json_array(json, "partitions");
	for (i = 0; i < nr; i++)
		json_text(json, NULL, names[i]);
	json_end(json);
	dm_names_free(names, nr);
}

static void remove_all(const struct dm_device *disk, bool deferred, int *ret)
{
	char **names;
	size_t nr, i;

	dm_part_find(disk, &names, &nr);
	for (i = 0; i < nr; i++)
		if (dm_part_remove(names[i], deferred))
			*ret = -1;
	dm_names_free(names, nr);
}

int partitions_make(const char *name)
{
	char *node = xasprintf("/dev/mapper/%s", name);
	struct dm_device disk;
	blkid_probe probe;
	int ret = -1, undone = 0;

	if (plan_wanted()) {
		plan_line("kpartx", "-s", "-a", node, (char *)NULL);
		free(node);
		return 0;
	}
	if (!dm_open(name, &disk)) {
		probe = blkid_new_probe_from_filename(node);
		if (!probe)
			cc_error("%s: cannot be read: %s", node, strerror(errno));
		else
			ret = make_all(&disk, find_table(probe));
		blkid_free_probe(probe);
		if (!ret && hold_interrupted()) {
			cc_error("%s: interrupted", name);
			ret = -1;
		}
		if (ret)
			remove_all(&disk, false, &undone);
		else
			add_result(&disk);
		dm_close(&disk);
	}
	free(node);
	return ret ? -1 : 0;
}

/* Is one of them, or the disk beside them, in use? Says by whom. */
static bool are_used(const struct dm_device *disk, char **names, size_t nr)
{
	struct dm_device part;
	bool used = false;
	char *users;
	size_t i;

	for (i = 0; i < nr && !used; i++) {
		if (dm_find(names[i], &part))
			continue;
		used = part.open_count;
		users = used ? users_find(part.dev) : NULL;
		if (used)
			cc_error("%s: its partition %s is in use%s%s: end that first, or give --deferred", disk->name,
				 names[i], users ? ": " : "", users ? users : "");
		free(users);
		dm_close(&part);
	}
	return used;
}

int partitions_remove(struct dm_device *disk, bool now)
{
	char **names;
	size_t nr;
	int ret = 0;

	dm_part_find(disk, &names, &nr);
	if (nr && now && are_used(disk, names, nr))
		ret = -1;
	dm_names_free(names, nr);
	/* Users of the disk itself are reported by whoever removes that. */
	if (!ret && nr && (!now || disk->open_count <= (int)nr))
		remove_all(disk, !now, &ret);
	/* As it will be then. */
	if (plan_wanted() && now)
		disk->open_count -= (int)nr;
	return ret;
}
