/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes images that are prepared for writing, with qemu-img.
 */
#ifndef COWCHAIN_CREATE_H
#define COWCHAIN_CREATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layer.h"
#include "new-file.h"
#include "target.h"

#define DEFAULT_CLUSTER_SIZE (128U << 10)
#define MAX_CLUSTER_SIZE (2U << 20)

struct create_request {
	const char *path;
	const char *data_file;		/* NULL: data and metadata in one file */
	const char *backing;		/* absolute path, NULL: none */
	const char *backing_name;	/* stored in place of a name made from backing */
	enum layer_kind backing_kind;
	uint64_t backing_size;		/* bytes of its disk; 0: unknown, so that nothing is recorded */
	char **below;			/* more files of the chain below: not overwritten */
	size_t nr_below;
	uint64_t size;			/* bytes */
	uint64_t cluster_size;		/* bytes */
	bool overwrite;			/* existing files, or contents of block devices */
	bool can_overwrite;		/* the verb has an option for it */
	bool devices_only;		/* both are about block devices only */
	bool reserve;			/* allocate all space on the file system */
};

/* The files that create_image() opened or made. */
struct created {
	struct new_file image;
	struct new_file data;
	uint64_t planned;	/* with --dry-run (plan.h), nothing was made: bytes of the disk; else 0 */
};

/*
 * Returns 0, or -1 after a message. Leaves nothing behind on failure or after a signal. The files
 * remain open until create_done().
 */
int create_image(const struct create_request *req, struct created *files);
/*
 * Open a top by the names of its image and of its data file (or NULL), as it is on disk. Whoever owns the
 * directory may have exchanged what create_image() made; nothing else is opened in its place. What files does
 * not hold is the user's: see new_file_existing(). Returns 0, or -1 after a message: then layer holds nothing.
 */
int create_open(const struct created *files, const char *image, const char *data,
		const struct layer_options *opt, struct layer *layer);
/* See new_file_sync(). */
int create_sync(const struct created *files);
/*
 * Close what existed, which is not removed anyway: the kernel is to claim a block device, of which this program
 * is the only user so far.
 */
void create_let_go(struct created *files);
/* Remove what was made, because a later step failed. */
void create_undo(struct created *files);
/* Keep it. */
void create_done(struct created *files);

#endif
