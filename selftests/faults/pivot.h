/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: a commit of the top itself, after which the base is the top.
 */
#ifndef COWCHAIN_FAULTS_PIVOT_H
#define COWCHAIN_FAULTS_PIVOT_H

#include "walk.h"

/* From here on it has to be. */
void pivot_expect(struct walk *w);
/*
 * Without a table: of the chain with the old top and the one with the base at its end, one loads,
 * and the other is refused. After errors that did not end, it is found out here which one.
 */
void judge_right_chain(struct walk *w);

#endif
