// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loop devices; skipped if there are none. "make check" in userspace/tool/ does not run it, but
 * test "tool" of the selftests does, in a virtual machine.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"
#include "macros.h"
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

/* A loop device as other programs make it. */
static int configure(const char *path, unsigned int flags, unsigned int block_size, unsigned int offset,
		     unsigned int limit, dev_t *dev)
{
	struct loop_config config = {
		.fd = (__u32)open(path, flags & LO_FLAGS_READ_ONLY ? O_RDONLY : O_RDWR),
		.block_size = block_size,
		.info = { .lo_flags = LO_FLAGS_AUTOCLEAR | flags, .lo_offset = offset, .lo_sizelimit = limit },
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), fd;
	struct stat st;
	char name[32];

	snprintf(name, sizeof(name), "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
	fd = open(name, flags & LO_FLAGS_READ_ONLY ? O_RDONLY : O_RDWR);
	assert_true(control >= 0 && fd >= 0);
	assert_int_equal(ioctl(fd, LOOP_CONFIGURE, &config), 0);
	close((int)config.fd);
	close(control);
	assert_int_equal(fstat(fd, &st), 0);
	*dev = st.st_rdev;
	return fd;
}

static void want_bytes(int fd, uint64_t size)
{
	uint64_t have;
	int sector;

	assert_int_equal(ioctl(fd, BLKGETSIZE64, &have), 0);
	assert_int_equal(have, size);
	assert_int_equal(ioctl(fd, BLKSSZGET, &sector), 0);
	assert_int_equal(sector, 512);
}

/*
 * One that shows something else than a new one would: size is what the file has when it is made, later what it
 * has afterwards.
 */
static const struct {
	const char *what;
	unsigned int block_size, offset, limit, flags;
	int size, later;
	bool shared;
	const char *why;	/* of a writable one */
} others[] = {
	{ "the same", 512, 0, 0, 0, 32768, 32768, true, "" },
	{ "partitions", 512, 0, 0, LO_FLAGS_PARTSCAN, 32768, 32768, true, "" },
	{ "limit at the end", 512, 0, 32768, 0, 32768, 32768, true, "" },
	{ "the same sectors", 512, 0, 0, 0, 32768, 32768 + 511, true, "" },
	{ "grown", 512, 0, 0, 0, 32768, 65536, false, "shows 32768 bytes from byte 0 on of the file, which has 65536" },
	{ "grown by a sector", 512, 0, 0, 0, 32768, 32768 + 512, false, "shows 32768 bytes" },
	{ "shorter", 512, 0, 0, 0, 32768, 16384, false, "shows 32768 bytes" },
	{ "sectors", 4096, 0, 0, 0, 32768, 32768, false, "sectors of 4096 bytes" },
	{ "offset", 512, 4096, 0, 0, 32768, 32768, false, "shows 28672 bytes from byte 4096 on" },
	/* as many bytes as the file has now, but other ones */
	{ "offset, and grown", 512, 4096, 0, 0, 32768, 28672, false, "from byte 4096 on" },
	{ "limit", 512, 0, 8192, 0, 32768, 32768, false, "shows 8192 bytes" },
};

static int make_other(size_t i, unsigned int flags, dev_t *dev)
{
	int fd;

	print_message("# %s\n", others[i].what);
	write_file("changing", "", 0);
	assert_int_equal(truncate("changing", others[i].size), 0);
	fd = configure("changing", others[i].flags | flags, others[i].block_size, others[i].offset,
		       others[i].limit, dev);
	assert_int_equal(truncate("changing", others[i].later), 0);
	return fd;
}

static void only_the_same_bytes_are_shared(void **state)
{
	dev_t have, dev;
	int fd, other;
	char *name;
	size_t i;

	(void)state;
	NEED_LOOP();
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		other = make_other(i, LO_FLAGS_READ_ONLY, &have);
		fd = attach("changing", false, &dev, "");
		assert_true(fd >= 0);
		assert_int_equal(dev == have, others[i].shared);
		want_bytes(fd, (uint64_t)others[i].later / 512 * 512);
		/* Another attach finds the good one. */
		assert_true(close(attach("changing", false, &have, "")) == 0 && have == dev);
		name = loop_file(dev);
		assert_non_null(name);
		free(name);
		close(fd);
		close(other);
	}
}

/* The kernel would not see that what is written there is read here. */
static void a_writable_one_that_shows_something_else_is_refused(void **state)
{
	dev_t have, dev;
	int fd, other;
	char *name;
	size_t i;

	(void)state;
	NEED_LOOP();
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		other = make_other(i, 0, &have);
		fd = attach("changing", false, &dev, others[i].why);
		assert_int_equal(fd >= 0, others[i].shared);
		assert_true(fd < 0 || dev == have);
		/* A name that would bring other bytes with the next attach is none for a header. */
		name = loop_file(have);
		assert_int_equal(!!name, others[i].shared || others[i].block_size != 512);
		free(name);
		close(fd);
		close(other);
	}
}

static void a_file_that_was_replaced_is_another_one(void **state)
{
	dev_t have, dev;
	int other, fd;
	char got[8];

	(void)state;
	NEED_LOOP();
	write_file("name", "old", 4);
	assert_int_equal(truncate("name", 4096), 0);
	other = configure("name", 0, 512, 0, 0, &have);
	write_file("other-name", "new", 4);
	assert_int_equal(truncate("other-name", 4096), 0);
	assert_int_equal(rename("other-name", "name"), 0);
	fd = attach("name", false, &dev, "");
	assert_true(fd >= 0 && dev != have);
	assert_int_equal(pread(fd, got, 4, 0), 4);
	assert_string_equal(got, "new");
	assert_null(loop_file(have));
	close(fd);
	close(other);
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
		cmocka_unit_test(only_the_same_bytes_are_shared),
		cmocka_unit_test(a_writable_one_that_shows_something_else_is_refused),
		cmocka_unit_test(a_file_that_was_replaced_is_another_one),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests_name("loop", tests, setup, scratch_teardown);
}
