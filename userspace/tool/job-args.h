/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the verbs stream and copy have in common: options of the job, starting it, waiting for it.
 */
#ifndef COWCHAIN_JOB_ARGS_H
#define COWCHAIN_JOB_ARGS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "wait.h"

struct job_args {
	const char *speed;		/* --speed */
	const char *bandwidth;		/* --bandwidth */
	bool bytes;			/* of --bandwidth */
	const char *on_error;
	bool wait;
	bool force;			/* although it may not fit */
	struct wait_options wait_options;
	uint64_t bytes_per_second;	/* set by job_args_check() */
};

#define JOB_LONG_OPTIONS \
	{ "speed", required_argument, NULL, 'S' }, \
	{ "bandwidth", required_argument, NULL, 'B' }, \
	{ "bytes", no_argument, NULL, 'Y' }, \
	{ "on-error", required_argument, NULL, 'E' }, \
	{ "wait", no_argument, NULL, 'w' }, \
	{ "verbose", no_argument, NULL, 'v' }, \
	{ "quiet", no_argument, NULL, 'q' }, \
	{ "timeout", required_argument, NULL, 'T' }, \
	{ "force", no_argument, NULL, 'f' }

/* Takes one of these; 0, CC_USAGE (said why), or -1 if it is none of them. */
int job_args_option(const char *verb, int c, struct job_args *args);
/* After the last option. Returns 0 or CC_USAGE (said why). */
int job_args_check(const char *verb, struct job_args *args);
/*
 * Starts a stream; backing_name and format may be NULL. Returns 0 or a negative errno (said why).
 */
int job_start(const char *name, const struct job_args *args, const char *backing_name,
	      const char *backing_format);
/* Waits for it if asked to. Returns an exit status. */
int job_wait(const char *name, const struct job_args *args);

#endif
