/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: a seeded stomper over a live chain.
 *
 * Writers own disjoint sectors and remember what they last wrote there. Every operation is logged
 * with two ticks of one clock, before it is submitted and after it was acknowledged. The log is the
 * model: the contents of the disk at any moment in the past follow from it, also those that a
 * snapshot froze.
 */
#ifndef COWCHAIN_STRESS_H
#define COWCHAIN_STRESS_H

#include <pthread.h>
#include <stdatomic.h>

#include "common.h"

#define MAX_THREADS	16
#define MAX_SPARES	256
#define MAX_SCRIPT	16

enum op_kind {
	OP_WRITE,
	OP_FUA,
	OP_ZERO,
	OP_DISCARD,
	OP_FLUSH,
	OP_READ,
};

/* One operation of a writer. @submit is stored last: if it is not 0, the entry is complete. */
struct op {
	enum op_kind kind;
	uint32_t sector;
	uint32_t sectors;
	_Atomic uint64_t submit;	/* tick, 0: not yet */
	_Atomic uint64_t ack;		/* tick, 0: not yet */
};

/*
 * A piece of the disk. With @grain 0 it belongs to @owner; otherwise runs of @grain sectors belong
 * to the writers in turn, so that several of them write to one subcluster.
 */
struct chunk {
	uint32_t sector;
	uint32_t sectors;
	uint32_t grain;
	unsigned int owner;
};

struct stress {
	/* constant while threads run */
	const char *name;		/* of the mapped device */
	uint64_t seed;
	uint64_t ops;
	unsigned int threads;
	uint32_t unit;			/* sectors of a subcluster */
	uint32_t sectors;
	int dev;
	const uint8_t *initial;		/* the disk before the run */
	const char *out;		/* directory for models and the manifest */
	const char *mgmt;		/* names of the administrator's operations allowed */
	const char *writes;		/* letters of the writers' operations allowed */
	struct chunk *chunks;
	unsigned int n_chunks;
	char *spares[MAX_SPARES];	/* "FILE" or "FILE,DATA" */
	unsigned int n_spares;
	unsigned int stall;		/* seconds without a heartbeat that are a failure */
	bool verbose;

	/* of a run that is logged for a power loss; power-loss.c */
	const char *log_writes;		/* the device that gets the marks */
	const char *record;		/* file */
	char *script[MAX_SCRIPT];	/* "OPERATIONS:MESSAGE" */
	unsigned int n_script;
	uint64_t *mark_tick;		/* the tick after each mark was set */
	uint64_t max_marks;
	_Atomic uint64_t n_marks;

	/* the log */
	struct op *log;
	_Atomic uint64_t next;		/* the next entry; number 0 is never used */
	_Atomic uint64_t clock;

	/* the last operation on each sector; each entry belongs to the sector's owner */
	uint32_t *last;

	_Atomic bool failed;
	_Atomic unsigned int running;	/* writers that have work left */
	_Atomic uint64_t heartbeat;	/* grows as long as there is progress */

	/* stopping the writers; protected by lock */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool hold;
	unsigned int held;
};

#endif
