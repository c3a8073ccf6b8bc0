/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables of devices and jobs: what the verbs status, list and job have in common.
 */
#ifndef COWCHAIN_SHOW_H
#define COWCHAIN_SHOW_H

#include <stdint.h>

#include "dm.h"
#include "output.h"

/* Columns and keys are stable: new ones are added at the end. */
#define JOB_COLUMNS \
	{ "JOB", "job", OUT_TEXT }, \
	{ "STATE", "state", OUT_TEXT }, \
	{ "BASE", "base", OUT_NUMBER }, \
	{ "OFFSET", "offset", OUT_SIZE }, \
	{ "LEN", "len", OUT_SIZE }, \
	{ "DONE", "done", OUT_PERCENT }, \
	{ "SPEED", "speed", OUT_SIZE }, \
	{ "IO-STATUS", "io-status", OUT_TEXT }, \
	{ "ERROR", "error", OUT_TEXT }
#define NR_JOB_COLUMNS 9

/* part of whole in thousandths of a percent, as OUT_PERCENT takes it. */
uint64_t show_share(uint64_t part, uint64_t whole);
/* Adds the cells of JOB_COLUMNS. */
void show_add_job(struct out_table *out, const struct target_job *job);
/* What is shown as the mode of a device without a chain: half made, or cut off by force. */
const char *show_no_chain(const struct dm_device *dev);

/* Adds a row for the device. Returns 0 or -1 after a message. */
typedef int (*add_fn)(struct out_table *out, const char *name);
/* Adds a row for each device. Returns an exit status. */
int show_add_all(struct out_table *out, add_fn add);
/* Prints the table and frees it; ret: the exit status so far. */
void show_print(struct out_table *out, const char *name, const struct out_options *opt, int ret);

/* The job of one device as a table; CC_FAILED after a message if there is none. */
int show_job(const char *name, const struct out_options *opt);

#endif
