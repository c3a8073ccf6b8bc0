/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a loop device shows of its file.
 */
#ifndef COWCHAIN_LOOP_SHOWS_H
#define COWCHAIN_LOOP_SHOWS_H

#include <linux/loop.h>
#include <stdbool.h>
#include <sys/stat.h>

/* Is it a loop device of the file, whatever part of it it shows? */
bool loop_shows_inode(const struct loop_info64 *info, const struct stat *st);

/*
 * Does the loop device that is open as fd show all whole sectors of the file and nothing else? Its size was
 * that of the file when it was made: the file may have grown or become shorter since.
 */
bool loop_shows_all(int fd, const struct loop_info64 *info, const struct stat *st);

/*
 * How a loop device of the file differs from one that is made now: NULL if it has the same bytes in the same
 * sectors, else words that go behind its name. Caller frees.
 */
char *loop_shows_other(int fd, const struct loop_info64 *info, const struct stat *st);

#endif
