/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is there, or the program ends.
 */
#ifndef BOOT_MEMORY_H
#define BOOT_MEMORY_H

#include <stdlib.h>

/* Returns ptr. If it is NULL the program ends with status 1 and a message. */
void *need(void *ptr) __attribute__((returns_nonnull));
/* As printf(). Caller frees. */
char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

#endif
