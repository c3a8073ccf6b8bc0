// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows on tables, in memory.
 */
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "window.h"

/* As large as most L2 tables, and aligned for every logical block size. */
#define WINDOW_BYTES 65536U

static int fill(uint8_t *buf, const struct readable *r, uint64_t at, const char *what)
{
	uint64_t left = at < readable_size(r) ? readable_size(r) - at : 0;
	ssize_t n = tail_pread(r->fd, r->size, &r->tail, buf, WINDOW_BYTES, at);

	/* Less than there was: zeros in its place would be a lie. */
	if (n < 0 || (uint64_t)n < (left < WINDOW_BYTES ? left : WINDOW_BYTES)) {
		cc_error("%s: cannot read the %s: %s", r->path, what, n < 0 ? strerror((int)-n) : "it is cut off");
		return -1;
	}
	memset(buf + n, 0, WINDOW_BYTES - (size_t)n);
	return 0;
}

const void *window_read(struct window *w, const struct readable *r, uint64_t off, const char *what)
{
	uint64_t at = off & ~(uint64_t)(WINDOW_BYTES - 1);
	void *buf;

	if (w->buf && w->at == at)
		return w->buf + (off - at);
	if (!w->buf) {
		if (posix_memalign(&buf, WINDOW_BYTES, WINDOW_BYTES))
			out_of_memory();
		w->buf = buf;
	}
	if (fill(w->buf, r, at, what)) {
		window_forget(w);
		return NULL;
	}
	w->at = at;
	return w->buf + (off - at);
}

void window_forget(struct window *w)
{
	free(w->buf);
	w->buf = NULL;
}
