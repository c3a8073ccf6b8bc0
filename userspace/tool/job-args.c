// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of a job, and the message to the kernel that starts it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm.h"
#include "job-args.h"
#include "number.h"
#include "options.h"
#include "plan.h"
#include "show.h"
#include "util.h"

bool is_job_option(int id)
{
	return id >= OPT_SPEED && id <= OPT_FORCE;
}

int job_args_option(const char *verb, int id, const char *value, struct job_args *args)
{
	switch (id) {
	case OPT_SPEED:
		args->speed = value;
		return 0;
	case OPT_BANDWIDTH:
		args->bandwidth = value;
		return 0;
	case OPT_BANDWIDTH_BYTES:
		args->bytes = true;
		return 0;
	case OPT_ON_ERROR:
		args->on_error = value;
		return 0;
	case OPT_VERIFY:
		args->verify = true;
		return 0;
	case OPT_WAIT:
		args->wait = true;
		return 0;
	case OPT_QUIET:
		args->wait_options.quiet = true;
		return 0;
	case OPT_TIMEOUT:
		return take_timeout(verb, "timeout", value, &args->wait_options.timeout);
	default:			/* OPT_FORCE */
		args->force = true;
		return 0;
	}
}

static int parse_speed(const char *verb, struct job_args *args)
{
	if (args->speed && args->bandwidth)
		return cc_usage(verb, "--speed and --bandwidth mean the same: give one");
	if (args->speed && parse_size(args->speed, &args->bytes_per_second))
		return cc_usage(verb, "--speed %s: must be a number of bytes per second, such as 64M",
				args->speed);
	if (!args->bandwidth)
		return 0;
	if (parse_u64(args->bandwidth, &args->bytes_per_second) ||
	    (!args->bytes && args->bytes_per_second > UINT64_MAX >> 20))
		return cc_usage(verb, "--bandwidth %s: must be a number", args->bandwidth);
	if (!args->bytes)
		args->bytes_per_second <<= 20;
	return 0;
}

int job_args_check(const char *verb, struct job_args *args)
{
	static const char *const policies[] = { "report", "stop", "enospc" };
	size_t i;

	if (args->bytes && !args->bandwidth)
		return cc_usage(verb, "--bytes needs --bandwidth");
	for (i = 0; args->on_error && i < ARRAY_SIZE(policies); i++)
		if (!strcmp(args->on_error, policies[i]))
			break;
	if (args->on_error && i == ARRAY_SIZE(policies))
		return cc_usage(verb, "--on-error %s: must be report, stop or enospc",
				args->on_error);
	return parse_speed(verb, args);
}

unsigned int job_add_words(const struct job_args *args, const char **words, char *speed)
{
	unsigned int n = 0;

	snprintf(speed, JOB_SPEED_LEN, "%" PRIu64, args->bytes_per_second);
	if (args->speed || args->bandwidth) {
		words[n++] = "speed";
		words[n++] = speed;
	}
	if (args->on_error) {
		words[n++] = "on-error";
		words[n++] = args->on_error;
	}
	if (args->verify)
		words[n++] = "verify";
	return n;
}

int job_start(const char *name, const struct job_args *args, const char *backing_name,
	      const char *backing_format)
{
	const char *words[4 + JOB_MAX_WORDS + 1] = { "stream" };
	char speed[JOB_SPEED_LEN];
	unsigned int n = 1 + job_add_words(args, words + 1, speed);

	if (backing_name) {
		words[n++] = "backing-file";
		words[n++] = backing_name;
		words[n++] = backing_format;
	}
	return dm_message(name, words);
}

int job_wait(const char *name, const struct job_args *args)
{
	if (plan_wanted())
		return CC_OK;
	if (args->wait)
		return wait_for_job(name, &args->wait_options);
	show_result_job(name);
	return CC_OK;
}
