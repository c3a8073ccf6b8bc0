/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a file has holes.
 */
#ifndef COWCHAIN_HOLES_H
#define COWCHAIN_HOLES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * struct holes - a file or a block device, and the last answer
 * @fd: -1 for what does not show its holes, as a block device.
 * @size: bytes.
 */
struct holes {
	int fd;
	uint64_t size;
	uint64_t from;
	uint64_t to;		/* 0: there was none */
	bool is_hole;
};

/*
 * Is what begins at pos a hole, which reads as zeros? *len becomes that of the part with the same answer; it is 0
 * from the end on, which is that of the last sector. *to_end: the part reaches that.
 */
bool holes_at(struct holes *holes, uint64_t pos, uint64_t *len, bool *to_end);

#endif
