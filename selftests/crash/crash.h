/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: plays a log of dm-log-writes back and judges the chain at each point where the power
 * could have been lost. All devices of the chain are slices of the one that is logged, so that the
 * log has one order for all; but a flush of one device makes nothing durable on another.
 *
 * Reads qcow2 by the specification, with code that is neither the kernel's nor QEMU's.
 */
#ifndef COWCHAIN_TEST_CRASH_H
#define COWCHAIN_TEST_CRASH_H

#include "common.h"

#define MAX_SLICES	8
#define MAX_TOPS	3
#define MAX_BELOW	8
#define NAME_LEN	64

/* The value of a sector: the number of the operation that wrote it, or one of these. */
#define V_INIT		0u		/* what the disk held before the run */
#define V_ZERO		0xffffffffu
#define V_BAD		0xfffffffeu	/* contents that were never written there */
#define V_TRASH		0xfffffffdu	/* discarded: may hold anything */
#define V_META		0xfffffffcu	/* not data */
#define V_OPS		0xfffffff0u

/* A device of the chain. */
struct slice {
	char file[NAME_LEN];
	uint64_t start;		/* sector of the logged device */
	uint64_t sectors;
	unsigned int major, minor;
};

#endif
