/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mutantwalk: damages an image.
 */
#ifndef COWCHAIN_MUTANTS_MUTATE_H
#define COWCHAIN_MUTANTS_MUTATE_H

#include "mutants.h"

/* Damages the target of the mutant, in the image and in the shadow. */
void mutate(struct worker *w, struct rng *rng, enum kind kind);

#endif
