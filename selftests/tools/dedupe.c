// SPDX-License-Identifier: GPL-2.0-only
/*
 * dedupe DIRECTORY FIXTURES: replaces a file in DIRECTORY that is identical to one of the same name
 * in a subdirectory of FIXTURES by a link to that, "../../fixtures/...". Most of what the tests
 * export has not changed, and copying it out of the virtual machine takes long.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"

/* Most candidates differ near their start. */
#define PIECE	(1u << 16)

/* Ranges that are holes in both files need not be compared. */
static uint64_t next_data(int a, int b, uint64_t off, uint64_t size)
{
	off_t x = lseek(a, off, SEEK_DATA);
	off_t y = lseek(b, off, SEEK_DATA);
	uint64_t at = size;

	if (x >= 0 && (uint64_t)x < at)
		at = x;
	if (y >= 0 && (uint64_t)y < at)
		at = y;
	return at;
}

static bool same_contents(int a, int b, uint64_t size)
{
	static char x[PIECE], y[PIECE];
	bool same = true;
	uint64_t off = 0;

	while (same && (off = next_data(a, b, off, size)) < size) {
		size_t n = size - off < PIECE ? size - off : PIECE;

		same = !pread_full(a, x, n, off) && !pread_full(b, y, n, off) && !memcmp(x, y, n);
		off += n;
	}
	return same;
}

static bool identical(const char *a, const char *b)
{
	int fa = open(a, O_RDONLY);
	int fb = open(b, O_RDONLY);
	bool same = false;

	if (fa >= 0 && fb >= 0 && size_of_fd(fa) == size_of_fd(fb))
		same = same_contents(fa, fb, size_of_fd(fa));
	if (fa >= 0)
		close(fa);
	if (fb >= 0)
		close(fb);
	return same;
}

static void link_to_twin(const char *name, const char *fixtures)
{
	char pattern[512];
	char target[512];
	glob_t g;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s/*/%s", fixtures, name);
	if (glob(pattern, 0, NULL, &g))
		return;
	for (i = 0; i < g.gl_pathc; i++) {
		if (!identical(name, g.gl_pathv[i]))
			continue;
		snprintf(target, sizeof(target), "../../fixtures%s",
			 g.gl_pathv[i] + strlen(fixtures));
		if (unlink(name) || symlink(target, name))
			die("%s: %s", name, strerror(errno));
		break;
	}
	globfree(&g);
}

int main(int argc, char **argv)
{
	struct dirent *d;
	struct stat st;
	DIR *dir;

	if (argc != 3)
		die("usage: dedupe DIRECTORY FIXTURES");
	if (chdir(argv[1]))
		die("%s: %s", argv[1], strerror(errno));
	dir = opendir(".");
	if (!dir)
		die("%s: %s", argv[1], strerror(errno));
	while ((d = readdir(dir)))
		if (!lstat(d->d_name, &st) && S_ISREG(st.st_mode) && strcmp(d->d_name, "manifest"))
			link_to_twin(d->d_name, argv[2]);
	closedir(dir);
	return 0;
}
