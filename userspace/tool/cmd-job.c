// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain job, cowchain wait
 */
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "dm.h"
#include "number.h"
#include "show.h"
#include "util.h"
#include "wait.h"

int cmd_wait(int argc, char **argv)
{
	static const struct option options[] = {
		{ "quiet", no_argument, NULL, 'q' },
		{ "timeout", required_argument, NULL, 'T' },
		{ 0 },
	};
	struct wait_options opt = { 0 };
	struct dm_device dev;
	uint64_t seconds;
	int c, ret;

	while ((c = getopt_long(argc, argv, "q", options, NULL)) != -1) {
		if (c == 'q')
			opt.quiet = true;
		else if (c != 'T')
			return cc_usage("wait", "see the options of wait");
		else if (parse_u64(optarg, &seconds) || !seconds || seconds > INT_MAX / 1000)
			return cc_usage("wait", "--timeout %s: must be a number of seconds", optarg);
		else
			opt.timeout = (unsigned int)seconds;
	}
	if (argc - optind != 1)
		return cc_usage("wait", "one device is needed");
	if (dm_open(dm_name(argv[optind]), &dev))
		return CC_FAILED;
	ret = wait_for_job(dev.name, &opt);
	dm_close(&dev);
	return ret;
}

struct job_verb {
	const char *name;
	const char *message;
	bool has_value;
};

static const struct job_verb verbs[] = {
	{ "pause", "job-pause", false },
	{ "suspend", "job-pause", false },
	{ "resume", "job-resume", false },
	{ "cancel", "job-cancel", false },
	{ "abort", "job-cancel", false },
	{ "speed", "job-set-speed", true },
	{ "set-speed", "job-set-speed", true },
	{ "info", NULL, false },
};

static const struct job_verb *find_verb(const char *name)
{
	size_t i;

	/* virsh writes them as options. */
	if (!strncmp(name, "--", 2))
		name += 2;
	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int run_verb(const char *name, const struct job_verb *verb, const char *value)
{
	const char *words[] = { verb->message, NULL, NULL };
	char number[32];
	struct dm_device dev;
	uint64_t speed;
	int ret;

	if (value) {
		if (parse_size(value, &speed))
			return cc_usage("job", "speed %s: must be a number of bytes per second, as 64M",
					value);
		snprintf(number, sizeof(number), "%" PRIu64, speed);
		words[1] = number;
	}
	if (dm_open(dm_name(name), &dev))
		return CC_FAILED;
	ret = dm_message(dev.name, words);
	dm_close(&dev);
	return ret ? CC_FAILED : CC_OK;
}

int cmd_job(int argc, char **argv)
{
	static const struct option options[] = { OUT_LONG_OPTIONS, { 0 } };
	struct out_options out = { 0 };
	const struct job_verb *verb;
	int c, left;

	/* "+": words after the first may look like virsh's options. */
	while ((c = getopt_long(argc, argv, "+" OUT_SHORT_OPTIONS, options, NULL)) != -1)
		if (!out_option(c, &out))
			return cc_usage("job", "see the options of job");
	left = argc - optind;
	argv += optind;
	if (left < 2)
		return cc_usage("job", "a device and what to do with its job are needed");
	verb = find_verb(argv[1]);
	if (!verb)
		return cc_usage("job", "'%s': must be pause, resume, cancel, speed or info", argv[1]);
	if (!verb->message) {
		optind = 0;
		while ((c = getopt_long(left - 1, argv + 1, OUT_SHORT_OPTIONS, options, NULL)) != -1)
			if (!out_option(c, &out))
				return cc_usage("job", "see the options of job");
		return show_job(argv[0], &out);
	}
	if (left != 2 + verb->has_value)
		return cc_usage("job", verb->has_value ? "speed needs a number" :
							 "too many words after %s", argv[1]);
	return run_verb(argv[0], verb, verb->has_value ? argv[2] : NULL);
}
