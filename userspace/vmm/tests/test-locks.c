// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which openings of a file as a disk exclude each other: there is one writer, or several readers.
 * Also at the same time: the second opening comes at each of the steps of the first.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blk-limits.h"
#include "blk.h"

#define DISK_BYTES (1UL << 20)

static char path[64];

static bool open_disk(struct blk_device *dev, bool readonly)
{
	return !blk_open(dev, path, readonly, NULL);
}

/* The second opening; it comes when `steps_left` is used up. */
static struct {
	int steps_left;			/* negative: it came */
	bool readonly;
	bool opened;
	struct blk_device dev;
} second;

static void step(void)
{
	if (second.steps_left-- == 0)
		second.opened = open_disk(&second.dev, second.readonly);
}

int __real_fcntl64(int fd, int cmd, ...);
int __wrap_fcntl64(int fd, int cmd, ...);

/* The linker redirects the calls of the code to this; a step takes or checks a lock. */
int __wrap_fcntl64(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (cmd == F_OFD_SETLK || cmd == F_OFD_GETLK)
		step();
	return __real_fcntl64(fd, cmd, arg);
}

/* Returns whether the second came before the last step of the first. */
static bool race(bool first_readonly, bool second_readonly, int at)
{
	struct blk_device first;
	bool opened, met;

	second.steps_left = at;
	second.readonly = second_readonly;
	second.opened = false;
	opened = open_disk(&first, first_readonly);
	met = second.steps_left < 0;
	if (first_readonly && second_readonly)
		assert_true(opened && (second.opened || !met));
	else if (opened && second.opened)
		fail_msg("both have it, the second came at step %d", at);
	if (opened)
		close(first.fd);
	if (second.opened)
		close(second.dev.fd);
	second.steps_left = -1;
	return met;
}

static void race_at_each_step(bool first_readonly, bool second_readonly)
{
	int at = 0;

	while (race(first_readonly, second_readonly, at))
		at++;
	/* Several locks and several checks. */
	assert_true(at >= 5);
}

static void reader_meets_writer(void **state)
{
	(void)state;
	race_at_each_step(false, true);
	race_at_each_step(true, false);
}

static void writer_meets_writer(void **state)
{
	(void)state;
	race_at_each_step(false, false);
}

static void reader_meets_reader(void **state)
{
	(void)state;
	race_at_each_step(true, true);
}

static void one_after_the_other(void **state)
{
	struct blk_device a, b, c;

	(void)state;
	assert_true(open_disk(&a, true));
	assert_true(open_disk(&b, true));
	assert_false(open_disk(&c, false));
	close(a.fd);
	assert_false(open_disk(&c, false));
	close(b.fd);
	assert_true(open_disk(&c, false));
	assert_false(open_disk(&a, true));
	assert_false(open_disk(&a, false));
	close(c.fd);
	/* Refused openings have left nothing behind. */
	assert_true(open_disk(&a, true));
	close(a.fd);
}

/* A block device in the place of the file, before the call of open() with this number. */
static struct {
	char node[72];
	int calls_left;			/* 0: not active */
	bool unclaimed;			/* it was opened for writing without O_EXCL */
} exchange;

int __real_open64(const char *name, int flags, ...);
int __wrap_open64(const char *name, int flags, ...);

int __wrap_open64(const char *name, int flags, ...)
{
	struct stat st = { 0 };

	if (exchange.calls_left && !--exchange.calls_left)
		assert_int_equal(rename(exchange.node, path), 0);
	if (!stat(name, &st) && S_ISBLK(st.st_mode) && !(flags & (O_EXCL | O_PATH)))
		exchange.unclaimed = true;
	return __real_open64(name, flags, 0600);
}

/* What open() is with FORTIFY_SOURCE. */
int __wrap___open64_2(const char *name, int flags);

int __wrap___open64_2(const char *name, int flags)
{
	return __wrap_open64(name, flags);
}

/* Which of the two is opened does not matter, but a device must be claimed. */
static void file_becomes_a_device(void **state)
{
	const char *text;
	struct blk_device dev;
	bool opened;

	(void)state;
	snprintf(exchange.node, sizeof(exchange.node), "%s.node", path);
	for (int at = 1; at <= 3; at++) {
		if (mknod(exchange.node, S_IFBLK | 0600, makedev(250, 1)))
			skip();
		exchange.calls_left = at;
		quiet_begin();
		opened = open_disk(&dev, false);
		text = quiet_end();
		if (opened)
			close(dev.fd);
		else
			assert_non_null(strstr(text, "No such device"));
		exchange.calls_left = 0;
		unlink(exchange.node);
		unlink(path);
		write_file(path, "", 0);
		assert_int_equal(truncate(path, DISK_BYTES), 0);
		assert_false(exchange.unclaimed);
	}
}

static int setup(void **state)
{
	int fd, err;

	(void)state;
	second.steps_left = -1;
	snprintf(path, sizeof(path), "%s/test-locks.XXXXXX", getenv("TMPDIR") ?: "/var/tmp");
	fd = mkstemp(path);
	err = fd < 0 || ftruncate(fd, DISK_BYTES);
	close(fd);
	return err;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other), cmocka_unit_test(reader_meets_writer),
		cmocka_unit_test(writer_meets_writer), cmocka_unit_test(reader_meets_reader),
		cmocka_unit_test(file_becomes_a_device),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
