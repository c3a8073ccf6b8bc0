/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much a stream will write into the top: an upper bound, since zeros that it finds on the way are
 * not written.
 */
#ifndef COWCHAIN_SPACE_COUNT_H
#define COWCHAIN_SPACE_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "qcow2.h"
#include "target.h"

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

#endif
