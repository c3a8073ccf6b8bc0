/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which loop devices may show which file, looked up once for all layers of a chain.
 */
#ifndef COWCHAIN_LOOP_INDEX_H
#define COWCHAIN_LOOP_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/*
 * From the first loop_index_next() on until the end, the index has the devices that there were then. Without one, a chain
 * of n layers among m loop devices reads n * m attributes.
 *
 * To be used for files that are only read, and that are all locked before the first of them is looked up. Whoever writes
 * one of them makes a loop device and then locks the file, as loop_attach() and its callers do: either the device is in
 * the index, or that lock is refused. A device that a reader has made since is not shared, which costs no more than a
 * second one.
 */
void loop_index_begin(void);
void loop_index_end(void);
bool loop_index_active(void);

/*
 * The next device that may show the file, "loop3", from *at on, which is 0 at first; NULL: no more. What it shows has still
 * to be looked at.
 */
const char *loop_index_next(const struct stat *file, size_t *at);

#endif
