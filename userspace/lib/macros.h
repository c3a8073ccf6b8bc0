/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Macros for both programs.
 */
#ifndef COWCHAIN_MACROS_H
#define COWCHAIN_MACROS_H

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
