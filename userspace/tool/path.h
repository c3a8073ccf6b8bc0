/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of images: which names from headers are followed, and which are written into headers.
 */
#ifndef COWCHAIN_PATH_H
#define COWCHAIN_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "path-links.h"

/*
 * Directories that the user allowed besides the directory of an image; canonical, without a
 * trailing slash.
 */
struct allow_dirs {
	char **dirs;
	size_t nr;
};

/* --allow-dir DIR. Returns 0, or -1 after a message. */
int allow_dirs_add(struct allow_dirs *allow, const char *dir);
void allow_dirs_free(struct allow_dirs *allow);

/* What precedes the last slash; "." without one, "/" for a file in the root. Caller frees. */
char *path_dir(const char *path);
/* What follows the last slash. */
const char *path_base(const char *path);
/* path if it is absolute, else path below the working directory. Not canonical. Caller frees. */
char *path_absolute(const char *path);
/* Is the canonical path inside the canonical directory, at any depth? */
bool path_below(const char *path, const char *dir);

/*
 * Is it "nbd:...", "json:...", "file:..."? QEMU looks for a colon before the first slash. For a
 * plain file with such a name, write "./a:b".
 */
bool path_has_protocol(const char *name);

/*
 * The name by which a header in image_dir refers to target (both absolute). Relative if target is a
 * file below image_dir, so that the directory can be moved; else absolute. Caller frees.
 */
char *path_stored_name(const char *image_dir, const char *target);

#define PATH_BACKING "backing file"
#define PATH_DATA "data file"

/* An image with names in its header. */
struct path_image {
	const char *path;	/* as it was given */
	const char *real;	/* canonical path of the file that was opened */
	bool device;		/* it is on a block device */
};

/**
 * struct path_case - a name that an image has for a file; all paths are absolute.
 * @own: the canonical directory of the image, of where it really is; NULL if it is on a block device, since there is nothing
 *	of the image's owner beside the node of a device.
 * @names, @nr_names: the names on the way.
 * @real: the canonical path of the file that it leads to.
 * @block: that is a block device.
 */
struct path_case {
	const char *own;
	const struct path_name *names;
	size_t nr_names;
	const char *real;
	bool block;
};

/*
 * May the image have this file as a layer or as its data? It may if the file is below its own
 * directory, or below one that the user has allowed. It also may if a name on the way is below such a
 * directory, and nobody but root decides where that leads, as for the volumes in /dev/vg: what others link
 * in an allowed directory could lead to any file of the host. Neither /dev nor the root directory makes
 * devices its own. Pure.
 */
bool path_allowed(const struct path_case *c, const struct allow_dirs *allow);
/*
 * For messages: a directory that would allow it, if that is one that does not allow all disks or all files of
 * the host; else NULL. Caller frees. Pure.
 */
char *path_remedy(const struct path_case *c);
/* The directory of path; NULL if that is / or /dev, which no message advises to allow. Caller frees. Pure. */
char *path_narrow_dir(const char *path);
/* Is the canonical path below a directory that the user has allowed? Pure. */
bool path_given(const char *real, const struct allow_dirs *allow);

/*
 * The file that the header of image names as its PATH_BACKING or PATH_DATA (what), resolved as in
 * QEMU: relative to the directory of image as it was given. The name may have been written by a
 * guest, so it is refused unless path_allowed().
 *
 * Return: the path, or NULL after a message. *real gets the canonical path that was allowed: links
 * can change before the file is opened, so that must be the one that is opened. The caller frees
 * both.
 */
char *path_follow(const struct path_image *image, const char *name, const char *what,
		  const struct allow_dirs *allow, char **real);

#endif
