/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: plays a log of dm-log-writes back and judges the chain at each point where the power
 * could have been lost. All devices of the chain are slices of the one that is logged, so that the
 * log has one order for all; but a flush of one device makes nothing durable on another.
 *
 * Reads qcow2 by the specification, apart from the kernel's code and from QEMU's.
 */
#ifndef COWCHAIN_TEST_CRASH_H
#define COWCHAIN_TEST_CRASH_H

#include "common.h"

#define MAX_SLICES	8
#define MAX_TOPS	2
#define MAX_BELOW	8
#define NAME_LEN	64

/* What a sector of data is worth to the guest: an operation's number, or one of these. */
#define V_INIT		0u		/* what the disk held before the run */
#define V_ZERO		0xffffffffu
#define V_BAD		0xfffffffeu	/* nobody ever wrote that there */
#define V_TRASH		0xfffffffdu	/* discarded: may be anything */
#define V_META		0xfffffffcu	/* is no data */
#define V_OPS		0xfffffff0u

/* ---- log.c: the log ---- */

enum entry_kind { E_WRITE, E_DISCARD, E_FLUSH, E_MARK };

struct entry {
	enum entry_kind kind;
	bool fua;
	uint64_t sector;	/* of the logged device */
	uint32_t sectors;
	unsigned int slice;	/* of a write */
	uint32_t slices;	/* of a flush: bits of those that it may have been for */
	uint32_t *value;	/* of a write: one for each sector */
	const uint8_t *data;
	char mark;		/* kind of the mark */
	uint64_t a, n;		/* its numbers */
	char text[32];		/* a mark of another kind */
};

struct crash_log {
	struct entry *e;
	uint32_t n;
	uint64_t writes, flushes, marks, discards, unclear, moved;
};

struct slice {
	char file[NAME_LEN];
	uint64_t start;		/* sector of the logged device */
	uint64_t sectors;
	unsigned int major, minor;
};

void log_read(struct crash_log *l, const char *file, const struct slice *slices, unsigned int n);
/* By what was traced on the slices, which one each flush of the log was for. */
void log_attribute(struct crash_log *l, const char *trace, const struct slice *slices,
		   unsigned int n);

/* ---- image.c: the images ---- */

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
	uint32_t job;
};

/* What changes in a header. */
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

/* Learns the geometry of a prepared image from what @img holds before the run. */
void top_open(struct top *t, const uint8_t *img, const struct slice *meta,
	      const struct slice *data);
/* NULL, or why the header is none that may be there. Fills @head. */
const char *top_head(const struct top *t, struct head *head);
/* NULL, or why the entry of a cluster is none that a writer leaves. Gets its bitmap. */
const char *top_entry(const struct top *t, uint32_t cluster, uint64_t *bitmap);
/* NULL, or why nothing may be written to that sector of the slice meta. */
const char *top_may_write(const struct top *t, uint64_t sector);
/* Is @parent, which may have no identity, acceptable to @id as the layer below? */
bool ident_stands_on(const struct ident *id, const struct ident *parent);
bool head_equal(const struct head *a, const struct head *b);

/* ---- model.c: what was written when ---- */

struct cop {
	char kind;		/* a letter, see chainstress; 0: none of that number */
	uint32_t sector, sectors;
	uint64_t submit, ack;
};

struct model {
	uint64_t seed;
	struct cop *op;
	uint32_t n_ops;
	uint32_t *by_ack;	/* numbers of those that were acknowledged, in that order */
	uint32_t n_acked, next_acked;
	uint64_t *mark_tick;
	uint64_t n_marks;
	char message[8][128];
	unsigned int n_messages;
	const uint8_t *initial;
	uint32_t sectors;
	uint32_t *floor;	/* for each sector: the last operation that has to last */
	uint64_t upper;		/* nothing was submitted later than at this tick */
};

void model_load(struct model *m, const char *record, const uint8_t *initial, uint32_t sectors);
/* What these 512 bytes are at guest sector @g. */
uint32_t model_value(const struct model *m, uint32_t g, const void *data);
void model_floor(struct model *m, const struct entry *mark);
/* NULL, or what is wrong with reading @value at @g. */
const char *model_check(const struct model *m, uint32_t g, uint32_t value);
/* Is @newer the younger one of two values of sector @g? Zeros may be anything's. */
bool model_newer(const struct model *m, uint32_t g, uint32_t newer, uint32_t than);
int model_message(const struct model *m, const char *prefix);

#endif
