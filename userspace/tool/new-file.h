/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file that is being made, or overwritten, in a directory that somebody else may own. It is used
 * by its descriptor only, so that it does not matter what happens to its name meanwhile.
 */
#ifndef COWCHAIN_NEW_FILE_H
#define COWCHAIN_NEW_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

struct new_file {
	char *path;		/* as given, for messages; NULL: none */
	int dir;		/* its directory */
	int fd;			/* the file or block device */
	bool made;		/* it did not exist */
	bool blank;		/* a block device without contents */
	bool written;		/* see new_file_written() */
};

enum new_file_flags {
	NEW_FILE_OVERWRITE = 1 << 0,	/* also a file that exists, if it is not in use */
	NEW_FILE_OVERWRITE_DEVICE = 1 << 1, /* also a block device that has contents, if it is not in use */
	NEW_FILE_CAN_OVERWRITE = 1 << 2, /* the verb has an option for the first */
	NEW_FILE_CAN_OVERWRITE_DEVICE = 1 << 3, /* for the second */
	NEW_FILE_RESERVE = 1 << 4,	/* new_file_reserve() will be called */
	NEW_FILE_NO_DEVICE = 1 << 5,	/* a block device is refused */
};

/* A file that is made can be read and written by its owner only. Returns 0, or -1 after a message. */
int new_file_open(struct new_file *file, const char *path, unsigned int flags);
/* The canonical name that the open file has by now. NULL after a message. Caller frees. */
char *new_file_real(const struct new_file *file);
/*
 * The canonical name of what exists where something new may be: whoever owns the directory may just have put a
 * link there, which is followed by the rules for what is overwritten. NULL after a message. Caller frees.
 */
char *new_file_existing(const char *path);
/* The canonical directory; NULL after a message. Caller frees. */
char *new_file_dir(const struct new_file *file);
/* The absolute name for a header, see source_lasting_name(). NULL after a message. Caller frees. */
char *new_file_lasting_name(const struct new_file *file);
/* Is it the file or block device? Also a loop device of it, or the file of a loop device. */
bool new_file_is(const struct new_file *file, const struct stat *st);
/*
 * Make sure that the file system cannot run out of space under the file, without changing its
 * contents or length. Returns 0, or -1 after a message.
 */
int new_file_reserve(const struct new_file *file);
/*
 * After a crash of the host, what was written is there, and a file that was made has its name. Returns 0, or -1
 * after a message.
 */
int new_file_sync(const struct new_file *file);
/* Give a file that was made the owner, group and permissions of another one; a note if that fails. */
void new_file_give(const struct new_file *file, const struct stat *st);
/* Does its name still lead to it? Returns 0, or -1 after a message. */
int new_file_check_name(const struct new_file *file);
/* From now on it may have an image, or a part of one. */
void new_file_written(struct new_file *file);
/*
 * Remove it, if it was made, and its name is not that of another file by now. A block device remains, but
 * without the image that was written to it.
 */
void new_file_remove(const struct new_file *file);
/* Does nothing if the file was never opened. */
void new_file_close(struct new_file *file);

#endif
