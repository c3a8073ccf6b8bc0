/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the generator tells systemd about the chains of the table.
 */
#ifndef BOOT_UNITS_H
#define BOOT_UNITS_H

#include "tab.h"

struct units {
	const char *dir;		/* for generated units */
	const char *tab;		/* the table, for comments and messages */
};

/*
 * Write what makes a unit of cowchain@.service for an entry of that line of the table. Returns 0, or -1 after
 * log_error(). Context: process.
 */
int units_write(const struct units *units, const struct tab_entry *entry, unsigned int line);

#endif
