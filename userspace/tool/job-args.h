/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the verbs stream, copy and commit share: options of the job, starting it, waiting for it.
 */
#ifndef COWCHAIN_JOB_ARGS_H
#define COWCHAIN_JOB_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "wait.h"

struct job_args {
	const char *speed;		/* --speed */
	const char *bandwidth;		/* --bandwidth */
	bool bytes;			/* of --bandwidth */
	const char *on_error;
	bool verify;
	bool wait;
	bool force;			/* even if it may not fit */
	struct wait_options wait_options;
	uint64_t bytes_per_second;	/* set by job_args_check() */
};

bool is_job_option(int id);
/* Take one of JOB_OPTIONS. Returns 0, or CC_USAGE after a message. */
int job_args_option(const char *verb, int id, const char *value, struct job_args *args);
/* To be called after the last option. Returns 0, or CC_USAGE after a message. */
int job_args_check(const char *verb, struct job_args *args);
#define JOB_SPEED_LEN 32
#define JOB_MAX_WORDS 5
/* Put the words of a message for these options into words, and the speed into speed. Returns how many. */
unsigned int job_add_words(const struct job_args *args, const char **words, char *speed);
/*
 * Start a stream. backing_name and backing_format may be NULL. Returns 0, or a negative errno after
 * a message.
 */
int job_start(const char *name, const struct job_args *args, const char *backing_name,
	      const char *backing_format);
/* Wait for the job if --wait was given. Returns an exit status. */
int job_wait(const char *name, const struct job_args *args);

#endif
