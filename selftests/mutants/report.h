/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mutants: what is said of the mutant at hand.
 */
#ifndef COWCHAIN_MUTANTS_REPORT_H
#define COWCHAIN_MUTANTS_REPORT_H

#include "mutants.h"

/* One line: what is damaged in which chain. */
void mutant_describe(const struct mutant *m, char *text, size_t len);
/* Prints what is wrong with the mutant at hand, and ends the run after it. */
void worker_fail(struct worker *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Progress: the parent takes a worker without any for one that hangs. */
static inline void worker_beat(struct worker *w, const char *doing)
{
	w->pulse->doing = doing;
	w->pulse->beats++;
}

#endif
