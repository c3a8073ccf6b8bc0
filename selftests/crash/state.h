/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: the disk at one point of the log, and all that is needed to judge it.
 */
#ifndef COWCHAIN_TEST_CRASH_STATE_H
#define COWCHAIN_TEST_CRASH_STATE_H

#include "crash.h"
#include "image.h"
#include "log.h"
#include "model.h"

#define MAX_HEADS	64

/* A file below the tops, by the backing file name that refers to it. */
struct below {
	char name[NAME_LEN];	/* "" is none */
	char chain[NAME_LEN];	/* words for a table, base first */
	const struct slice *slice;	/* a raw base that is written; NULL: a file */
	uint32_t *value;	/* of each sector, now */
	const uint8_t *data;	/* NULL: zeros */
};

/* A sector as it was before a trial. */
struct undo {
	uint64_t sector;
	uint32_t value;
	uint8_t data[SECTOR];
};

struct replay {
	char dir[512];
	struct slice slice[MAX_SLICES];
	unsigned int n_slices;
	struct top top[MAX_TOPS];
	unsigned int n_tops;
	struct below below[MAX_BELOW];
	unsigned int n_below;
	char shared[MAX_BELOW][NAME_LEN];	/* files that no point changes */
	unsigned int n_shared;
	const char *final;	/* backing file name after the job */
	bool active;		/* the commit is of the top, which @final replaces */
	const char *into;	/* the file of a layer below the last top that a stream goes into */
	unsigned int job_top;	/* whose header has the job, and is to name @final */
	bool no_model;		/* there is a file system on it: other tools check the contents */

	uint64_t sectors;	/* of the logged device */
	uint8_t *disk;
	uint32_t *value;	/* for each of its sectors */
	uint64_t *fua;		/* number of flushes at its last FUA write, plus one */
	uint64_t flushes;
	struct crash_log log;
	struct model model;

	uint32_t *pending;	/* entries that a power loss may lose */
	uint32_t n_pending;
	struct undo *undo;
	uint32_t n_undo, max_undo;
	bool trying;		/* changes are recorded in undo */

	/* the headers since the last flush of the slice: the old and the new */
	struct head seen[MAX_TOPS][MAX_HEADS];
	unsigned int n_seen[MAX_TOPS];
	struct head head[MAX_TOPS];
	bool begun[MAX_MESSAGES], done[MAX_MESSAGES];
	uint32_t *frozen[2];	/* when a commit began: values of what is committed, and of the base */
	uint64_t frozen_generation;	/* of the base */
	uint32_t *sealed;	/* what the layer with the job showed when a top was put on it */

	struct rng rng;
	const char *text;	/* of the last mark by crashfs, or "" */
	uint64_t bad;
	const char *where;	/* kind of the point, for messages */
	uint32_t at;		/* entry of the log */
};

void state_load(struct replay *r, const char *dir);
/* Applies entry @e for good, or for the time of a trial; with @torn, only some of its sectors. */
void state_apply(struct replay *r, const struct entry *e, bool torn);
/* A message has been begun: what is on disk may count as something else from here on. */
void state_begun(struct replay *r);
void state_try(struct replay *r);
void state_undo(struct replay *r);

#endif
