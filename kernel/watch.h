/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looks at where bios go: counts what each layer serves, and traces it.
 *
 * As long as nobody wants to know, for no chain, the way of a bio has a nop for this.
 */
#ifndef COWCHAIN_WATCH_H
#define COWCHAIN_WATCH_H

#include "below.h"
#include "map.h"
#include "trace.h"

static inline bool cc_watching(void)
{
	return static_branch_unlikely(&cc_watched);
}

/*
 * Each is called if cc_watching(), with the bio as it was cut for this, before it is sent: its
 * sectors are those of the guest. A reference to io->view is held. Context: any.
 */

/* @p provides what @bio reads, which may be a part of @io's. */
void cc_watch_read(struct cc_io *io, struct bio *bio, const struct cc_piece *p);

/* It goes to the top. @bio is dm's own, so that its caller on the fast way need not have the io. */
void cc_watch_write(struct bio *bio);

/* A flush, which waits for a sync of the top; @way: or goes to its device. */
void cc_watch_flush(struct cc_io *io, struct bio *bio, enum cc_way way);

/* It waits; io->view may be NULL. */
void cc_watch_wait(struct cc_io *io, struct bio *bio, enum cc_way way);

#endif /* COWCHAIN_WATCH_H */
