/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shows a tree as a picture.
 */
#ifndef COWCHAIN_TREE_SVG_H
#define COWCHAIN_TREE_SVG_H

#include "tree.h"

void tree_print_svg(const struct tree *tree);

#endif
