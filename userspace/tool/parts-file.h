/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file of parts that is being made: what was there remains until all of them are known.
 */
#ifndef COWCHAIN_PARTS_FILE_H
#define COWCHAIN_PARTS_FILE_H

#include <stdbool.h>

#include "new-file.h"
#include "parts.h"

/* A regular file, for whoever runs this only; overwrite: or one that exists. Returns 0, or -1 after a message. */
int parts_file_open(struct new_file *file, const char *path, bool overwrite);
/* Returns 0, or -1 after a message: then a file that was made is to be removed, and one that existed is empty. */
int parts_file_save(const struct new_file *file, const struct parts *parts);

#endif
