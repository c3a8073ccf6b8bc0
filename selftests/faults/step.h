/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: one step of a scenario. It is judged, and tried again if it failed.
 */
#ifndef COWCHAIN_FAULTS_STEP_H
#define COWCHAIN_FAULTS_STEP_H

#include "walk.h"

enum io_kind { IO_READ, IO_WRITE, IO_FUA, IO_ZERO, IO_DISCARD, IO_FLUSH };

/* Properties of a step. */
#define S_WRITES	1u	/* a chain that has become read-only refuses it */
#define S_SYNC		2u	/* waits for a commit: its errors must be reported */
#define S_HIDES		4u	/* an error may be hidden: the step does not need that I/O */
#define S_REFUSED	8u	/* in mode ro it must fail */
#define S_JOB		16u	/* a message to a job, which a fault may have ended */
#define S_IO		32u	/* an I/O of the guest */
#define S_FRESH		64u	/* an attempt that fails makes no later one cheaper */

struct step;

/* 0 or an errno. */
typedef int (*step_fn)(struct walk *w, const struct step *s);

struct step {
	const char *what;
	unsigned int flags;
	step_fn fn;
	enum io_kind kind;
	uint32_t sector;
	uint32_t sectors;
	uint16_t value;
	const char *text;
};

/* Runs a step once and judges it; 0 or an errno. */
int step_once(struct walk *w, const struct step *s);
/* The same, and once more if it failed: a fault that has come is over, so it has to work then. */
int step_run(struct walk *w, const struct step *s);

#endif
