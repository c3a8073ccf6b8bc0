/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: the files behind the layers.
 */
#ifndef COWCHAIN_FAULTS_FILES_H
#define COWCHAIN_FAULTS_FILES_H

#include "walk.h"

/* Opens the files in @dir, and sets the model up from model.raw there. */
void files_open(struct walk *w, const char *dir);
/* Has that layer an external data file? */
bool has_data(const struct walk *w, unsigned int file);
/* Is that file written, as a top or as the base of a commit? */
bool may_change(const struct walk *w, unsigned int file);
/* Makes what was written what it was before the walk. */
void files_restore(struct walk *w);
/* The layers below the top must not have changed, but for the base of a commit: see judge.c. */
void files_check_lower(struct walk *w);

#endif
