/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mutantwalk: the life of a damaged image.
 */
#ifndef COWCHAIN_MUTANTS_USE_H
#define COWCHAIN_MUTANTS_USE_H

#include "mutants.h"

/* Attaches the mutant, uses it, and removes it. */
void mutant_use(struct worker *w);

#endif
