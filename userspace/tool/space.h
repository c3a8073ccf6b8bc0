/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much a stream will write into the top, and how much room there is for it.
 *
 * What it will write is an upper bound: zeros that it finds on the way are not written. The room is
 * that of the file system under the file of the top's data, or of the pool of a thin device; any other
 * block device has all of its space already.
 */
#ifndef COWCHAIN_SPACE_H
#define COWCHAIN_SPACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "chain.h"
#include "live.h"
#include "qcow2.h"

/* One layer as it is read for the estimate; a raw one has no tables. */
struct space_layer {
	enum layer_kind kind;
	int fd;			/* the image, or the file of a raw disk */
	bool holes;		/* of a raw disk: SEEK_HOLE tells what is there */
	uint64_t size;		/* bytes of the device, or of the raw disk */
	uint64_t data_size;	/* bytes of the device that holds the data */
	struct q2_info info;
	__be64 *l1;
	void *table;		/* the L2 table that was read last, and its place */
	uint64_t table_at;
};

/* What the layer says about the header; see image_read(). Returns 0 or -1 (said why). */
int space_layer_open(struct space_layer *layer, int fd, const char *path, enum layer_kind kind,
		     uint64_t size, uint64_t data_size);
/* Also closes the descriptor. */
void space_layer_close(struct space_layer *layer);

/*
 * struct space_need - what is to be written, bytes.
 * @data: what layers are known to hold.
 * @unknown: raw block devices, of which nobody can tell what is in use.
 */
struct space_need {
	uint64_t data;
	uint64_t unknown;
};

/*
 * Counts in units of 1 << unit_bits bytes, of which groups of 1 << group_bits take space together.
 * layers are those from above the base to below the top, from the lowest; top may be NULL for one
 * that holds nothing. Returns 0 or -1 (said why).
 */
int space_count(struct space_layer *layers, unsigned int nr, struct space_layer *top, uint64_t size,
		unsigned int unit_bits, unsigned int group_bits, struct space_need *need);

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

/*
 * Before a stream: base is a layer or -1 for none; chosen tells if the user has said so now. Returns
 * 0 if it fits or if that cannot be known, -1 if it does not fit (said so).
 */
int space_check_stream(const struct live *live, int base, bool chosen);
/* Before a copy to top, which is not in the chain yet. */
int space_check_copy(const struct live *live, const struct layer *top);

/* After an error of a job, which may have come as EIO: if there is no room, says so. */
void space_note_full(const char *name);

#endif
