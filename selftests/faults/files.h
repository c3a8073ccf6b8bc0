/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: the files behind the layers.
 */
#ifndef COWCHAIN_FAULTS_FILES_H
#define COWCHAIN_FAULTS_FILES_H

#include "walk.h"

/* Opens the files in @dir, and sets the model up from model.raw there. */
void files_open(struct walk *w, const char *dir);
/* Makes the tops what they were before the walk. */
void files_restore(struct walk *w);
/* The layers below the top must not have changed. */
void files_check_lower(struct walk *w);

#endif
