// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks the file system for holes, as QEMU does (find_allocation()).
 */
#include <errno.h>
#include <unistd.h>

#include "holes.h"
#include "util.h"

static void ask(struct holes *holes, uint64_t pos, uint64_t end)
{
	off_t data = lseek(holes->fd, (off_t)pos, SEEK_DATA), hole = -1;

	holes->from = pos;
	holes->to = end;
	/* Without an answer there are none; ENXIO: nothing but a hole follows. */
	holes->is_hole = data < 0 ? errno == ENXIO : (uint64_t)data > pos;
	if (data < 0)
		return;
	if (!holes->is_hole)
		hole = lseek(holes->fd, data, SEEK_HOLE);
	if (holes->is_hole)
		holes->to = (uint64_t)data;
	else if (hole > data)
		holes->to = (uint64_t)hole;
	if (holes->to > end)
		holes->to = end;
}

bool holes_at(struct holes *holes, uint64_t pos, uint64_t *len, bool *to_end)
{
	uint64_t end = (holes->size + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
	bool is_hole = false;

	*to_end = true;
	if (pos >= end) {
		*len = 0;
		return false;
	}
	if (*len > end - pos)
		*len = end - pos;
	if (holes->fd >= 0) {
		if (pos < holes->from || pos >= holes->to)
			ask(holes, pos, end);
		is_hole = holes->is_hole;
		if (*len > holes->to - pos)
			*len = holes->to - pos;
	}
	*to_end = pos + *len == end;
	return is_hole;
}
