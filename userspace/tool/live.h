/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An active chain: device, table and the files of its layers.
 */
#ifndef COWCHAIN_LIVE_H
#define COWCHAIN_LIVE_H

#include <sys/stat.h>

#include "dm.h"
#include "target.h"

struct live {
	struct dm_device dev;
	struct table table;
	int turn;		/* see turn.h; -1: none */
};

/*
 * For verbs that take either: is it a chain, or an image? NAME means the device of that name, /dev/mapper/NAME the
 * node; other nodes (/dev/dm-3, links) are found by their number. An image may be on any other device, so these are
 * read, unless there is nothing but a device of that name: then the message tells its type. *name is that of the
 * device, or NULL. Caller frees.
 */
bool live_is_chain(const char *arg, char **name);

/* arg: NAME or /dev/mapper/NAME. Returns 0, or -1 after a message. */
int live_open(struct live *live, const char *arg);
/* The same for a change: other invocations wait until live_close() or live_let_go(). */
int live_open_alone(struct live *live, const char *arg);
void live_let_go(struct live *live);
/* Returns 0, or -1 after a message if the top was replaced since, by dmsetup for instance. */
int live_check_top(const struct live *live);
/* The same if one of the first nr layers is another one. */
int live_check_layers(const struct live *live, unsigned int nr);
void live_close(struct live *live);

static inline unsigned int live_top(const struct live *live)
{
	return live->table.nr_layers - 1;
}

/* Parse the table of a chain. Returns 0, or -1 after a message. */
int live_parse(const struct dm_device *dev, struct table *table);

/*
 * The file of the layer, or its block device, for messages and tables; NULL if unknown. Caller
 * frees.
 */
char *live_layer_file(const struct table_layer *layer);
char *live_file(const struct live *live, unsigned int layer);
/*
 * A lasting name, for a header; NULL for a loop device whose file has none, see loop_file(). Caller
 * frees.
 */
char *live_lasting_file(const struct live *live, unsigned int layer);
/* The same, but NULL comes after a message. */
char *live_file_needed(const struct live *live, unsigned int layer);

/*
 * Find a layer by number, block device or file. Returns its number, or -1 after a message that
 * lists the layers.
 */
int live_find(const struct live *live, const char *arg);

/*
 * The name of a chain that writes to the file or block device, as its top; NULL if there is none, or if this user
 * may not know. Caller frees.
 */
char *live_of_top(const struct stat *st);

/* Is the file or block device that of a layer? (Data files do not count.) */
bool live_has_file(const struct live *live, const char *path);

#endif
