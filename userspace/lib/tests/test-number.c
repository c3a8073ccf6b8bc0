// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsing and formatting of numbers.
 */
#include <errno.h>

#include "macros.h"
#include "number.h"
#include "test.h"

static void numbers(void **state)
{
	static const char *const bad[] = {
		"", "-1", "+1", " 1", "1 ", "1x", "0x10", "1.5", "18446744073709551616",
	};
	uint64_t v;
	size_t i;

	(void)state;
	assert_int_equal(parse_u64("0", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(parse_u64("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_not_equal(parse_u64(bad[i], &v), 0);
		assert_int_not_equal(parse_size(bad[i], &v), 0);
	}
}

static void sizes(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(parse_size("512", &v), 0);
	assert_int_equal(v, 512);
	assert_int_equal(parse_size("512B", &v), 0);
	assert_int_equal(v, 512);
	assert_int_equal(parse_size("64k", &v), 0);
	assert_int_equal(v, 65536);
	assert_int_equal(parse_size("3MiB", &v), 0);
	assert_int_equal(v, 3 << 20);
	assert_int_equal(parse_size("1T", &v), 0);
	assert_true(v == 1ULL << 40);
	assert_int_equal(parse_size("16383P", &v), 0);
	assert_int_equal(parse_size("16384P", &v), -ERANGE);
	assert_int_equal(parse_size("1MB", &v), -EINVAL);
	assert_int_equal(parse_size("1Mi", &v), -EINVAL);
	assert_int_equal(parse_size("1E", &v), -EINVAL);
	assert_int_equal(parse_size("M", &v), -EINVAL);
}

static void human(void **state)
{
	char buf[HUMAN_LEN];

	(void)state;
	assert_string_equal(human_size(0, buf), "0B");
	assert_string_equal(human_size(1023, buf), "1023B");
	assert_string_equal(human_size(1024, buf), "1K");
	assert_string_equal(human_size(1536, buf), "1.5K");
	assert_string_equal(human_size((1ULL << 30) - 1, buf), "1.0G");
	assert_string_equal(human_size(UINT64_MAX, buf), "16E");
	assert_string_equal(human_time(59, buf), "00:59");
	assert_string_equal(human_time(3600 + 62, buf), "1:01:02");
	assert_string_equal(human_time(UINT64_MAX, buf), "forever");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(sizes),
		cmocka_unit_test(human),
	};

	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
