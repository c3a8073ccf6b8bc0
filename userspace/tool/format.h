/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Recognizes the formats of image files, by their first and last bytes, and tells how to get a layer out of one
 * that cannot be a layer.
 *
 * It is for messages only, and never decides how a layer is used: a guest can write any of these bytes onto its
 * raw disk.
 */
#ifndef COWCHAIN_FORMAT_H
#define COWCHAIN_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

enum format_way {
	FORMAT_LAYER,		/* can be a layer: qcow2 */
	FORMAT_CONVERT,		/* QEMU reads it */
	FORMAT_LUKS,		/* QEMU reads it, with a key */
	FORMAT_UNPACK,		/* has to be unpacked first */
};

/**
 * struct format - a format.
 * @what: for messages, with an article.
 * @driver: QEMU's name of it; of FORMAT_UNPACK, the command that unpacks.
 * @at_end: what shows it is at the end of the file, which may begin with the guest's disk.
 */
struct format {
	const char *what;
	const char *driver;
	enum format_way way;
	bool at_end;
};

/*
 * The format that the file or block device, open as fd and size bytes long, begins or ends like; NULL for none
 * that is known, as for most raw disks. The reads are aligned for O_DIRECT.
 */
const struct format *format_find(int fd, uint64_t size);
/* The one that QEMU calls by this name; NULL if it is not known. Pure. */
const struct format *format_by_driver(const char *driver);

/*
 * For messages: what to do with the file at path, which has this format and cannot be a layer. Caller
 * frees.
 */
char *format_remedy(const struct format *format, const char *path);
/* The same for a qcow2 image that is encrypted. */
char *format_remedy_encrypted(const char *path);

/*
 * A name for a file that is to be made of the one at path, with suffix in place of ".img" or the like, which
 * nothing has yet. Beside that file, or in the working directory if it is in /dev or its directory cannot be
 * written. Caller frees.
 */
char *format_new_name(const char *path, const char *suffix);

#endif
