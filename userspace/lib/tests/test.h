/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The headers that cmocka needs before its own, capture of messages, and a scratch directory.
 */
#ifndef COWCHAIN_TEST_H
#define COWCHAIN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Capture stderr: messages of expected failures would be noise between the lines of TAP. */
void quiet_begin(void);
/* End the capture. Returns what was written meanwhile, valid until the next call. */
const char *quiet_end(void);
/* How often `what` is in `where`. */
unsigned int occurrences(const char *where, const char *what);

/* Group fixtures: change into an empty directory, and remove it. */
int scratch_setup(void **state);
int scratch_teardown(void **state);
void write_file(const char *path, const void *data, size_t len);

#endif
