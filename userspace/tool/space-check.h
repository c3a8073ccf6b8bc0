/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does what a stream will write fit into the room there is?
 */
#ifndef COWCHAIN_SPACE_CHECK_H
#define COWCHAIN_SPACE_CHECK_H

#include <stdbool.h>

#include "chain.h"
#include "live.h"

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
