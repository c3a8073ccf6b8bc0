/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mutantwalk: what must not have been written to.
 */
#ifndef COWCHAIN_MUTANTS_VERIFY_H
#define COWCHAIN_MUTANTS_VERIFY_H

#include "mutants.h"

/*
 * Checks the guards and the layers of the mutant that must not be written, and restores all of
 * them.
 */
void worker_verify(struct worker *w);
/* Checks all slices and guards. */
void worker_verify_all(struct worker *w);

/* Begins to read the kernel log. */
void worker_log_open(struct worker *w);
/* Checks that the block layer has stopped no I/O to the slices of the mutant. */
void worker_log_check(struct worker *w);

#endif
