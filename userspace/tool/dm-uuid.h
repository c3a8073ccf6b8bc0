/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * UUIDs of devices. They say what udev's rules have to know (userspace/udev), since they stay with a device whoever
 * resumes it: "COWCHAIN-", "HOST-" for a file system of the host, "u1000-g100-m660-" for the owner of its node, and 32
 * hexadecimal digits. A partition has "part1-" before that of its disk, as kpartx does it.
 */
#ifndef COWCHAIN_DM_UUID_H
#define COWCHAIN_DM_UUID_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * struct dm_marks - what a UUID says.
 * @host: the host may look into the device: links in /dev/disk, and so on.
 * @owned: the node gets this owner, group and mode.
 */
struct dm_marks {
	bool host;
	bool owned;
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

/* A new one: names can be reused, UUIDs are unique. Caller frees. */
char *dm_uuid_new(const struct dm_marks *marks);
/* What it says; also that of a partition. Pure. */
void dm_uuid_marks(const char *uuid, struct dm_marks *marks);
/* Is it that of a partition of the disk with the other one? Its number, or 0. Pure. */
unsigned int dm_uuid_partition(const char *uuid, const char *disk);

#endif
