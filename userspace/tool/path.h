/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of images: what a header may name, and what is written into one.
 */
#ifndef COWCHAIN_PATH_H
#define COWCHAIN_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Directories the user allowed besides an image's own; canonical, without a slash at the end. */
struct allow_dirs {
	char **dirs;
	size_t nr;
};

/* --allow-dir DIR. Returns 0 or -1 (said why). */
int allow_dirs_add(struct allow_dirs *allow, const char *dir);
void allow_dirs_free(struct allow_dirs *allow);

/* Everything before the last slash; "." without one, "/" for a file in the root. Caller frees. */
char *path_dir(const char *path);
/* What follows the last slash. */
const char *path_base(const char *path);
/* path itself if it is absolute, else below the working directory. Not canonical. Caller frees. */
char *path_absolute(const char *path);
/* Is the canonical path inside the canonical directory, at any depth? */
bool path_below(const char *path, const char *dir);

/*
 * "nbd:...", "json:...", "file:...": QEMU's rule is a colon before the first slash. A plain file can
 * have such a name too; "./a:b" is the way to write it.
 */
bool path_has_protocol(const char *name);

/*
 * The name under which a header in image_dir refers to target (both absolute): relative to the
 * image's directory where target is a file below it, so that the directory can be moved; else
 * absolute. Caller frees.
 */
char *path_stored_name(const char *image_dir, const char *target);

#define PATH_BACKING "backing file"
#define PATH_DATA "data file"

/*
 * The file that the header of image names as its PATH_BACKING or PATH_DATA (what), resolved as QEMU
 * does it: relative to the directory of image as it was given.
 * A name comes from a guest-writable file, so it is refused unless the file it really leads to is
 * below image's own directory or an allowed one. Returns the path, caller frees, or NULL (said why).
 */
char *path_follow(const char *image, const char *name, const char *what,
		  const struct allow_dirs *allow);

/* Would path_follow() allow real, named by an image in the canonical directory own_dir? */
bool path_allowed(const char *real, const char *own_dir, const struct allow_dirs *allow);

#endif
