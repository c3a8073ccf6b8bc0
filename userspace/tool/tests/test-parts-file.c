// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of parts that are made, in directories where others put what they like.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "macros.h"
#include "parts-file.h"
#include "test.h"

#define NOBODY 65534

static const char *contents(const char *path)
{
	static char text[256];
	FILE *f = fopen(path, "r");

	if (!f)
		return NULL;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static void is_refused(const char *path, bool overwrite, const char *why)
{
	struct new_file file;
	const char *said;
	int ret;

	quiet_begin();
	ret = parts_file_open(&file, path, overwrite);
	said = quiet_end();
	assert_int_equal(ret, -1);
	if (!strstr(said, why))
		fail_msg("'%s' is not in: %s", why, said);
}

static void made(void **state)
{
	struct parts parts = { 0 };
	struct new_file file;
	struct stat st;

	(void)state;
	parts_add(&parts, 4096, 512);
	assert_int_equal(parts_file_open(&file, "new", false), 0);
	assert_int_equal(parts_file_save(&file, &parts), 0);
	new_file_close(&file);
	assert_non_null(strstr(contents("new"), "\n4096 512\n"));
	assert_int_equal(stat("new", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	is_refused("new", false, "take another name, or --force");
	is_refused("missing/new", false, "No such file");
	/* What was longer is not there any more. */
	parts_free(&parts);
	write_file("new", "0123456789012345678901234567890123456789012345678901234567890123456789", 70);
	assert_int_equal(parts_file_open(&file, "new", true), 0);
	assert_int_equal(parts_file_save(&file, &parts), 0);
	new_file_close(&file);
	assert_string_equal(contents("new"), "# what was read of a disk, in this order: OFFSET LENGTH, in bytes\n");
	unlink("new");
}

/* Before it is known what goes there, nothing is lost. */
static void given_up(void **state)
{
	struct new_file file;

	(void)state;
	write_file("there", "1 2\n", 4);
	assert_int_equal(parts_file_open(&file, "there", true), 0);
	assert_string_equal(contents("there"), "1 2\n");
	new_file_remove(&file);
	new_file_close(&file);
	assert_string_equal(contents("there"), "1 2\n");
	assert_int_equal(parts_file_open(&file, "new", true), 0);
	/* Somebody else's by now. */
	assert_int_equal(rename("there", "new"), 0);
	new_file_remove(&file);
	new_file_close(&file);
	assert_string_equal(contents("new"), "1 2\n");
	unlink("new");
	assert_int_equal(parts_file_open(&file, "new", true), 0);
	new_file_remove(&file);
	new_file_close(&file);
	assert_null(contents("new"));
}

static void other_kinds(void **state)
{
	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(mkdir("dir", 0700), 0);
	is_refused("fifo", true, "neither a regular file nor");
	is_refused("dir", true, "neither a regular file nor");
	is_refused("/dev/null", true, "neither a regular file nor");
	if (geteuid())
		return;
	/* It need not exist: it is not opened. */
	assert_int_equal(mknod("block", S_IFBLK | 0600, makedev(7, 1000)), 0);
	is_refused("block", true, "is a block device");
	is_refused("block", false, "is a block device");
}

/* Of root. */
static void links(void **state)
{
	(void)state;
	write_file("secret", "x\n", 2);
	assert_int_equal(symlink("secret", "link"), 0);
	is_refused("link", false, "take another name, or --force");
	if (!geteuid()) {
		assert_int_equal(lchown("link", NOBODY, NOBODY), 0);
		is_refused("link", true, "is a link of another user");
	}
	assert_string_equal(contents("secret"), "x\n");
}

static void no_space(void **state)
{
	struct rlimit before, limit;
	struct parts parts = { 0 };
	struct new_file file;
	const char *said;
	uint64_t i;
	int ret;

	(void)state;
	for (i = 0; i < 1000; i++)
		parts_add(&parts, i * 8192, 4096);
	write_file("full", "1 2\n", 4);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 8000;
	assert_int_equal(parts_file_open(&file, "full", true), 0);
	quiet_begin();
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ret = parts_file_save(&file, &parts);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	said = quiet_end();
	assert_int_equal(ret, -1);
	assert_non_null(strstr(said, "full: cannot write it: File too large"));
	assert_string_equal(contents("full"), "");
	new_file_remove(&file);
	new_file_close(&file);
	assert_non_null(contents("full"));
	parts_free(&parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made),
		cmocka_unit_test(given_up),
		cmocka_unit_test(other_kinds),
		cmocka_unit_test(links),
		cmocka_unit_test(no_space),
	};

	return cmocka_run_group_tests_name("parts-file", tests, scratch_setup, scratch_teardown);
}
