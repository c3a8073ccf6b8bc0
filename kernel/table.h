/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of a table, in both directions. Context: process. */
#ifndef COWCHAIN_TABLE_H
#define COWCHAIN_TABLE_H

#include "cowchain.h"

/* Parse the table line and open its layers. Return: 0 or -errno; cc->ti->error is set. */
int cc_table_parse(struct cowchain *cc, unsigned int argc, char **argv);

/* Print the table line of the chain as it is. Return: bytes. */
unsigned int cc_table_print(struct cowchain *cc, char *result, unsigned int maxlen);

/* Print what IMA measures of a table: as other targets do, names with values. Return: bytes. */
unsigned int cc_table_ima(struct cowchain *cc, char *result, unsigned int maxlen);

/**
 * cc_find_layer() - find a layer by its number in the chain, MAJ:MIN or path.
 *
 * Context: cc->ctl held. Return: its index in the current view, or -errno; -EAGAIN is logged: of a
 * suspended device only numbers are known.
 */
int cc_find_layer(struct cowchain *cc, const char *word);

#endif /* COWCHAIN_TABLE_H */
