/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checks whether there is enough space for what a job will write.
 */
#ifndef COWCHAIN_SPACE_CHECK_H
#define COWCHAIN_SPACE_CHECK_H

#include <stdbool.h>

#include "layer.h"
#include "live.h"

/*
 * Before a stream into layer last. base: a layer, or -1 for none; chosen: the user named it in this
 * command. Returns 0 if it fits or if that is unknown, -1 after a message if it does not fit.
 */
int space_check_stream(const struct live *live, int base, unsigned int last, bool chosen);
/* Before a commit of the layers above base, up to last, into base. Returns as above. */
int space_check_commit(const struct live *live, unsigned int base, unsigned int last);
/* Before a copy to top, which is not in the chain yet. Returns as above. */
int space_check_copy(const struct live *live, const struct layer *top);

/*
 * After an error of a job, which may be EIO even if the cause is a lack of space: print a note if
 * there is almost none.
 */
void space_note_full(const char *name);

#endif
