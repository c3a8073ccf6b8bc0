/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The verb attach with a new, prepared image on top of one that cannot be written.
 */
#ifndef COWCHAIN_OVERLAY_H
#define COWCHAIN_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "chain.h"
#include "create.h"

struct overlay {
	const char *image;		/* NULL: none */
	const char *data_file;
	const char *size;		/* NULL: that of the image below */
	uint64_t cluster_size;		/* bytes; 0: the default */
	bool reserve;
	bool force;			/* overwrite what exists */
};

/* Take an option of the new image, by its id. Returns 0, or CC_USAGE after a message. */
int overlay_option(int id, const char *value, struct overlay *overlay);
/* To be called after the last option. Returns 0, or CC_USAGE after a message. */
int overlay_check(const struct overlay *overlay);

/*
 * Make it as "create" would, and add it to the chain, of which opt->read_only was true so far. Within a hold.
 * Return: 0, and made has to be passed to create_done(), or to create_undo() if a later step fails; or -1 after
 * a message: then nothing was made.
 */
int overlay_make(const struct overlay *overlay, struct chain *chain, const struct layer_options *opt,
		 struct created *made);

/*
 * The command line of "attach" once more, with more options; argv as getopt_long() leaves it: options, then
 * nr operands. Caller frees.
 */
char *overlay_command(char *const *argv, int nr_options, int nr, const char *more);
/* "--overlay NEW" with a name for it that is free. Caller frees. */
char *overlay_words(const char *top);

#endif
