/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parts of a disk in the order in which somebody has read them: a text file with a line "OFFSET LENGTH" for each, in
 * bytes.
 */
#ifndef COWCHAIN_PARTS_H
#define COWCHAIN_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Fewer than the 4096 that may wait in the kernel at a time, so that there is room for those that are promoted. */
#define PARTS_MAX 3072

/* Bytes. */
struct part {
	uint64_t offset, length;
};

struct parts {
	struct part *part;	/* in order */
	size_t nr;
	size_t room;
	uint64_t bytes;		/* of all */
	bool full;		/* there was no place for another one: nothing is added any more */
	size_t *sorted;		/* their numbers, by offset; they have nothing in common */
};

/*
 * Add what of this is not there yet. Returns how many bytes that was. It makes the last part longer if it goes on
 * there, and others otherwise.
 */
uint64_t parts_add(struct parts *parts, uint64_t offset, uint64_t length);
/*
 * From a regular file. Returns 0, or -1 after a message. parts are empty before; what is behind the first PARTS_MAX is
 * left out, with a note.
 */
int parts_load(struct parts *parts, const char *path);
/* Returns 0, or -1 with errno. */
int parts_print(const struct parts *parts, FILE *f);
void parts_free(struct parts *parts);

#endif
