/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices of device-mapper: dm.c looks them up and talks to them, dm-change.c makes and removes them,
 * dm-watch.c waits for their events. Only these, dm-task.c and dm-thin.c use libdevmapper.
 *
 * Functions return 0 or a negative errno after saying why, with the lines the kernel wrote meanwhile.
 */
#ifndef COWCHAIN_DM_H
#define COWCHAIN_DM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "target.h"

#define DM_UUID_PREFIX "COWCHAIN-"

struct dm_device {
	char *name;
	char *uuid;
	dev_t dev;
	int open_count;
	bool read_only;
	bool suspended;
	uint64_t sectors;
	char *target;		/* type of its first target, "" without a live table */
	char *params;		/* table line of it */
};

/* Bytes of a name. */
#define DM_NAME_MAX 127

/* "/dev/mapper/NAME" and "NAME" are the same device. Points into arg. */
const char *dm_name(const char *arg);

/* Looks a device up by name; -ENXIO, silently, if there is none (or no device-mapper). */
int dm_find(const char *name, struct dm_device *dev);
/* The same, but it must exist and be a cowchain device; says so if not. */
int dm_open(const char *name, struct dm_device *dev);
/* The same for a device that this program has made, whatever has become of its table. */
int dm_open_ours(const char *name, struct dm_device *dev);
void dm_close(struct dm_device *dev);
/* Does it show a chain now? */
bool dm_is_chain(const struct dm_device *dev);

/*
 * Names of all cowchain devices and of all that this program has made, sorted. Caller frees with
 * dm_names_free().
 */
int dm_names(char ***names, size_t *nr);
void dm_names_free(char **names, size_t nr);

int dm_status(const char *name, struct target_status *status);

/* words: NULL-terminated, quoted as device-mapper needs it. */
int dm_message(const char *name, const char *const *words);
/* What the message is answered; NULL, silently, without an answer. Caller frees. */
char *dm_ask(const char *name, const char *const *words);

#endif
