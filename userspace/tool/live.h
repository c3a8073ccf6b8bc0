/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain that is active: device, table and the files under its layers.
 */
#ifndef COWCHAIN_LIVE_H
#define COWCHAIN_LIVE_H

#include "dm.h"
#include "target.h"

struct live {
	struct dm_device dev;
	struct table table;
	int turn;		/* see turn.h; -1: none was taken */
};

/* arg: NAME or /dev/mapper/NAME. Returns 0 or -1 (said why). */
int live_open(struct live *live, const char *arg);
/* The same to change it: other invocations wait until it is closed, or live_let_go(). */
int live_open_alone(struct live *live, const char *arg);
void live_let_go(struct live *live);
/* Returns 0, or -1 (said why) if dmsetup or others have given the device another top since. */
int live_check_top(const struct live *live);
void live_close(struct live *live);

static inline unsigned int live_top(const struct live *live)
{
	return live->table.nr_layers - 1;
}

/* The file behind the layer, or its block device, to be shown; NULL if unknown. Caller frees. */
char *live_file(const struct live *live, unsigned int layer);
/* A name that lasts, for a header: NULL for a loop device whose file has none, see loop_file(). */
char *live_lasting_file(const struct live *live, unsigned int layer);
/* The same, but an unknown name is an error. */
char *live_file_needed(const struct live *live, unsigned int layer);

/*
 * A layer by number, by block device, or by its file. Returns the number or -1 (said why, with the
 * layers there are).
 */
int live_find(const struct live *live, const char *arg);

/* Is the file or block device one of its layers (not: a data file of one)? */
bool live_has_file(const struct live *live, const char *path);

#endif
