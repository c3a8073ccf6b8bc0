/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: a prepared qcow2 image, and what must hold for it at any time.
 */
#ifndef COWCHAIN_CRASH_IMAGE_H
#define COWCHAIN_CRASH_IMAGE_H

#include "crash.h"

#define UUID_LEN	16

struct ident {
	bool present;
	uint64_t sequence;
	uint8_t uuid[UUID_LEN];
	uint64_t generation;
	uint8_t parent[UUID_LEN];
	uint64_t parent_generation;
	bool sealed;
	bool other;
	uint8_t other_uuid[UUID_LEN];
	uint64_t other_generation;
	uint32_t job;		/* JOB_... */
	bool copied;
	uint8_t job_uuid[UUID_LEN];	/* JOB_TARGET: the topmost layer that is committed; with it, */
	uint64_t job_generation;	/* what was made for this generation is right; 0: for none */
	uint64_t job_top_generation;	/* that layer has to be as old as this at least */
};

#define JOB_STREAM	1u
#define JOB_COMMIT	2u
#define JOB_TARGET	3u
#define JOB_PIVOTED	4u	/* of a top that is no longer one */

/* The parts of a header that change. */
struct head {
	char name[NAME_LEN];	/* of the backing file, "" if none */
	struct ident ident;
};

struct top {
	const struct slice *meta;
	const struct slice *data;	/* NULL: in the same file */
	const uint8_t *img;		/* of the slice meta */
	uint8_t *first_header;		/* before the run */
	unsigned int cluster_bits;
	uint64_t size;
	uint32_t clusters;
	uint64_t *l2;			/* offset of each cluster's entry in the slice */
	uint64_t *host;			/* offset of each cluster's data in its slice */
	uint32_t *guest;		/* for each sector of the data slice, or NO_GUEST */
	uint8_t *is_l2;			/* for each 4 KiB of the slice meta */
};

#define NO_GUEST	0xffffffffu

/* Reads the geometry of a prepared image from @img, as it is before the run. */
void top_open(struct top *t, const uint8_t *img, const struct slice *meta,
	      const struct slice *data);
/* Fills @head. Return: NULL, or why the header is not valid. */
const char *top_head(const struct top *t, struct head *head);
/* Gets the bitmap of a cluster. Return: NULL, or why its entry is not one that a writer leaves. */
const char *top_entry(const struct top *t, uint32_t cluster, uint64_t *bitmap);
/* Return: NULL, or why that sector of the slice meta may not be written. */
const char *top_may_write(const struct top *t, uint64_t sector);
/*
 * Is @parent, which may have no identity, acceptable to @id as the layer below? @shadowed: what a
 * commit has changed in it is hidden by a layer above.
 */
bool ident_stands_on(const struct ident *id, const struct ident *parent, bool shadowed);
/* Is it accepted as the top? */
bool ident_may_be_top(const struct ident *id);
/* Does @id name the topmost layer that is committed into @target? */
bool ident_shadows(const struct ident *id, const struct ident *target);
bool head_equal(const struct head *a, const struct head *b);

#endif
