/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads a qcow2 header through the code the kernel module uses (kernel/qcow2.c), and the names in it,
 * which are the tool's business alone. The kernel validates everything again; its word counts.
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
	char *backing_format;		/* NULL: the header does not say */
	char *data_name;		/* NULL: the header does not name a data file */
};

/*
 * Reads the header of the image open as fd, file_size bytes long; the reads suit descriptors opened
 * with O_DIRECT. Returns 0 or -1 (said why); then the image holds nothing.
 */
int image_read(int fd, const char *path, uint64_t file_size, struct image *image);
/* The same from memory: the first len bytes of the image. */
int image_parse(const uint8_t *buf, size_t len, const char *path, uint64_t file_size,
		struct image *image);
void image_free(struct image *image);

/*
 * The command that makes the header of path name another backing file, for messages: without -b it
 * would make the image stand alone. format NULL: the user has to fill it in. Caller frees.
 */
char *image_rebase_command(const char *path, const char *backing, const char *format);

/*
 * Can it be the writable top? Looks at the header and at the L1 table, so that an image that was not
 * prepared is refused with the way to make one. Returns 0 or -1 (said why).
 */
int image_check_writable(int fd, const char *path, uint64_t file_size, const struct image *image);

#endif
