/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the layer below an image was when the image was last made or attached. This is kept beside the image, in an
 * extended attribute that only root can write and read: a copy of the image, elsewhere or at another time, has
 * none. Where there are no such attributes, nothing is recorded.
 */
#ifndef COWCHAIN_RECORD_H
#define COWCHAIN_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct record - a layer below.
 * @size: of its disk, in bytes.
 * @ino, @born, @born_ns: what tells its file from others; zeros for a block device, whose number may change.
 * @name: in the header of the image. Points into the text it was parsed from.
 */
struct record {
	uint64_t size;
	uint64_t ino;
	int64_t born;
	uint32_t born_ns;
	const char *name;
};

/* The text that is stored. Caller frees. Pure. */
char *record_format(const struct record *rec);
/* Returns 0, or -1 if it is not of this version, or damaged. Pure. */
int record_parse(const char *text, struct record *rec);

/* Fill in all but the size: of the open file, which the header names so. */
void record_of(int fd, const char *name, struct record *rec);

/* Does the top's disk, of so many bytes, have other contents with the one than with the other? Pure. */
bool record_size_matters(const struct record *was, const struct record *now, uint64_t disk);
/* Is it another file? Pure. */
bool record_other_file(const struct record *was, const struct record *now);

/* Read what was recorded for the image that is open as fd. NULL if there is nothing. Caller frees the text. */
char *record_read(int fd, struct record *rec);
/* Errors are of no interest: nothing depends on it. */
void record_write(int fd, const struct record *rec);
/* What is below is about to change: until record_write(), also after a crash, nothing is recorded. */
void record_forget(int fd);

#endif
