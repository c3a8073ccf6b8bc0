/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the verbs snapshot and copy share: a new, empty layer on top of a live chain.
 */
#ifndef COWCHAIN_SNAPSHOT_H
#define COWCHAIN_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "create.h"
#include "layer.h"
#include "live.h"
#include "verb.h"

struct snapshot {
	const char *name;		/* of the device */
	const char *image;		/* the new top */
	const char *data_file;
	const char *backing_file;	/* --backing-file, or NULL */
	struct layer_options opt;
	uint64_t cluster_size;		/* bytes */
	bool reserve;
	bool overwrite;			/* what is on a block device */
	bool check_space;		/* fail if a copy of the whole disk does not fit */
};

extern const struct opt opt_backing_file, opt_data_dir;

#define SNAPSHOT_OPTIONS NEW_IMAGE_OPTIONS, &opt_backing_file, &opt_data_dir, &opt_no_lock

extern const struct operand snapshot_operands[];
extern const char snapshot_new_help[];

void snapshot_init(struct snapshot *snap);
void snapshot_free(struct snapshot *snap);

/* Take one of SNAPSHOT_OPTIONS. Returns 0, or an exit status after a message. */
int snapshot_option(const char *verb, int id, const char *value, struct snapshot *snap);
/* Take NAME and NEW, from optind on. Returns 0, or an exit status after a message. */
int snapshot_take_operands(const char *verb, int argc, char **argv, struct snapshot *snap);

/* Returns 0, or -1 after a message: then chain and file system are as before. */
int snapshot_take(const struct snapshot *snap, const struct live *live);

/* The same in steps. */
struct snapshot_new {
	const struct snapshot *snap;
	const struct live *live;
	char *top;		/* the file of the present top; NULL if it was named */
	struct created made;
	struct layer layer;
};

/* Make the image or check it. Returns 0, or -1 after a message: then nothing was made. */
int snapshot_ready(const struct snapshot *snap, const struct live *live, struct snapshot_new *new);
/* message: "snapshot" or "snapshot-prepare". Returns 0, or something else after a message or a signal. */
int snapshot_send(struct snapshot_new *new, const char *message);
/* Keep what was made, or remove it. */
void snapshot_end(struct snapshot_new *new, bool taken);

#endif
