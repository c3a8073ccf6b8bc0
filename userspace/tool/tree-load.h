/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds what a tree shows.
 */
#ifndef COWCHAIN_TREE_LOAD_H
#define COWCHAIN_TREE_LOAD_H

#include "chain.h"
#include "tree.h"

/* Return 0, or -1 after a message: then what could be found is in the tree nevertheless. */

/* All devices. */
int tree_load_all(struct tree *tree);
int tree_load_chain(struct tree *tree, const char *name);
/*
 * The image with the layers below it, and all chains that read it. Who may not look at devices gets the layers
 * alone.
 */
int tree_load_image(struct tree *tree, const char *path, enum layer_kind kind, struct layer_options *opt);

#endif
