/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables of devices and jobs, as the verbs status, list and job print them.
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
	{ "ERROR", "error", OUT_TEXT }, \
	{ "VERIFIED", "verified", OUT_SIZE }, \
	{ "TOP", "top", OUT_NUMBER }
#define NR_JOB_COLUMNS 11

/* part of whole in thousandths of a percent, as OUT_PERCENT takes it. */
uint64_t show_share(uint64_t part, uint64_t whole);
/* Add the cells of JOB_COLUMNS. */
void show_add_job(struct out_table *out, const struct target_job *job);
/* An object with the same values, by the same keys; null without a job. */
void show_json_job(struct json *json, const char *key, const struct target_job *job);
/* Add the key "job" to the result of the verb, see result.h: the job that the device has now. */
void show_result_job(const char *name);
/*
 * The word that stands in place of the mode of a device without a chain: one that was left half
 * made, or cut off by --force.
 */
const char *show_no_chain(const struct dm_device *dev);

/* Add a row for the device; status is that of a chain. Returns 0, or -1 after a message. */
typedef int (*add_fn)(struct out_table *out, const struct dm_device *dev,
		      const struct target_status *status);
/*
 * Add a row for each device; a failure of one does not keep the others from being shown, and one that
 * is removed meanwhile is none. Returns an exit status.
 */
int show_add_all(struct out_table *out, add_fn add);
/* Print the table and free it. ret: the exit status so far. */
void show_print(struct out_table *out, const char *name, const struct out_options *opt, int ret);

/* Print the job of a device as a table. Returns an exit status; without a job that is CC_FAILED. */
int show_job(const char *name, const struct out_options *opt);

#endif
