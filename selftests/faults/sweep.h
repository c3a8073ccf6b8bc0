/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: the runs of one scenario.
 */
#ifndef COWCHAIN_FAULTS_SWEEP_H
#define COWCHAIN_FAULTS_SWEEP_H

#include "walk.h"

/* Runs the scenario of @w and prints a summary. Return: the number of runs that went wrong. */
unsigned int sweep(struct walk *w, const char *dir);

#endif
