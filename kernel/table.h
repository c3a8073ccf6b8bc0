/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of a table, in both directions.  Process. */
#ifndef COWCHAIN_TABLE_H
#define COWCHAIN_TABLE_H

#include "cowchain.h"

int cc_table_parse(struct cowchain *cc, unsigned int argc, char **argv);
unsigned int cc_table_print(struct cowchain *cc, char *result, unsigned int maxlen);
int cc_parse_kind(const char *word, enum cc_kind *kind);
const char *cc_kind_name(enum cc_kind kind);
/* The layer slot a word names: number, MAJ:MIN or path; or -errno. */
int cc_find_layer(struct cowchain *cc, const char *word);

#endif /* COWCHAIN_TABLE_H */
