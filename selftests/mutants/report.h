/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mutantwalk: messages about the current mutant.
 */
#ifndef COWCHAIN_MUTANTS_REPORT_H
#define COWCHAIN_MUTANTS_REPORT_H

#include "mutants.h"

/* One line: what is damaged in which chain. */
void mutant_describe(const struct mutant *m, char *text, size_t len);
/* Prints what is wrong with the current mutant, and ends the run after it. */
void worker_fail(struct worker *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Shows progress: a worker without any is taken for one that hangs. */
static inline void worker_beat(struct worker *w, const char *doing)
{
	w->pulse->doing = doing;
	w->pulse->beats++;
}

#endif
