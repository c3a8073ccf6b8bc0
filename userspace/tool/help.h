/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Help texts, made from the descriptions of the verbs.
 */
#ifndef COWCHAIN_HELP_H
#define COWCHAIN_HELP_H

#include <stdio.h>

#include "verb.h"

/* All verbs, one per line. */
void help_overview(FILE *out);
/* Usage, operands, options and examples of a verb, on standard output. */
void help_verb(const struct verb *verb);
/*
 * What shells need for completion, on standard output, in lines such as
 *
 * 	verb NAME
 * 	option VERB OPTION KIND [WORD...]
 * 	operand VERB NUMBER KIND [WORD...]
 *
 * OPTION is written as it is typed, "--base" or "-b". Its value, or the operand, is one of the
 * words or as KIND says: file, dir, device, image (a device or a file), value (unknown). An option
 * without a value has the KIND flag. Operands are numbered from 0; "+" includes all that follow.
 *
 * With a word in what, "--completion=devices": the names of devices, one in a line.
 */
void help_completion(const char *what);

#endif
