/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: runs a scripted scenario again and again, and lets its n-th I/O or its n-th allocation
 * fail, for every n. Each step decides by itself whether it may fail: only if the fault came while
 * it ran, or if the mode of the chain explains it. A model knows what the disk may hold.
 */
#ifndef COWCHAIN_FAULTS_WALK_H
#define COWCHAIN_FAULTS_WALK_H

#include <stdio.h>

#include "common.h"
#include "inject.h"
#include "model.h"

#define NAME		"cct"
#define MAX_FILES	8
#define PARAMS		2048

/*
 * The numbers of the files, and of the layers. The last two exist only with external data files.
 */
enum { FILE_A, FILE_B, FILE_C, FILE_D, FILE_E, FILE_F, FILE_DDATA, FILE_EDATA };
#define OTHER_NAME	"other-name-for-a.raw"
#define FIRST_TOP	FILE_D
#define FIRST_DATA	FILE_DDATA
#define LAST_EXT	FILE_E		/* with a data file, if any is */
#define NO_FILE		MAX_FILES

#define MAX_PLACES	64

/*
 * The allocations of one step of a scenario: the number, counted from its start, of the one that
 * fails next.
 */
struct place {
	uint64_t next;
	bool done;		/* it has no such number any more */
};

/* A file below a layer. The last ones are those that are written. */
struct file {
	char name[32];
	int fd;
	uint64_t size;
	uint8_t *image;		/* as it was before the walk */
	unsigned int id;	/* of its cct-fault device */
	uint64_t meta_end;	/* FAULT_IO: bytes before this are metadata (all, none) */
};

struct walk {
	const struct scenario *scenario;
	const char *form;	/* "single" or "ext" */
	bool ext;
	struct fault fault;
	const char *only;	/* the file that faults are for; NULL: all */
	struct file files[MAX_FILES];
	unsigned int n_files;
	struct model model;
	int dev;		/* the mapped device, -1: not open */
	bool created;		/* there is a table, resumed or not */
	unsigned int layers;	/* the chain has to have so many */
	const char *why;	/* what is being done, for messages */
	bool failed;		/* the walk has found something wrong */
	bool broken;		/* the mode is ro */
	struct hit hit;		/* the fault, once it is over */
	unsigned int top;	/* file of the active layer */
	unsigned int base;	/* file of the lower layer that a job goes into, or NO_FILE */
	bool active;		/* the commit is of the top itself, which the base replaces */
	bool lower;		/* the job is a stream into layer base, below the top */
	unsigned int old_top;	/* file of that top */
	bool marked;		/* the base has been written since, as its header says */
	bool may_be_pivoted;	/* the header that makes the base the top could not be taken back */
	uint64_t before_pivot;	/* faults that had come until then */
	const char *features;
	const char *policy;	/* of the job */
	bool verify;		/* it reads back what it copies */
	bool owed;		/* an earlier table has lost writes: the next flush may fail */
	bool may_be_sealed;	/* a snapshot was refused, and its seal could not be removed */
	const char *backing;	/* backing file name after a job without an error */
	bool shared;		/* a job does I/O beside the steps */
	bool cancelled;		/* the job was, without an error */
	bool cancel_again;	/* that was refused, since the mode is ro: it has ended, but stays recorded */
	bool may_be_paused;	/* it was resumed when its record could not be written */
	uint64_t job_mark;	/* faults that had come when it was started */
	uint64_t steps;
	_Atomic unsigned long beats;	/* runs begun; for the watchdog */

	/* allocations, counted for each step: see step.c */
	bool in_place;
	struct place places[MAX_PLACES];
	unsigned int place;	/* of the next step */

	/* the sweep */
	uint64_t hits;		/* faults that came */
	uint64_t all_hits;	/* in all scenarios */
	uint64_t runs;
	uint64_t stride;
	uint64_t first;
	bool sparse;
	unsigned int sample;
	unsigned int exported;
	uint64_t last_ms;
	uint64_t ms_prepare;
	uint64_t ms_run;
	uint64_t ms_judge;
	FILE *manifest;
};

#endif
