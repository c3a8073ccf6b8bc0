/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loop devices. Only loop.c and loop-shows.c use their ioctls and their attributes in sysfs.
 */
#ifndef COWCHAIN_LOOP_H
#define COWCHAIN_LOOP_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Make a loop device of the file open as fd, with direct I/O, 512-byte sectors and autoclear: it
 * vanishes with its last user, so the returned descriptor must stay open until the chain is loaded.
 * If writable is false, one that is there already is shared, also a writable one, if it shows the same bytes
 * in the same sectors as a new one: then the kernel sees one device, and refuses what does not go together.
 * path is for messages.
 *
 * Return: a descriptor of the loop device, with its number in *dev, or -1 after a message.
 */
int loop_attach(int fd, const char *path, bool writable, dev_t *dev);

/*
 * Make a writable one of a file that is a lower layer: other is the device that the chain reads, and remains. Both
 * show the same bytes: they go through the cache of one file, or past it. Returns as above.
 */
int loop_attach_beside(int fd, const char *path, dev_t other, dev_t *dev);

/* Would a loop device of a file that is not there yet have direct I/O? True if its directory cannot tell. */
bool loop_new_file_is_direct(const char *path);

/* Can that block device, of whatever kind, be written? */
bool loop_is_writable(dev_t dev);

/* Is it a loop device, or a partition of one? The name of such a device is not a lasting one. */
bool loop_is(dev_t dev);
/*
 * The absolute name of the file of a loop device. NULL if dev is no loop device, if it shows only a
 * part of the file or the file's length has changed since, or if the name leads to nothing, to another file, or out of this mount
 * namespace. Caller frees.
 */
char *loop_file(dev_t dev);

/*
 * The same, to be shown only: whatever the length, and where the file system may not answer, the kernel's
 * name is not checked.
 */
char *loop_shown_file(dev_t dev);

/* Returns 0, or -1 after a message if a loop device shows the file. */
int loop_check_unused(const struct stat *st, const char *path);
/* Is dev a loop device of the file? */
bool loop_shows_file(dev_t dev, const struct stat *st);

/* The path of a loop device that shows the block device; NULL if there is none. Caller frees. */
char *loop_of_device(dev_t dev);

/*
 * Open the file of a loop device for reading, if it can be found and the device shows all of it.
 * Returns a descriptor, with the path in *path, which the caller frees; or -1 without a message.
 */
int loop_open_file(dev_t dev, char **path);
/* The size of the file has changed: show all of it. Returns 0, or -1 with errno. */
int loop_take_size(dev_t dev);

#endif
