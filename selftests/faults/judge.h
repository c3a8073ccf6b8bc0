/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: the end of a run.
 */
#ifndef COWCHAIN_FAULTS_JUDGE_H
#define COWCHAIN_FAULTS_JUDGE_H

#include "walk.h"

/*
 * Checks the chain as the faults @h left it, removes it, and checks that it can be attached and
 * used without faults. @dir has the files.
 */
void judge(struct walk *w, const struct hit *h, const char *dir);

#endif
