/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much room there is for what a stream writes: that of the file system under the file of the
 * top's data, or of the pool of a thin device. Any other block device has all of its space already.
 */
#ifndef COWCHAIN_SPACE_ROOM_H
#define COWCHAIN_SPACE_ROOM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct space_room {
	bool known;
	uint64_t bytes;		/* that are free */
	uint64_t holes;		/* more than this the file or device cannot take; also what it shares */
	uint64_t group;		/* bytes that are allocated together */
	bool zeros;		/* zeros take space as well, if they are written */
	char *where;		/* what is on it, for messages */
};

/* The room for what is written to a file, or to a block device. */
void space_room_file(int fd, const char *path, struct space_room *room);
void space_room_device(dev_t dev, struct space_room *room);
void space_room_free(struct space_room *room);

#endif
