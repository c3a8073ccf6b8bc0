// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loop devices; skipped if there are none. "make check" in userspace/tool/ does not run it, but
 * test "tool" of the selftests does, in a virtual machine.
 */
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"
#include "test.h"

static bool have_loop(void)
{
	int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	bool have = fd >= 0 && ioctl(fd, LOOP_CTL_GET_FREE) >= 0;

	if (fd >= 0)
		close(fd);
	return have;
}

#define NEED_LOOP() do { if (!have_loop()) skip(); } while (0)

/* Attach and return the descriptor of the loop device, or -1 after a message that contains why. */
static int attach(const char *path, bool writable, dev_t *dev, const char *why)
{
	int fd = open(path, writable ? O_RDWR : O_RDONLY);
	const char *text;
	int ret;

	assert_true(fd >= 0);
	quiet_begin();
	ret = loop_attach(fd, path, writable, dev);
	text = quiet_end();
	close(fd);
	if (ret < 0)
		assert_non_null(strstr(text, why));
	return ret;
}

static bool is_attached(dev_t dev)
{
	char *file = loop_file(dev);

	free(file);
	return file;
}

static void autoclear(void **state)
{
	struct loop_info64 info;
	char *file;
	dev_t dev;
	int fd;

	(void)state;
	NEED_LOOP();
	fd = attach("image", true, &dev, "");
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, LOOP_GET_STATUS64, &info), 0);
	assert_true(info.lo_flags & LO_FLAGS_AUTOCLEAR);
	assert_false(info.lo_flags & LO_FLAGS_READ_ONLY);
	file = loop_file(dev);
	assert_non_null(file);
	assert_string_equal(strrchr(file, '/'), "/image");
	free(file);
	close(fd);
	assert_false(is_attached(dev));
}

static void read_only_ones_are_shared(void **state)
{
	dev_t a_dev, b_dev;
	int a, b;

	(void)state;
	NEED_LOOP();
	a = attach("image", false, &a_dev, "");
	b = attach("image", false, &b_dev, "");
	assert_true(a >= 0 && b >= 0);
	assert_true(a_dev == b_dev);
	close(a);
	assert_true(is_attached(b_dev));
	assert_int_equal(attach("image", true, &a_dev, "already attached"), -1);
	close(b);
	assert_false(is_attached(b_dev));
}

/* The old top of another chain has a writable loop device. The target knows who writes to it. */
static void a_writable_one_is_shared_for_reading(void **state)
{
	dev_t a_dev, b_dev;
	int a, b;

	(void)state;
	NEED_LOOP();
	a = attach("image", true, &a_dev, "");
	b = attach("image", false, &b_dev, "");
	assert_true(a >= 0 && b >= 0);
	assert_true(a_dev == b_dev);
	assert_int_equal(attach("image", true, &b_dev, "already attached"), -1);
	close(a);
	close(b);
}

static void many_at_once(void **state)
{
	enum { PROCESSES = 8 };
	char name[16];
	int status, i;
	dev_t dev;

	(void)state;
	NEED_LOOP();
	for (i = 0; i < PROCESSES; i++) {
		snprintf(name, sizeof(name), "many%d", i);
		write_file(name, name, sizeof(name));
		truncate(name, 4096);
	}
	fflush(NULL);
	for (i = 0; i < PROCESSES; i++) {
		if (!fork()) {
			int round, fd, ret = 0;

			snprintf(name, sizeof(name), "many%d", i);
			for (round = 0; round < 20 && !ret; round++) {
				char got[16];
				int file = open(name, O_RDWR);

				fd = loop_attach(file, name, true, &dev);
				ret = fd < 0 || pread(fd, got, 16, 0) != 16 || strcmp(got, name);
				close(file);
				close(fd);
			}
			_exit(ret);
		}
	}
	for (i = 0; i < PROCESSES; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
}

static int setup(void **state)
{
	static const char sector[4096] = "image";

	if (scratch_setup(state))
		return -1;
	write_file("image", sector, sizeof(sector));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(autoclear),
		cmocka_unit_test(read_only_ones_are_shared),
		cmocka_unit_test(a_writable_one_is_shared_for_reading),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests_name("loop", tests, setup, scratch_teardown);
}
