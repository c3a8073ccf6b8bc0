// SPDX-License-Identifier: GPL-2.0-only
/*
 * Image locks against each other and against programs of QEMU.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lock.h"
#include "test.h"

static int open_image(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Lock and return the descriptor, or -1 if the lock was refused. */
static int lock(const char *path, bool is_writer)
{
	int fd = open_image(path), ret;
	const char *why = NULL;

	ret = image_lock(fd, is_writer, &why);
	if (!ret)
		return fd;
	assert_int_equal(ret, -EBUSY);
	assert_non_null(why);
	close(fd);
	return -1;
}

static bool qemu_can(const char *command)
{
	return system(command) == 0;
}

#define READ "qemu-img info image >/dev/null 2>&1"
#define WRITE "qemu-io -f qcow2 -c 'write 0 4k' image >/dev/null 2>&1"

static void readers_share(void **state)
{
	int a = lock("image", false), b = lock("image", false);

	(void)state;
	assert_true(a >= 0 && b >= 0);
	assert_int_equal(lock("image", true), -1);
	close(a);
	assert_int_equal(lock("image", true), -1);
	close(b);
	a = lock("image", true);
	assert_true(a >= 0);
	close(a);
}

static void one_writer(void **state)
{
	int a = lock("image", true);

	(void)state;
	assert_true(a >= 0);
	assert_int_equal(lock("image", true), -1);
	close(a);
}

/* As with a loop device: the lock persists while any descriptor of the open file does. */
static void lock_outlives_its_descriptor(void **state)
{
	int a = lock("image", false);
	int b = dup(a);

	(void)state;
	assert_true(a >= 0 && b >= 0);
	close(a);
	assert_int_equal(lock("image", true), -1);
	close(b);
	b = lock("image", true);
	assert_true(b >= 0);
	close(b);
}

static void qemu_respects_us(void **state)
{
	int fd;

	(void)state;
	assert_true(qemu_can(READ));
	assert_true(qemu_can(WRITE));
	fd = lock("image", false);
	assert_true(fd >= 0);
	assert_true(qemu_can(READ));
	assert_false(qemu_can(WRITE));
	close(fd);
	fd = lock("image", true);
	assert_true(fd >= 0);
	assert_false(qemu_can(WRITE));
	close(fd);
	assert_true(qemu_can(WRITE));
}

/* Start qemu-io, which waits for input with the image open. Returns its stdin. */
static FILE *hold(const char *command)
{
	struct stat st;
	FILE *f;

	unlink("prompt");
	f = popen(command, "w");
	assert_non_null(f);
	/* It opens the image before it prompts. */
	while (stat("prompt", &st) || !st.st_size)
		usleep(10000);
	return f;
}

static void we_respect_qemu(void **state)
{
	FILE *f = hold("qemu-io -f qcow2 image >prompt 2>&1");
	int fd;

	(void)state;
	assert_int_equal(lock("image", true), -1);
	assert_int_equal(lock("image", false), -1);
	pclose(f);
	f = hold("qemu-io -r -f qcow2 image >prompt 2>&1");
	assert_int_equal(lock("image", true), -1);
	fd = lock("image", false);
	assert_true(fd >= 0);
	close(fd);
	pclose(f);
}

static int setup(void **state)
{
	if (scratch_setup(state))
		return -1;
	return system("qemu-img create -q -f qcow2 image 1M");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_share),
		cmocka_unit_test(one_writer),
		cmocka_unit_test(lock_outlives_its_descriptor),
		cmocka_unit_test(qemu_respects_us),
		cmocka_unit_test(we_respect_qemu),
	};

	return cmocka_run_group_tests_name("lock", tests, setup, scratch_teardown);
}
