/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reserves the space of a file.
 */
#ifndef COWCHAIN_RESERVE_H
#define COWCHAIN_RESERVE_H

#include <stdint.h>

/*
 * Within a hold, have the file system keep space for all of the first size bytes of a file, whose contents and length
 * remain. In a terminal, how far it is is shown under that name. Returns 0 or a negative errno without a message; -EINTR
 * after a signal that ends the program.
 */
int reserve(int fd, const char *name, uint64_t size);

#endif
