/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads qcow2 headers with the code of the kernel module (kernel/qcow2.c), and the names in them,
 * which only the tool uses. The kernel validates everything again and has the last word.
 */
#ifndef COWCHAIN_IMAGE_H
#define COWCHAIN_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qcow2-ident.h"
#include "qcow2.h"

struct image {
	struct q2_info info;
	struct q2_ident ident;
	char *backing_name;		/* NULL: no backing file */
	char *backing_format;		/* NULL: not in the header */
	char *data_name;		/* NULL: not in the header */
};

/*
 * Read the header of the image that is open as fd and file_size bytes long. The reads are aligned
 * for descriptors opened with O_DIRECT. Returns 0, or -1 after a message: then image holds nothing.
 */
int image_read(int fd, const char *path, uint64_t file_size, struct image *image);
/* The same from memory: buf holds the first len bytes of the image. */
int image_parse(const uint8_t *buf, size_t len, const char *path, uint64_t file_size,
		struct image *image);
void image_free(struct image *image);

/*
 * Replace the name of the data file in the header, if it is from, by another one of the same length.
 * Returns 0, or -1 after a message.
 */
int image_rename_data(int fd, const char *path, const char *from, const char *to);

/*
 * For messages: the command that puts another backing file into the header of path. Without -b it
 * would leave the image without one. format NULL: the user has to fill it in. Caller frees.
 */
char *image_rebase_command(const char *path, const char *backing, const char *format);

/*
 * Can it be a writable top? Checks the header and the L1 table. The message ends with the remedy for an image
 * that is not prepared. Returns 0, or -1 after a message.
 */
int image_check_writable(int fd, const char *path, uint64_t file_size, const struct image *image,
			 const char *remedy);

#endif
