/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mutants: damaged images of every kind, one after the other, attached and used.
 *
 * A worker has one file in memory behind one loop device. Every layer is a slice of it, a mapped
 * device of its own, with a guard before and behind it. The file is mapped here, so an image is
 * damaged, looked at and mended by plain stores and loads.
 */
#ifndef COWCHAIN_TEST_MUTANTS_H
#define COWCHAIN_TEST_MUTANTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "common.h"

#define MAX_SLICES	64
#define MAX_TABLES	32
#define GUARD_BYTES	16384u
#define DISK_BYTES	(4ull << 20)	/* of the guest; make-fixtures has the same */

/* What the undamaged image says; all 0 for what is no qcow2. */
struct geometry {
	unsigned int cluster_bits;
	bool ext_l2;
	uint32_t header_length;
	uint64_t l1_offset;
	uint32_t l1_entries;
	uint64_t rt_offset;
	uint64_t table[MAX_TABLES];	/* L2 */
	unsigned int tables;
};

struct slice {
	char file[32];
	char name[48];		/* of the mapped device */
	char number[24];	/* "MAJ:MIN", for tables */
	const uint8_t *pristine;	/* len bytes; zeros behind the end of the file */
	uint8_t *map;		/* the same bytes as they are now */
	uint64_t offset;	/* in the worker's file */
	uint64_t len;		/* a multiple of 4096 */
	bool cut;		/* the mapped device is shorter now */
	bool was_cut;		/* ... or was, with this mutant */
	struct geometry g;
};

enum kind {
	KIND_NONE,		/* nothing: everything has to work */
	KIND_HEADER_BITS,
	KIND_HEADER_FIELD,
	KIND_EXTENSIONS,
	KIND_IDENTITY,
	KIND_L1,
	KIND_L2,
	KIND_L2_MANY,
	KIND_REFCOUNTS,
	KIND_BYTES,
	KIND_SIZES,
	KIND_CUT,
	KINDS
};

struct mutant {
	uint64_t seed;
	struct rng rng;
	struct slice *base;	/* NULL: none */
	struct slice *mid;
	struct slice *top;	/* NULL: mid is the top, and read only */
	struct slice *top_data;
	struct slice *mid_data;
	struct slice *spare;
	struct slice *spare_data;
	struct slice *target;	/* who is damaged */
	enum kind kind;
	bool live;		/* and goes on to be while it is in use */
	bool writable;
	bool spare_used;
};

/* What the parent looks at. */
struct pulse {
	_Atomic uint64_t beats;
	_Atomic uint64_t seed;
	const char *_Atomic doing;
	_Atomic uint64_t mutants, accepted, streams, snapshots, eio, live;
	_Atomic bool done;
	_Atomic bool failed;
};

struct worker {
	unsigned int id;
	const char *dir;	/* of the images */
	struct pulse *pulse;
	int loop;
	char loop_path[32];
	uint8_t *map;
	uint64_t bytes;
	struct slice slice[MAX_SLICES];
	unsigned int slices;
	uint8_t *shadow;	/* what the damaged image has to be if nobody writes to it */
	bool verbose;
	int kmsg;
	struct mutant m;
};

/* Says what is wrong with the mutant at hand. */
void worker_fail(struct worker *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline void worker_beat(struct worker *w, const char *doing)
{
	w->pulse->doing = doing;
	w->pulse->beats++;
}

/* dev.c */
void worker_setup(struct worker *w, const char *file);
void worker_teardown(struct worker *w);
struct slice *worker_slice(struct worker *w, const char *file);
/* A shorter device, or the whole one again. */
void slice_cut(struct worker *w, struct slice *s, uint64_t len);
/* Guards and whoever must not have been written to are as they were; then all is mended. */
void worker_verify(struct worker *w);
void worker_log_open(struct worker *w);
/* The block layer has stopped nothing that was meant for the mutant's slices. */
void worker_log_check(struct worker *w);
/* All slices and guards. */
void worker_verify_all(struct worker *w);

/* image.c */
void geometry_read(struct geometry *g, const uint8_t *p, uint64_t len);
/* Damages the target by the mutant's kind, in the image and the shadow. */
void mutate(struct worker *w, struct rng *rng, enum kind kind);

/* use.c: attaches the mutant, uses it, and removes it. */
void mutant_use(struct worker *w);

#endif
