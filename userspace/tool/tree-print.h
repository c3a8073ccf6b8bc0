/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shows a tree.
 */
#ifndef COWCHAIN_TREE_PRINT_H
#define COWCHAIN_TREE_PRINT_H

#include "output.h"
#include "tree.h"

/* In the terminal, with lines of its character set. */
void tree_print(const struct tree *tree, const struct out_options *opt);
void tree_print_json(const struct tree *tree);
/* As a picture. */
void tree_print_svg(const struct tree *tree);

#endif
