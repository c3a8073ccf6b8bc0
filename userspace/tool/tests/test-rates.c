// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rates between two looks at chains.
 */
#include <string.h>
#include <sys/sysmacros.h>

#include "rates.h"
#include "test.h"

static struct metrics_chain chain(const char *name, const char *uuid)
{
	return (struct metrics_chain){
		.dev = { .name = (char *)name, .uuid = (char *)uuid, .dev = makedev(253, 1) },
		.has_io = true,
	};
}

static void io(void **state)
{
	struct metrics_chain was = chain("a", "1"), now = was;
	struct rates rates;

	(void)state;
	was.io = (struct io_stat){ .done = { 10, 0, 5, 1 }, .bytes = { 4096, 0, 512, 0 }, .ms = { 100, 0, 9, 7 } };
	now.io = (struct io_stat){ .done = { 20, 4, 5, 2 }, .bytes = { 14096, 8192, 512, 0 }, .ms = { 125, 2, 9, 7 } };
	rates_between(&was, &now, 2, &rates);
	assert_true(rates.known);
	assert_int_equal(rates.bytes[IO_READ], 5000);
	assert_int_equal(rates.requests[IO_READ], 5);
	assert_int_equal(rates.us[IO_READ], 2500);
	assert_int_equal(rates.bytes[IO_WRITE], 4096);
	assert_int_equal(rates.requests[IO_WRITE], 2);
	assert_int_equal(rates.us[IO_WRITE], 500);
	assert_int_equal(rates.requests[IO_DISCARD], 0);
	assert_int_equal(rates.us[IO_DISCARD], 0);
	assert_int_equal(rates.us[IO_FLUSH], 0);
	rates_between(NULL, &now, 2, &rates);
	assert_false(rates.known);
	assert_int_equal(rates.bytes[IO_READ], 0);
}

static void set_job(struct metrics_chain *c, const char *state, uint64_t offset)
{
	c->status.job = (struct target_job){ .present = true, .offset = offset, .len = 10000 };
	strcpy(c->status.job.state, state);
}

static void jobs(void **state)
{
	struct metrics_chain was = chain("a", "1"), now = was;
	struct rates rates;

	(void)state;
	set_job(&was, "running", 1000);
	set_job(&now, "running", 3000);
	rates_between(&was, &now, 2, &rates);
	assert_true(rates.job_moves);
	assert_int_equal(rates.job_bytes, 1000);
	assert_int_equal(rates.job_left, 7);
	/* It stands still. */
	set_job(&now, "paused", 1000);
	rates_between(&was, &now, 2, &rates);
	assert_false(rates.job_moves);
	/* A new one. */
	set_job(&was, "concluded", 10000);
	set_job(&now, "running", 500);
	rates_between(&was, &now, 1, &rates);
	assert_int_equal(rates.job_bytes, 500);
	assert_int_equal(rates.job_left, 19);
	set_job(&now, "concluded", 10000);
	rates_between(&was, &now, 1, &rates);
	assert_false(rates.job_moves);
}

static void find(void **state)
{
	struct metrics_chain all[] = { chain("a", "1"), chain("b", "2") }, now = chain("b", "2");

	(void)state;
	assert_ptr_equal(rates_find(all, 2, &now), &all[1]);
	now.dev.uuid = (char *)"3";
	assert_null(rates_find(all, 2, &now));
	now = chain("c", "2");
	assert_null(rates_find(all, 2, &now));
	assert_null(rates_find(NULL, 0, &now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(io),
		cmocka_unit_test(jobs),
		cmocka_unit_test(find),
	};

	return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
