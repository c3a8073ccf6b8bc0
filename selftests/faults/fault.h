/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: runs a scripted scenario again and again, and lets its n-th I/O or its n-th
 * allocation fail, for every n. Each step says by itself whether it may fail: only if the fault
 * came while it ran, or if the chain's mode says so. What the disk may hold is kept in a model.
 */
#ifndef COWCHAIN_FAULT_H
#define COWCHAIN_FAULT_H

#include <stdio.h>

#include "common.h"
#include "dm.h"

#define NAME		"cct"
#define MAX_FILES	8
#define MAX_VALUES	6
#define PARAMS		2048

/*
 * Numbers of the files, which are those of the layers, too; with external data files the last two
 * are there as well.
 */
enum { FILE_A, FILE_B, FILE_C, FILE_D, FILE_E, FILE_DDATA, FILE_EDATA };
#define OTHER_NAME	"other-name-for-a.raw"
#define FIRST_TOP	FILE_D
#define FIRST_DATA	FILE_DDATA

/* ---- model: what each sector may hold ---- */

#define VALUE_INITIAL	0u
#define VALUE_ZERO	0xffffu

/* A set; anything else is the number of the operation that wrote there. */
struct values {
	uint16_t v[MAX_VALUES];
	uint8_t n;
};

/*
 * @live: what a read may find now; more than one value where a write has failed.
 * @stable: what may be there after the table is gone: also what was there at the last flush.
 */
struct model {
	uint32_t sectors;
	uint64_t seed;
	const uint8_t *initial;
	uint16_t seq;
	struct values *live;
	struct values *stable;
};

void fmodel_reset(struct model *m);
/* A write of @value; @done: it was acknowledged. */
void fmodel_write(struct model *m, uint32_t sector, uint32_t n, uint16_t value, bool done);
/* What was acknowledged there is durable. */
void fmodel_flush(struct model *m, uint32_t sector, uint32_t n);
/* The table is gone without a last commit: what is read from now on is what was durable. */
void fmodel_lose(struct model *m);
/* True if @buf is possible; else says what differs. What is read is known from then on. */
bool fmodel_read(struct model *m, uint32_t sector, uint32_t n, const void *buf, const char *what);

/* ---- the injector ---- */

enum fault_kind {
	FAULT_IO,	/* dm-cct-fault: one I/O of a layer */
	FAULT_SLAB,	/* failslab: an allocation below the module's functions, in any task */
	FAULT_PAGES,	/* fail_page_alloc: the same for what takes whole pages */
};

struct fault {
	enum fault_kind kind;
	uint32_t ids;		/* FAULT_IO: layers */
	uint32_t ops;		/* FAULT_IO: kinds of I/O */
	uint64_t nth;
	long long times;	/* -1: all from there on */
	int error;
	bool late;		/* the device does it and reports an error */
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
/* What has failed since fault_arm(). */
void fault_look(enum fault_kind kind, struct hit *h);

/* ---- a walk ---- */

/* A file behind a layer. The last ones are those that get written. */
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
	unsigned int layers;	/* that the chain has to have */
	const char *why;	/* what the scenario does at the moment */
	bool failed;		/* the walk has found something wrong */
	bool broken;		/* the mode is ro */
	struct hit hit;		/* the fault, once it is over */
	unsigned int top;	/* file of the active layer */
	const char *features;
	const char *policy;	/* of the job */
	bool owed;		/* the next flush may fail for what a former table has lost */
	bool may_be_sealed;	/* a snapshot was refused, and its seal could not be taken back */
	const char *backing;	/* what the header says when the job has ended well */
	bool shared;		/* a job does I/O beside the steps */
	bool cancelled;		/* the job was, without an error */
	uint64_t job_mark;	/* faults that had come when it was started */
	uint64_t steps;

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

struct scenario {
	const char *name;
	const char *says;
	void (*prepare)(struct walk *w);	/* without faults */
	void (*run)(struct walk *w);		/* with them */
};

extern const struct scenario scenarios[];
extern const size_t n_scenarios;

/* Says what is wrong; the run goes on to its end, so that it leaves nothing behind. */
void wrong(struct walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- steps: each is judged, tried again if it failed, and kept in the model ---- */

enum io_kind { IO_READ, IO_WRITE, IO_FUA, IO_ZERO, IO_DISCARD, IO_FLUSH };

/* Offsets and lengths in KiB, but for step_part(): sectors. */
void step_io(struct walk *w, enum io_kind kind, uint32_t kib, uint32_t len_kib);
void step_part(struct walk *w, enum io_kind kind, uint32_t sector, uint32_t sectors);
void step_flush(struct walk *w);
void step_read_all(struct walk *w);

/* The chain of the files up to number @top. Created, resumed and opened. */
void step_create(struct walk *w, unsigned int top, const char *features);
void step_create_params(struct walk *w, const char *params);
void step_remove(struct walk *w);
void walk_open(struct walk *w);
void step_suspend(struct walk *w);
void step_resume(struct walk *w);
/* The table that is there, loaded once more. */
void step_reload(struct walk *w);
/* True if it was accepted in the end; step_message_once() does not try again. */
bool step_message_once(struct walk *w, const char *text);
bool step_message(struct walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * The job ends, in whatever way the fault allows; if it failed, it is started again by @again,
 * and has to come to a good end, which leaves @layers layers.
 */
void step_job(struct walk *w, const char *again, unsigned int layers);
/*
 * After a table was loaded anew: the job is there, and goes on if it has to be told to. False if it
 * does not, which only errors that go on may be the reason of.
 */
bool step_job_there(struct walk *w);
/* A stream that was recorded goes on by itself, to its end; without faults. */
void step_job_recorded(struct walk *w);
void step_cancel(struct walk *w);

/* The table's line for the files up to @top. */
void table_for(struct walk *w, unsigned int top, const char *features, char *params, size_t len);
const char *layer_dev(const struct walk *w, unsigned int file, char *buf, size_t len);

void look_mode(struct walk *w);
/* Does one I/O fail, or all from there on? */
bool one_shot(const struct walk *w);
/* Was it an I/O of metadata? */
bool hit_meta(const struct walk *w, const struct hit *h);
/* Is @err what the fault may have been told as? */
bool right_errno(const struct walk *w, const struct hit *h, int err);
/* Of a clock that is never set; for deadlines. */
uint64_t now_ms(void);

/* The files as they were. */
void walk_restore(struct walk *w);

#endif
