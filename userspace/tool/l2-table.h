/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds L2 entries of an image, and tells what QEMU's program makes of its preallocation.
 */
#ifndef COWCHAIN_L2_TABLE_H
#define COWCHAIN_L2_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "qcow2.h"
#include "window.h"

/* An image whose tables are read. Initialise the windows with zeros. */
struct l2_image {
	struct readable file;
	struct q2_info info;
	struct window l1;
	struct window l2;
};

/* Can its tables be read at all? Returns 0, or -1 after a message. */
int l2_check(struct l2_image *image);

enum l2_found {
	L2_ENTRY,
	L2_NO_TABLE,		/* of all clusters of this table */
	L2_BAD_TABLE,		/* its L1 entry is bad: *why */
	L2_FAILED,		/* after a message */
};

/* Get the entry of a cluster that is inside of the disk. w[1] is 0 without extended L2 entries. */
enum l2_found l2_find(struct l2_image *image, uint64_t cluster, __be64 w[2], const char **why);
/* Clusters from this one to the last one of the same table. */
uint64_t l2_rest_of_table(const struct q2_info *info, uint64_t cluster);
/* Read again what may have changed, or free what was read. */
void l2_forget(struct l2_image *image);

/*
 * Has the image more clusters than its file has space, allocated bytes? qemu-img looks for holes under data only
 * then (qcow2_detect_metadata_preallocation()).
 */
bool l2_is_preallocated(const struct l2_image *image, uint64_t allocated);

#endif
