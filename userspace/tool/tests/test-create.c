// SPDX-License-Identifier: GPL-2.0-only
/*
 * What qemu-img inherits where the kernel, or a container, has no close_range().
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "create.h"
#include "test.h"
#include "util.h"

int close_range(unsigned int first, unsigned int last, int flags)
{
	(void)first;
	(void)last;
	(void)flags;
	errno = ENOSYS;
	return -1;
}

static char *read_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;

	assert_non_null(f);
	assert_true(getdelim(&text, &room, '\0', f) > 0);
	fclose(f);
	return text;
}

static void no_descriptors(void **state)
{
	struct create_request req = {
		.path = "image", .data_file = "data", .size = 1 << 20, .cluster_size = DEFAULT_CLUSTER_SIZE,
	};
	char dir[PATH_MAX + 16], *program, *text;
	struct created files;
	int fd;

	(void)state;
	assert_non_null(getcwd(dir, PATH_MAX));
	program = xasprintf("#!/bin/sh\nls -l /proc/self/fd >'%s/list'\nexit 1\n", dir);
	write_file("program", program, strlen(program));
	assert_int_equal(chmod("program", 0700), 0);
	write_file("secret", "x", 1);
	fd = open("secret", O_RDONLY);
	assert_true(fd >= 0);
	strcat(dir, "/program");
	setenv("COWCHAIN_QEMU_IMG", dir, 1);
	quiet_begin();
	assert_int_equal(create_image(&req, &files), -1);
	quiet_end();
	text = read_text("list");
	assert_null(strstr(text, "secret"));
	assert_non_null(strstr(text, "/image"));
	assert_non_null(strstr(text, "/data"));
	close(fd);
	free(text);
	free(program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_descriptors),
	};

	return cmocka_run_group_tests_name("create", tests, scratch_setup, scratch_teardown);
}
