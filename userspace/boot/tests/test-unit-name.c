// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of units. What systemd-escape says is in generator.sh.
 */
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "unit-name.h"

static void check(char *(*escape)(const char *), const char *text, const char *wanted)
{
	char *got = escape(text);

	assert_string_equal(got, wanted);
	free(got);
}

static void names(void **state)
{
	(void)state;
	check(unit_escape, "home", "home");
	check(unit_escape, "a-b", "a\\x2db");
	check(unit_escape, "a/b", "a-b");
	check(unit_escape, ".a.b", "\\x2ea.b");
	check(unit_escape, "a:b_c", "a:b_c");
	check(unit_escape, "a\\b", "a\\x5cb");
	check(unit_escape, "\xc3\xa9", "\\xc3\\xa9");
	check(unit_escape, "", "");
}

static void paths(void **state)
{
	(void)state;
	check(unit_escape_path, "/dev/mapper/a-b", "dev-mapper-a\\x2db");
	check(unit_escape_path, "//dev///sda/", "dev-sda");
	check(unit_escape_path, "/", "-");
	check(unit_escape_path, "/.hidden", "\\x2ehidden");
	check(unit_escape_path, "/dev/.x", "dev-.x");
}

static void lengths(void **state)
{
	char name[257] = "";

	(void)state;
	memset(name, 'x', 255);
	assert_true(unit_name_fits(name));
	name[255] = 'x';
	assert_false(unit_name_fits(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(paths),
		cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests_name("unit-name", tests, NULL, NULL);
}
