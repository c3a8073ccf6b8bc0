/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices of device-mapper: dm.c looks them up and talks to them, dm-change.c makes and removes
 * them, dm-part.c does so with partitions, dm-watch.c waits for their events. Only these, dm-task.c and dm-thin.c use
 * libdevmapper.
 *
 * Functions return 0, or a negative errno after a message and the lines that the kernel logged
 * meanwhile.
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
	bool leaving;		/* is removed when its last user closes it */
	uint64_t sectors;
	char *target;		/* type of its first target; "" without a live table */
	char *params;		/* its parameters, if it is a chain; else "" */
};

/* Maximum length of a name in bytes. */
#define DM_NAME_MAX 127

/* The name in "NAME" or "/dev/mapper/NAME". Points into arg. */
const char *dm_name(const char *arg);

/*
 * Look a device up by name. Only the table of a chain is read, since those of other targets may contain
 * secrets. -ENXIO, without a message, if there is none (or no device-mapper).
 */
int dm_find(const char *name, struct dm_device *dev);
/* The same, but with a message if it does not exist or is no cowchain device. */
int dm_open(const char *name, struct dm_device *dev);
/* The same, but also accepts a device that this program made and that shows no chain now. */
int dm_open_ours(const char *name, struct dm_device *dev);
void dm_close(struct dm_device *dev);
/* Report that a new device cannot have this name, because there is one of that name. */
void dm_say_exists(const char *name);
/* Returns 0, or -1 after that report if there is one. */
int dm_check_free(const char *name);
/* Does the device show a chain? */
bool dm_is_chain(const struct dm_device *dev);
/* Was it made by this program? */
bool dm_is_ours(const struct dm_device *dev);

/*
 * The names of all devices that show a chain or were made by this program, sorted. Free them with
 * dm_names_free().
 */
int dm_names(char ***names, size_t *nr);
void dm_names_free(char **names, size_t nr);

int dm_status(const char *name, struct target_status *status);
/*
 * Look at a device that dm_names() has found, and at its status if it shows a chain. -ENXIO, without a
 * message, if it is gone, or another one has taken its name.
 */
int dm_look(const char *name, struct dm_device *dev, struct target_status *status);

/* Send a message, or plan to do so (plan.h). words ends with NULL; they are quoted here. */
int dm_message(const char *name, const char *const *words);
/* The answer to a message; NULL, without a message to the user, if there is none. Caller frees. */
char *dm_ask(const char *name, const char *const *words);

#endif
