// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain top: shows what chains do, again and again.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keys.h"
#include "metrics-load.h"
#include "number.h"
#include "options.h"
#include "rates-print.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "[--count COUNT] [--interval SECONDS] [--json]", NULL };

enum { OPT_COUNT = OPT_OWN, OPT_INTERVAL };

static const struct opt opt_count = {
	.id = OPT_COUNT,
	.name = "count",
	.letter = 'c',
	.value = "COUNT",
	.help = "end after so many times; default: at q, or a signal",
};

static const struct opt opt_interval = {
	.id = OPT_INTERVAL,
	.name = "interval",
	.letter = 'i',
	.value = "SECONDS",
	.help = "between two of them: 0.1 to 3600; default: 2",
};

static const struct opt *const options[] = { &opt_count, &opt_interval, TABLE_OPTIONS, NULL };

/* Of ECMA-48: to the first line, and clear from there. */
#define HOME "\033[H\033[J"
#define MIN_SECONDS 0.1
#define MAX_SECONDS 3600

struct args {
	struct out_options out;
	uint64_t count;			/* 0: no end */
	double seconds;
	bool screen;			/* one picture takes the place of another */
};

static int take_interval(const char *value, double *seconds)
{
	char *end;

	*seconds = strtod(value, &end);
	if (*value && !*end && isfinite(*seconds) && *seconds >= MIN_SECONDS && *seconds <= MAX_SECONDS)
		return 0;
	return cc_usage("top", "--interval %s: must be a number of seconds, 0.1 to %d", value, MAX_SECONDS);
}

static int take_option(int id, const char *value, void *data)
{
	struct args *args = data;

	switch (id) {
	case OPT_COUNT:
		if (!parse_u64(value, &args->count) && args->count)
			return 0;
		return cc_usage("top", "--count %s: must be a number above 0", value);
	case OPT_INTERVAL:
		return take_interval(value, &args->seconds);
	default:
		return out_option(id, value, &args->out);
	}
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A look at all chains. */
struct look {
	struct metrics_chain *chains;
	size_t nr;
	double at;
};

static int take_look(struct look *look)
{
	look->at = now();
	return metrics_load(&look->chains, &look->nr);
}

/* Returns 0, or -1 after a message: it cannot be written. */
static int show(const struct look *was, const struct look *look, const struct args *args)
{
	struct rates_looks looks = {
		.was = was->chains, .nr_was = was->nr,
		.now = look->chains, .nr_now = look->nr,
		.seconds = look->at - was->at,
	};

	if (args->screen)
		fputs(HOME, stdout);
	if (args->out.json)
		rates_print_json(&looks);
	else
		rates_print(&looks, &args->out);
	if (!args->screen && !args->out.json)
		putchar('\n');
	if (!fflush(stdout))
		return 0;
	cc_error("cannot write to the standard output: %s", strerror(errno));
	/* That is said once. */
	clearerr(stdout);
	return -1;
}

static int watch(const struct args *args, struct look *was)
{
	uint64_t left = args->count;
	struct look look;
	int ret = 0;

	while (!keys_wait(args->seconds)) {
		if (take_look(&look)) {
			metrics_free(look.chains, look.nr);
			return CC_FAILED;
		}
		ret = show(was, &look, args);
		metrics_free(was->chains, was->nr);
		*was = look;
		if (ret || (left && !--left))
			break;
	}
	return ret ? CC_FAILED : CC_OK;
}

static int run(int argc, char **argv)
{
	struct args args = { .seconds = 2 };
	struct look was;
	int ret = verb_parse(&cmd_top, argc, argv, take_option, &args);

	if (ret)
		return ret;
	if (optind != argc)
		return cc_usage("top", "'%s': top takes no names: use status or info", argv[optind]);
	args.screen = isatty(STDOUT_FILENO) && !args.out.json;
	ret = take_look(&was) ? CC_FAILED : CC_OK;
	if (ret == CC_OK) {
		keys_begin();
		ret = watch(&args, &was);
		keys_end();
	}
	metrics_free(was.chains, was.nr);
	return ret;
}

const struct verb cmd_top = {
	.name = "top",
	.usage = usage,
	.summary = "show rates, latency and jobs of all chains, again and again",
	.options = options,
	.details =
		"\n  q ends it. READS and WRITES are requests per second, R-MS and W-MS what one takes,\n"
		"  and BUSY those that are on their way.\n",
	.run = run,
};
