/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loop devices: the only user of their ioctls and their part of sysfs.
 */
#ifndef COWCHAIN_LOOP_H
#define COWCHAIN_LOOP_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Makes a loop device over the file open as fd, with direct I/O, 512-byte sectors and autoclear: it
 * vanishes with its last user, so the returned descriptor must stay open until the chain is loaded.
 * A read-only one that already shows the whole file is shared. path is for messages. Returns a
 * descriptor of the loop device and sets *dev, or -1 (said why).
 */
int loop_attach(int fd, const char *path, bool writable, dev_t *dev);

/* Is it a loop device, or a partition of one? Their own names mean nothing tomorrow. */
bool loop_is(dev_t dev);
/*
 * The file behind a loop device, absolute. NULL if dev is none; if the device shows a part of the
 * file only; or if the name leads elsewhere: to nothing, to another file, or out of our mount
 * namespace. Caller frees.
 */
char *loop_file(dev_t dev);

/* Refuses, with a message, a file that any loop device shows. Returns 0 or -1. */
int loop_check_unused(const struct stat *st, const char *path);
/* Is dev a loop device of the file? */
bool loop_shows_file(dev_t dev, const struct stat *st);

/*
 * Opens the file behind a loop device for reading, if it can be found and the device shows all of it.
 * Returns a descriptor and the path, which the caller frees; or -1, silently.
 */
int loop_open_file(dev_t dev, char **path);

#endif
