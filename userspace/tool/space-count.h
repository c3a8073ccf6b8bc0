/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Estimates how much a stream will write into the top. This is an upper bound, since zeros found on
 * the way are not written.
 */
#ifndef COWCHAIN_SPACE_COUNT_H
#define COWCHAIN_SPACE_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "l2-table.h"
#include "target.h"

/* A layer as the estimate reads it. A raw layer has no tables. */
struct space_layer {
	enum layer_kind kind;
	int fd;			/* the image, or the file of a raw disk */
	bool holes;		/* of a raw disk: SEEK_HOLE works */
	uint64_t size;		/* bytes of the device and its tail, or of the raw disk */
	uint64_t data_size;	/* the same of the device that holds the data */
	struct l2_image image;	/* of a qcow2 layer */
};

/*
 * size: bytes of what is open as fd, without the tail. Takes over fd, also on failure. path has to stay. Returns 0, or
 * -1 after a message.
 */
int space_layer_open(struct space_layer *layer, int fd, const char *path, enum layer_kind kind,
		     uint64_t size, uint64_t data_size, const struct tail *tail);
/* Also closes the descriptor. */
void space_layer_close(struct space_layer *layer);

/*
 * struct space_need - bytes to be written
 * @data: data that the layers are known to have.
 * @unknown: raw block devices, which do not show what is in use.
 */
struct space_need {
	uint64_t data;
	uint64_t unknown;
};

/*
 * Count in units of 1 << unit_bits bytes; space is allocated in groups of 1 << group_bits bytes.
 * layers: those above the base and below the top, the lowest first; top may be NULL if it is empty.
 * Returns 0, or -1 after a message.
 */
int space_count(struct space_layer *layers, unsigned int nr, struct space_layer *top, uint64_t size,
		unsigned int unit_bits, unsigned int group_bits, struct space_need *need);

#endif
