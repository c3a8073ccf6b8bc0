// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers of the unit tests.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static int saved_stderr = -1;
static FILE *captured;
static char text[4096];
static char scratch[64];

void quiet_begin(void)
{
	fflush(stderr);
	captured = tmpfile();
	assert_non_null(captured);
	saved_stderr = dup(STDERR_FILENO);
	assert_true(saved_stderr >= 0);
	dup2(fileno(captured), STDERR_FILENO);
}

const char *quiet_end(void)
{
	size_t len;

	fflush(stderr);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	rewind(captured);
	len = fread(text, 1, sizeof(text) - 1, captured);
	text[len] = '\0';
	fclose(captured);
	return text;
}

unsigned int occurrences(const char *where, const char *what)
{
	unsigned int n = 0;

	while ((where = strstr(where, what))) {
		where += strlen(what);
		n++;
	}
	return n;
}

int scratch_setup(void **state)
{
	(void)state;
	strcpy(scratch, "/tmp/cowchain-test-XXXXXX");
	return !mkdtemp(scratch) || chdir(scratch) ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int scratch_teardown(void **state)
{
	(void)state;
	if (chdir("/"))
		return -1;
	return nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}
