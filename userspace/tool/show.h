/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COWCHAIN_SHOW_H
#define COWCHAIN_SHOW_H

#include "output.h"

/* The job of one device as a table; CC_FAILED (said why) if there is none. */
int show_job(const char *name, const struct out_options *opt);

#endif
