// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reserves the space of a file. Most file systems only note that, but some write it, which takes as long as the disk is
 * large: so it is done in pieces, between which signals are looked at and the progress is shown.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "hold.h"
#include "progress-show.h"
#include "reserve.h"
#include "result.h"
#include "util.h"

/* Bytes. Not less than the longest extent of ext4, so that the file has no more extents than by one call. */
#define PIECE (256ULL << 20)

static void show_reserved(struct progress_show *show, const char *name, uint64_t done, uint64_t size)
{
	char *text = xsafe_text(name);

	progress_show(show, &(struct progress){
		.name = text,
		.what = "reserve",
		.done = done,
		.total = size,
	}, false);
	free(text);
}

static int reserve_piece(int fd, uint64_t from, uint64_t len)
{
	if (hold_interrupted())
		return -EINTR;
	return fallocate(fd, 0, (off_t)from, (off_t)len) ? -errno : 0;
}

int reserve(int fd, const char *name, uint64_t size)
{
	struct progress_show show;
	uint64_t done, len;
	int ret = 0;

	progress_begin(&show, result_wanted());
	for (done = 0; !ret && done < size; done += len) {
		len = size - done < PIECE ? size - done : PIECE;
		ret = reserve_piece(fd, done, len);
		if (!ret && show.wanted && done + len < size)
			show_reserved(&show, name, done + len, size);
	}
	progress_end(&show);
	return ret;
}
