/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: what is wrong with a point.
 */
#ifndef COWCHAIN_CRASH_REPORT_H
#define COWCHAIN_CRASH_REPORT_H

#include "state.h"

/* Counts it, and prints it unless there were too many. Return: false. */
bool complain(struct replay *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
