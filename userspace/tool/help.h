/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the program says of itself, made from the descriptions of the verbs.
 */
#ifndef COWCHAIN_HELP_H
#define COWCHAIN_HELP_H

#include <stdio.h>

#include "verb.h"

/* All verbs, a line each. */
void help_overview(FILE *out);
/* Usage, operands, options and examples of one verb, on standard output. */
void help_verb(const struct verb *verb);
/*
 * For the completion of shells, on standard output, a line each:
 *
 *	verb NAME
 *	option VERB OPTION KIND [WORD...]
 *	operand VERB NUMBER KIND [WORD...]
 *
 * OPTION is written as it is typed, "--base" or "-b". The value of an option, or the operand, is one of
 * the words or what KIND says: file, dir, device, image (a device or a file), value (nothing is known
 * of it), or flag for an option without a value. NUMBER counts from 0; "+" is for all that follow, too.
 */
void help_completion(void);

#endif
