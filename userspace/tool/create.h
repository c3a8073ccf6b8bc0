/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes images that are prepared for writing, with qemu-img.
 */
#ifndef COWCHAIN_CREATE_H
#define COWCHAIN_CREATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target.h"

#define DEFAULT_CLUSTER_SIZE (128U << 10)
#define MAX_CLUSTER_SIZE (2U << 20)

struct create_request {
	const char *path;
	const char *data_file;		/* NULL: everything in one file */
	const char *backing;		/* absolute path, NULL: none */
	const char *backing_name;	/* to store instead of a name made from backing */
	enum layer_kind backing_kind;
	char **below;			/* what else the chain below lives on: not to be overwritten */
	size_t nr_below;
	uint64_t size;			/* bytes */
	uint64_t cluster_size;		/* bytes */
	bool overwrite;			/* existing files or block devices */
	bool can_overwrite;		/* there is an option for it */
	bool reserve;			/* the space on the file system, too */
};

/* What create_image() made and create_undo() removes. */
struct created {
	char *image;
	char *data;
};

/* Returns 0 or -1 (said why); nothing is left behind then, nor after a signal. */
int create_image(const struct create_request *req, struct created *made);
/* Removes what was made, as a later step failed. */
void create_undo(struct created *made);
/* Keeps it. */
void create_done(struct created *made);

/* --cluster-size. Returns 0 or -1 without a message. */
int parse_cluster_size(const char *text, uint64_t *out);

#endif
