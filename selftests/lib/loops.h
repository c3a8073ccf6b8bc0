/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loop devices for layers.
 */
#ifndef COWCHAIN_TEST_LOOPS_H
#define COWCHAIN_TEST_LOOPS_H

#include <stdbool.h>

struct loop_opts {
	bool readonly;
	bool autoclear;		/* released with its last user */
	bool direct;
};

/*
 * Attaches @file; @path (at least 32 bytes) gets the device's name. Returns a descriptor that
 * keeps the device; dies on errors.
 */
int loop_attach(const char *file, const struct loop_opts *opts, char *path);
/* 0 or an errno */
int loop_detach(const char *path);

#endif
