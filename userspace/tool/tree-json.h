/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shows a tree as JSON.
 */
#ifndef COWCHAIN_TREE_JSON_H
#define COWCHAIN_TREE_JSON_H

#include "tree.h"

void tree_print_json(const struct tree *tree);

#endif
