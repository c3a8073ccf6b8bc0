/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's image locks. QEMU (block/file-posix.c) announces what it does with a file by OFD read
 * locks on single bytes: byte 100 + n means "I use permission n", byte 200 + n "nobody else may use
 * permission n". With the same locks, QEMU refuses an image that a chain uses, and vice versa.
 *
 * A lock belongs to the open file description. A loop device keeps the description it was
 * configured with, so the locks live as long as the loop device, beyond the end of this program.
 * Locks on block devices that are used directly end with the program.
 */
#ifndef COWCHAIN_LOCK_H
#define COWCHAIN_LOCK_H

#include <stdbool.h>

/*
 * Take the lasting locks, and check that no other program uses the file in a conflicting way.
 * writable: as the top of a chain, else as a read-only layer. Prints nothing.
 *
 * Return: 0; -EBUSY if the image is in use, with the reason and the remedy, in words, in *why;
 * another negative errno if the file system has no such locks, in which case nothing protects the
 * image.
 */
int image_lock(int fd, bool writable, const char **why);

#endif
