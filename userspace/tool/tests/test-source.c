// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of any length, and padding. A loop device need not be available.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layer.h"
#include "test.h"

#define LENGTH 1000

static void open_padded(struct layer *layer)
{
	const struct layer_options opt = { .pad = true };
	static const char text[LENGTH] = "layer";

	unlink("file");
	write_file("file", text, sizeof(text));
	assert_int_equal(layer_open(layer, KIND_RAW, "file", true, &opt), 0);
	assert_int_equal(layer_check_length(layer, &opt), 0);
	assert_int_equal(layer_size(layer), 1024);
}

/* Returns the messages. */
static const char *attach(struct layer *layer, bool no_lock)
{
	const char *text;

	quiet_begin();
	layer_attach(layer, no_lock);
	text = quiet_end();
	layer_close(layer);
	return text;
}

static off_t length(void)
{
	struct stat st;

	assert_int_equal(stat("file", &st), 0);
	return st.st_size;
}

static void files_are_padded(void **state)
{
	struct layer layer;

	(void)state;
	open_padded(&layer);
	assert_int_equal(length(), LENGTH);
	attach(&layer, false);
	assert_int_equal(length(), 1024);
}

static void a_file_that_grew_is_not_cut(void **state)
{
	struct layer layer;

	(void)state;
	open_padded(&layer);
	truncate("file", 5000);
	assert_non_null(strstr(attach(&layer, true), "changed"));
	assert_int_equal(length(), 5000);
}

static void a_locked_file_is_left_alone(void **state)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 200 };
	struct layer layer;
	int fd;

	(void)state;
	open_padded(&layer);
	fd = open("file", O_RDWR);
	if (fcntl(fd, F_OFD_SETLK, &fl)) {
		layer_close(&layer);
		close(fd);
		skip();
	}
	assert_non_null(strstr(attach(&layer, false), "locked"));
	assert_int_equal(length(), LENGTH);
	close(fd);
}

/* What is only read may have any length: it is not padded, and its tail is read when it is attached. */
static void layers_that_are_read_are_not_padded(void **state)
{
	const struct layer_options opt = { .pad = true };
	static const char text[LENGTH] = "layer";
	struct layer layer;

	(void)state;
	write_file("file", text, LENGTH);
	assert_int_equal(layer_open(&layer, KIND_RAW, "file", false, &opt), 0);
	quiet_begin();
	assert_int_equal(layer_check_length(&layer, &opt), 0);
	assert_non_null(strstr(quiet_end(), "is not padded"));
	assert_int_equal(layer_size(&layer), LENGTH);
	assert_int_equal(layer_disk_size(&layer), 1024);
	attach(&layer, true);
	assert_int_equal(length(), LENGTH);
}

/* No loop device shows a part of a sector only. */
static void less_than_a_sector(void **state)
{
	struct layer_options opt = { .can_pad = true };
	struct layer layer;
	off_t len;

	(void)state;
	for (len = 0; len < 512; len += 511) {
		write_file("file", "", 0);
		truncate("file", len);
		assert_int_equal(layer_open(&layer, KIND_RAW, "file", false, &opt), 0);
		quiet_begin();
		assert_int_equal(layer_check_length(&layer, &opt), -1);
		assert_non_null(strstr(quiet_end(), "by --pad or: truncate -s 512 /"));
		opt.pad = true;
		assert_int_equal(layer_check_length(&layer, &opt), 0);
		opt.pad = false;
		attach(&layer, true);
		assert_int_equal(length(), 512);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_padded),
		cmocka_unit_test(a_file_that_grew_is_not_cut),
		cmocka_unit_test(a_locked_file_is_left_alone),
		cmocka_unit_test(layers_that_are_read_are_not_padded),
		cmocka_unit_test(less_than_a_sector),
	};

	return cmocka_run_group_tests_name("source", tests, scratch_setup, scratch_teardown);
}
