/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The free space for what a stream writes: that of the file system of the file with the data of the
 * top, or of the pool of a thin device. Any other block device has all its space already.
 */
#ifndef COWCHAIN_SPACE_ROOM_H
#define COWCHAIN_SPACE_ROOM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct space_room {
	bool known;
	uint64_t bytes;		/* free bytes */
	uint64_t holes;		/* upper limit for new allocations; includes shared extents */
	uint64_t group;		/* bytes that are allocated together */
	bool zeros;		/* zeros take space as well, unless they may be discards */
	char *where;		/* the file system or pool, for messages */
};

/* The room below a file, or below a block device. Free it with space_room_free(). */
void space_room_file(int fd, const char *path, struct space_room *room);
void space_room_device(dev_t dev, struct space_room *room);
void space_room_free(struct space_room *room);

#endif
