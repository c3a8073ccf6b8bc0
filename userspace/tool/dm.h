/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device-mapper: the only user of libdevmapper and of the control device.
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

/* Creates, loads and resumes; nothing is left of it on failure, nor after a signal. */
int dm_create(const char *name, uint64_t sectors, const char *params, bool read_only);

/*
 * Loads and activates the chain once more, as it is now; its users go on, I/O waits meanwhile. A chain
 * that cannot be activated stays suspended (said so), and can be tried again.
 */
int dm_reload(const struct dm_device *dev);

enum dm_remove_flags {
	DM_REMOVE_DEFERRED = 1 << 0,	/* when the last user closes it, if it is in use now */
	DM_REMOVE_FORCE = 1 << 1,	/* fail all I/O of its users first */
};

int dm_remove(const struct dm_device *dev, unsigned int flags);

struct dm_thin {
	uint64_t size;		/* bytes of the device */
	uint64_t mapped;	/* of these, with space of the pool */
	uint64_t free;		/* of the pool */
	uint64_t block;		/* that the pool gives out at once */
};

/* Of a thin device. Returns 0; or a negative errno, silently, if it is none or cannot be asked. */
int dm_thin_room(dev_t dev, struct dm_thin *thin);

/*
 * Waiting for device-mapper events without polling: arm, look at the status, then wait. An event
 * between the look and the wait is not lost. Any device's event wakes the waiter up.
 */
int dm_watch_open(void);
int dm_watch_arm(int watch);
/* timeout in ms, -1 for none. Returns 1 for an event, 0 for the timeout, -EINTR on a signal, -errno. */
int dm_watch_wait(int watch, int timeout_ms);

#endif
