// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is recorded of the layer below an image. That it is, is tested in a virtual machine (tool-images.sh).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "macros.h"
#include "record.h"
#include "test.h"

static void text(void **state)
{
	static const char *const bad[] = {
		"", "1", "1 2 3 4 5", "1 2 3 4 5 ", "2 1 2 3 4 name", "1 x 3 4 5 name", "1 2 3 4 5name",
	};
	struct record rec = { 1ULL << 62, UINT64_MAX, -5, 999999999, "a b\n c" }, got;
	char *s = record_format(&rec);
	size_t i;

	(void)state;
	assert_int_equal(record_parse(s, &got), 0);
	assert_true(got.size == rec.size && got.ino == rec.ino && got.born == rec.born && got.born_ns == rec.born_ns);
	assert_string_equal(got.name, rec.name);
	free(s);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (!record_parse(bad[i], &got))
			fail_msg("'%s' is accepted", bad[i]);
}

static void sizes(void **state)
{
	static const struct {
		uint64_t was, now, disk;
		bool matters;
	} cases[] = {
		{ 8 << 20, 8 << 20, 8 << 20, false },
		{ 8 << 20, 4 << 20, 8 << 20, true },
		{ 4 << 20, 8 << 20, 8 << 20, true },
		/* what is longer than the disk is not seen */
		{ 8 << 20, 9 << 20, 8 << 20, false },
		{ 9 << 20, 8 << 20, 8 << 20, false },
		{ 8 << 20, 0, 8 << 20, true },
		{ 4096 + 511, 4096, 8192, false },
		{ 4096, 4096 + 511, 8192, false },
		{ 4096, 4096 + 512, 8192, true },
		{ 4096, 4096 + 512, 4096, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct record was = { .size = cases[i].was }, now = { .size = cases[i].now };

		if (record_size_matters(&was, &now, cases[i].disk) != cases[i].matters)
			fail_msg("case %zu", i);
	}
}

static void files(void **state)
{
	struct record a, b, none = { 0 };
	int fd;

	(void)state;
	write_file("one", "", 0);
	write_file("other", "", 0);
	fd = open("one", O_PATH);
	record_of(fd, "name", &a);
	record_of(fd, "name", &b);
	assert_string_equal(a.name, "name");
	assert_false(record_other_file(&a, &b));
	close(fd);
	fd = open("other", O_RDONLY);
	record_of(fd, "name", &b);
	close(fd);
	assert_true(record_other_file(&a, &b));
	b = a;
	b.born_ns++;
	/* a number is used again */
	assert_true(record_other_file(&a, &b));
	assert_false(record_other_file(&a, &none));
	assert_false(record_other_file(&none, &a));
	/* no file has such an identity */
	fd = open("/dev/null", O_PATH);
	record_of(fd, "name", &a);
	close(fd);
	assert_int_equal(a.ino, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text),
		cmocka_unit_test(sizes),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests_name("record", tests, scratch_setup, scratch_teardown);
}
