/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device-mapper calls, without a process for each. Functions that return an int return 0 or an
 * errno.
 */
#ifndef COWCHAIN_TEST_DM_H
#define COWCHAIN_TEST_DM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the status of a cowchain target says. */
struct job_status {
	char mode[8];
	unsigned int layers;
	uint64_t allocated;	/* subclusters; UINT64_MAX: still counting */
	uint64_t total;
	bool present;		/* there is a job, and the rest is valid */
	char state[16];
	uint64_t offset;	/* bytes */
	uint64_t len;
	char io_status[16];
	int error;		/* errno, 0: none */
	unsigned int top;	/* the layer that is written, or the topmost that is copied */
};

int dm_status(const char *name, struct job_status *st);
/* The parameters behind "cowchain"; @sectors may be NULL. */
int dm_table(const char *name, char *params, size_t len, uint64_t *sectors);
int dm_message(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A device without a table. */
int dm_create_empty(const char *name);
int dm_create(const char *name, const char *target, uint64_t sectors, const char *params,
	      bool readonly);
/* A read-only chain. */
int dm_create_ro(const char *name, uint64_t sectors, const char *params);
int dm_remove(const char *name);

/* Load a table, which becomes active with the next resume. */
int dm_load(const char *name, const char *target, uint64_t sectors, const char *params);
/* The same with the target cowchain. */
int dm_reload(const char *name, uint64_t sectors, const char *params);
/* Drops the loaded table. */
int dm_clear(const char *name);
int dm_suspend(const char *name, bool noflush);
int dm_resume(const char *name);

/* "MAJ:MIN"; dies if there is no such device. */
void dm_number(const char *name, char *number, size_t len);
/* Keeps libdevmapper from printing errors. */
void dm_quiet(void);

#endif
