/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: the injectors, of I/O errors and of allocations that fail.
 */
#ifndef COWCHAIN_FAULTS_INJECT_H
#define COWCHAIN_FAULTS_INJECT_H

#include "common.h"

enum fault_kind {
	FAULT_IO,	/* dm-cct-fault: one I/O of a layer */
	FAULT_SLAB,	/* failslab: an allocation below the module's functions, in any task */
	FAULT_PAGES,	/* fail_page_alloc: the same for allocations of whole pages */
};

#define FAULT_READS	1u	/* in @ops of struct fault */

struct fault {
	enum fault_kind kind;
	uint32_t ids;		/* FAULT_IO: layers */
	uint32_t ops;		/* FAULT_IO: kinds of I/O */
	uint64_t nth;
	long long times;	/* -1: all from there on */
	int error;
	bool late;		/* the I/O is done, and reported as failed */
};

struct hit {
	uint64_t seen;
	uint64_t failed;
	unsigned int id;
	char op;
	uint64_t sector;
	unsigned int sectors;
};

void fault_setup(enum fault_kind kind);
void fault_arm(const struct fault *f);
void fault_disarm(enum fault_kind kind);
/* How many have failed since fault_arm(), and which was the first. */
void fault_look(enum fault_kind kind, struct hit *h);

#endif
