// SPDX-License-Identifier: GPL-2.0-only
/*
 * The names of open files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "test.h"

static int open_new(const char *name)
{
	int fd;

	write_file(name, "x", 1);
	fd = open(name, O_PATH | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* A file that is opened with all three closed gets none of their numbers, and output fails. */
static void standard_descriptors(void **state)
{
	int i, fd, saved[3], ret[5];
	char c;

	(void)state;
	for (i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD, 10);
		close(i);
	}
	ret[0] = file_open_standard();
	fd = open("/dev/null", O_RDWR);
	ret[1] = (int)read(0, &c, 1);
	ret[2] = (int)write(1, "", 1);
	ret[3] = (int)write(2, "", 1);
	ret[4] = file_open_standard();
	for (i = 0; i < 3; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
	close(fd);
	assert_true(fd > 2);
	assert_int_equal(ret[0], 0);
	assert_int_equal(ret[1], 0);
	assert_int_equal(ret[2], -1);
	assert_int_equal(ret[3], -1);
	assert_int_equal(ret[4], 0);
}

static void assert_name(int fd, const char *name)
{
	char *path = file_path(fd);

	assert_non_null(path);
	assert_int_equal(path[0], '/');
	assert_string_equal(strrchr(path, '/') + 1, name);
	free(path);
}

static void the_name_of_now(void **state)
{
	int fd = open_new("was");

	(void)state;
	assert_name(fd, "was");
	assert_int_equal(rename("was", "is"), 0);
	/* What has the old name now is not the file. */
	assert_int_equal(symlink("other", "was"), 0);
	assert_name(fd, "is");
	close(fd);
	unlink("was");
	unlink("is");
}

static void no_name_any_more(void **state)
{
	int fd = open_new("gone");

	(void)state;
	unlink("gone");
	errno = 0;
	assert_null(file_path(fd));
	assert_int_equal(errno, ENOENT);
	close(fd);
	assert_null(file_path(fd));
}

/* What the kernel says is not followed, as realpath() does: then it would be the name of "other". */
static void not_followed(void **state)
{
	int fd = open_new("gone");

	(void)state;
	unlink("gone");
	write_file("other", "x", 1);
	assert_int_equal(symlink("other", "gone (deleted)"), 0);
	errno = 0;
	assert_null(file_path(fd));
	assert_int_equal(errno, ENOENT);
	close(fd);
	unlink("gone (deleted)");
	unlink("other");
}

static void any_name(void **state)
{
	static const char *const names[] = { "x (deleted)", " (deleted)", "a\nb", "(unreachable)" };
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		fd = open_new(names[i]);
		assert_name(fd, names[i]);
		close(fd);
		unlink(names[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standard_descriptors),
		cmocka_unit_test(the_name_of_now),
		cmocka_unit_test(no_name_any_more),
		cmocka_unit_test(not_followed),
		cmocka_unit_test(any_name),
	};

	return cmocka_run_group_tests_name("file", tests, scratch_setup, scratch_teardown);
}
