/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: messages of all threads, on standard output.
 */
#ifndef COWCHAIN_STRESS_REPORT_H
#define COWCHAIN_STRESS_REPORT_H

#include "stress.h"

/* Prints what went wrong, and makes all threads end. */
void stress_fail(struct stress *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Printed only with --verbose. */
void stress_note(struct stress *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
