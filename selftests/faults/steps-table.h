/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: steps that create, suspend, reload and remove the chain.
 */
#ifndef COWCHAIN_FAULTS_STEPS_TABLE_H
#define COWCHAIN_FAULTS_STEPS_TABLE_H

#include "walk.h"

/* Creates, resumes and opens the chain of the files up to number @top. */
void step_create(struct walk *w, unsigned int top, const char *features);
void step_create_params(struct walk *w, const char *params);
void step_remove(struct walk *w);
void step_suspend(struct walk *w);
void step_resume(struct walk *w);
/* Loads the table that is there once more, and resumes. */
void step_reload(struct walk *w);

void walk_open(struct walk *w);
/* The parameters of a table for the first files, @below of them, and @top. */
void table_short(struct walk *w, unsigned int below, unsigned int top, const char *features, char *params,
		 size_t len);
/* The same for all files up to @top. */
void table_for(struct walk *w, unsigned int top, const char *features, char *params, size_t len);
/* The name of the device of a file, in @buf. */
const char *layer_dev(const struct walk *w, unsigned int file, char *buf, size_t len);

#endif
