/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lines of /etc/cowchaintab.
 */
#ifndef BOOT_TAB_H
#define BOOT_TAB_H

#include <stdbool.h>
#include <stddef.h>

/* Strings in the order in which they were added. */
struct words {
	char **word;
	size_t nr;
};

struct tab_entry {
	char *name;			/* of the device */
	char *top;			/* an absolute name without ".." */
	bool nofail, noauto, netdev, in_initrd;
	struct words mounts;		/* more that has to be mounted */
	struct words args;		/* options of "cowchain attach" */
};

/* What a line is. */
enum tab_line {
	TAB_NOTHING,			/* empty, or a comment */
	TAB_ENTRY,
	TAB_WRONG,
};

/*
 * Parse a line of len bytes, which is changed. With TAB_ENTRY, *entry is complete; with TAB_WRONG, *why says in
 * words what is wrong; the caller frees both, with tab_entry_free() and free(). Context: process.
 */
enum tab_line tab_parse(char *line, size_t len, struct tab_entry *entry, char **why);
void tab_entry_free(struct tab_entry *entry);

#endif
