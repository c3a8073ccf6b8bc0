// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of the kernel, and the text for Prometheus.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "metrics.h"
#include "test.h"
#include "util.h"

static void counters(void **state)
{
	struct io_stat stat;

	(void)state;
	assert_int_equal(io_stat_parse("  1  2  3  4  5  6  7  8  9  10  11  12  13  14  15  16  17\n", &stat), 0);
	assert_int_equal(stat.done[IO_READ], 1);
	assert_int_equal(stat.bytes[IO_READ], 3 * 512);
	assert_int_equal(stat.ms[IO_READ], 4);
	assert_int_equal(stat.done[IO_WRITE], 5);
	assert_int_equal(stat.bytes[IO_WRITE], 7 * 512);
	assert_int_equal(stat.ms[IO_WRITE], 8);
	assert_int_equal(stat.in_flight, 9);
	assert_int_equal(stat.done[IO_DISCARD], 12);
	assert_int_equal(stat.bytes[IO_DISCARD], 14 * 512);
	assert_int_equal(stat.ms[IO_DISCARD], 15);
	assert_int_equal(stat.done[IO_FLUSH], 16);
	assert_int_equal(stat.bytes[IO_FLUSH], 0);
	assert_int_equal(stat.ms[IO_FLUSH], 17);
	/* of an older kernel */
	assert_int_equal(io_stat_parse("1 2 3 4 5 6 7 8 9 10 11", &stat), 0);
	assert_int_equal(stat.done[IO_FLUSH], 0);
	assert_int_equal(io_stat_parse("1 2 3 4 5 6 7 8 9 10", &stat), -1);
	assert_int_equal(io_stat_parse("", &stat), -1);
}

/* Compare with the format, by the strict reader, and look for samples. */
static void check(const struct metrics_chain *chains, size_t nr, const char *samples)
{
	char *text = metrics_format(chains, nr), *command;

	write_file("metrics", text, strlen(text));
	command = xasprintf("%s/check-prometheus.py metrics %s", getenv("TESTS_DIR"), samples);
	assert_int_equal(system(command), 0);
	free(command);
	free(text);
}

static void none(void **state)
{
	(void)state;
	check(NULL, 0, "'cowchain_chains 0'");
}

static void hostile_names(void **state)
{
	struct metrics_chain chains[] = {
		{
			.dev = { .name = (char *)"a\"b\\c\nd\x1b\xff", .uuid = (char *)"COWCHAIN-1", .dev = makedev(253, 4),
				 .sectors = 8, .open_count = 2 },
			.top = (char *)"/x\"y\\n",
			.status = { .mode = "ro", .nr_layers = 3, .counted = true, .allocated = 2, .subcluster = 4096,
				    .total = 5,
				    .job = { .present = true, .type = "stream", .state = "paused", .base = -1, .offset = 512,
					     .len = 1024, .io_status = "nospace", .error = 28, .verify = true,
					     .verified = 256, .top = 1 } },
			.io = { .done = { 1, 2, 3, 4 }, .bytes = { 512, 1024, 2048, 0 }, .ms = { 1, 20, 3000, 4004 } },
			.has_io = true,
		},
		{
			.dev = { .name = (char *)"two words", .uuid = (char *)"", .leaving = true, .suspended = true },
			.no_chain = "no-table",
		},
	};

	(void)state;
	check(chains, 2,
	      "'cowchain_chains 2' "
	      "'cowchain_size_bytes{name=\"a\\\"b\\\\c\\\\x0ad\\\\x1b\xef\xbf\xbd\"} 4096' "
	      "'cowchain_mode{name=\"two words\",mode=\"none\"} 1' "
	      "'cowchain_mode{name=\"two words\",mode=\"rw\"} 0' "
	      "'cowchain_suspended{name=\"two words\"} 1' "
	      "'cowchain_removal_pending{name=\"two words\"} 1'");
	/* What one has not, has no sample. */
	assert_int_not_equal(system("grep -q 'cowchain_layers{name=\"two' metrics"), 0);
	assert_int_equal(system("grep -q 'cowchain_job_error{.*} 1$' metrics"), 0);
	assert_int_equal(system("grep -q 'cowchain_job_verified_bytes{.*} 256$' metrics"), 0);
	assert_int_equal(system("grep -q 'cowchain_job_top_layer{.*} 1$' metrics"), 0);
	assert_int_not_equal(system("grep -q 'cowchain_job_base_layer{' metrics"), 0);
	assert_int_equal(system("grep -q 'cowchain_seconds_total{.*operation=\"flush\"} 4.004$' metrics"), 0);
	assert_int_equal(system("grep -q 'cowchain_top_allocated_bytes{.*} 8192$' metrics"), 0);
	assert_int_not_equal(system("grep -q 'cowchain_bytes_total{.*flush' metrics"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters),
		cmocka_unit_test(none),
		cmocka_unit_test(hostile_names),
	};
	char *here = realpath("tests", NULL);

	/* The tests change their directory. */
	setenv("TESTS_DIR", here ? here : "tests", 1);
	free(here);
	return cmocka_run_group_tests_name("metrics", tests, scratch_setup, scratch_teardown);
}
