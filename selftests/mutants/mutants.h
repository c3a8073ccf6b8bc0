/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mutantwalk: damaged images of every kind, one after the other, attached and used.
 *
 * A worker has one file in memory below one loop device. Every layer is a slice of it, a mapped
 * device of its own, with a guard before and behind it. The file is mapped into the worker, so
 * plain stores and loads damage, compare and restore an image.
 */
#ifndef COWCHAIN_TEST_MUTANTS_H
#define COWCHAIN_TEST_MUTANTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "common.h"
#include "geometry.h"

#define MAX_SLICES	64
#define GUARD_BYTES	16384u
#define DISK_BYTES	(4ull << 20)	/* of the guest; make-fixtures has the same */

struct slice {
	char file[32];
	char name[48];		/* of the mapped device */
	char number[24];	/* "MAJ:MIN", for tables */
	const uint8_t *pristine;	/* len bytes; zeros behind the end of the file */
	uint8_t *map;		/* the same bytes as they are now */
	uint64_t offset;	/* in the worker's file */
	uint64_t len;		/* a multiple of 4096 */
	bool cut;		/* the mapped device is shorter now */
	bool was_cut;		/* ... or was, during this mutant */
	struct geometry g;
};

enum kind {
	KIND_NONE,		/* no damage: everything has to work */
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
	KIND_PACKED,		/* compressed clusters */
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
	struct slice *target;	/* the layer that is damaged */
	enum kind kind;
	bool live;		/* it is damaged while it is in use */
	bool writable;
	bool spare_used;
};

/* What the parent watches. */
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
	uint8_t *shadow;	/* the target, as it has to be if it is not written to */
	bool verbose;
	int kmsg;
	struct mutant m;
};

#endif
