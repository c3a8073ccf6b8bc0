/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the file system of an image promises: that a write for which there is no space fails as a
 * whole, and that blocks which are there already are written in place.
 */
#ifndef COWCHAIN_FS_H
#define COWCHAIN_FS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What is known of a file.
 *
 * @type: of the file system, as statfs() has it
 * @nocow: the file system writes the file in place, although it does so with no others
 * @told: the file system tells the alignment of direct I/O
 * @align: that alignment in bytes; 0 if there is no direct I/O
 * @holes: parts of the file have no space yet
 * @shares: it shares blocks with other files
 */
struct fs_facts {
	long type;
	bool nocow;
	bool told;
	unsigned int align;
	bool holes;
	bool shares;
};

/* How many bytes of an open file are shared with other files: writing there allocates new space. */
uint64_t fs_shared_bytes(int fd);

/* Ask the file system of an open file. Returns 0, or -1 without a message. */
int fs_ask(int fd, struct fs_facts *facts);

/*
 * Why data may be lost without an error when the file system runs full, if the file is written
 * through a loop device; loop_direct: that device claims direct I/O, which says only that the file
 * system does not refuse it. The text has the remedy, too. NULL if nothing can be lost. Caller frees.
 */
char *fs_doubt(const struct fs_facts *facts, bool loop_direct);

/*
 * Have the file system write the file in place, which works only while it is empty. Does nothing if
 * all files are written in place. Returns 0, or -1 with errno.
 */
int fs_write_in_place(int fd);

#endif
