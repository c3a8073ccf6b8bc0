/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The base of a job: a layer by its number, BASE_NONE, or BASE_ERROR after a message.
 */
#ifndef COWCHAIN_BASE_H
#define COWCHAIN_BASE_H

#include "live.h"

enum { BASE_NONE = -1, BASE_ERROR = -2 };

/* arg: "none", or what live_find() takes. */
int base_find(const struct live *live, const char *arg);
/* Select it in the kernel. Returns 0, or a negative errno after a message. */
int base_select(const struct live *live, int layer);
/* The layer that is selected; BASE_NONE also if the module does not tell. */
int base_selected(const struct live *live);

/*
 * The name of the base for the header of the layer in, which is the top, or what a stream goes into.
 * (The header of the layer above the base has a name for it as well, but relative to the directory
 * of that layer.) Returns NULL after a message if the file is unknown. Caller frees.
 */
char *base_stored_name(const struct live *live, int layer, unsigned int in);

#endif
