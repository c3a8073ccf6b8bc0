/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is on a block device.
 */
#ifndef COWCHAIN_CONTENTS_H
#define COWCHAIN_CONTENTS_H

#include <stdbool.h>

/*
 * What the block device that is open for reading contains, as words for a message: "ext4 with the
 * label 'x'", or data of an unknown kind. NULL if it seems to be empty. Caller frees.
 */
char *contents_find(int fd);

/*
 * Overwrite by zeros what tells that an image is on a block device that is open for writing; all: also whatever
 * else contents_find() would find of it. Returns 0, or -1 with errno.
 */
int contents_clear(int fd, bool all);

#endif
