/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shows a tree in the terminal.
 */
#ifndef COWCHAIN_TREE_PRINT_H
#define COWCHAIN_TREE_PRINT_H

#include "output.h"
#include "tree.h"

/* With lines of its character set. */
void tree_print(const struct tree *tree, const struct out_options *opt);

#endif
