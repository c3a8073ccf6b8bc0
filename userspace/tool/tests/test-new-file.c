// SPDX-License-Identifier: GPL-2.0-only
/*
 * New files are made to last, also in directories of which fsync() is not possible.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "new-file.h"
#include "test.h"

#define NOBODY 65534

static int dir_error;		/* what fsync() of a directory gives */
static int syncfs_error;
static unsigned int syncs;	/* calls of syncfs() */

int fsync(int fd)
{
	struct stat st;

	errno = fstat(fd, &st) || !S_ISDIR(st.st_mode) ? 0 : dir_error;
	return errno ? -1 : 0;
}

int syncfs(int fd)
{
	(void)fd;
	syncs++;
	errno = syncfs_error;
	return errno ? -1 : 0;
}

static int sync_new(const char *path)
{
	struct new_file file;
	int ret;

	syncs = 0;
	assert_int_equal(new_file_open(&file, path, 0), 0);
	quiet_begin();
	ret = new_file_sync(&file);
	new_file_remove(&file);
	new_file_close(&file);
	return ret;
}

static void directories_without_fsync(void **state)
{
	static const int errors[] = { EINVAL, EOPNOTSUPP };
	size_t i;

	(void)state;
	dir_error = 0;
	assert_int_equal(sync_new("new"), 0);
	quiet_end();
	assert_int_equal(syncs, 0);
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		dir_error = errors[i];
		assert_int_equal(sync_new("new"), 0);
		assert_string_equal(quiet_end(), "");
		assert_int_equal(syncs, 1);
	}
	syncfs_error = EIO;
	assert_int_equal(sync_new("new"), -1);
	assert_non_null(strstr(quiet_end(), "cannot make its name last"));
	syncfs_error = 0;
}

static void errors_of_disks(void **state)
{
	(void)state;
	dir_error = EIO;
	assert_int_equal(sync_new("new"), -1);
	assert_non_null(strstr(quiet_end(), "cannot make its name last"));
	assert_int_equal(syncs, 0);
	dir_error = 0;
}

static void directories_that_cannot_be_read(void **state)
{
	bool root = !geteuid();

	(void)state;
	assert_int_equal(mkdir("own", 0300), 0);
	/* Root may read them all, but not on the disk of a server. */
	if (root) {
		assert_int_equal(chmod(".", 0711), 0);
		assert_int_equal(chown("own", NOBODY, NOBODY), 0);
		assert_int_equal(seteuid(NOBODY), 0);
	}
	assert_int_equal(sync_new("own/new"), 0);
	assert_string_equal(quiet_end(), "");
	assert_int_equal(syncs, 1);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod("own", 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directories_without_fsync),
		cmocka_unit_test(errors_of_disks),
		cmocka_unit_test(directories_that_cannot_be_read),
	};

	return cmocka_run_group_tests_name("new-file", tests, scratch_setup, scratch_teardown);
}
